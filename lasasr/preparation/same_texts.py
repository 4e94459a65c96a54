"""Two corpora whose transcript rules have different names, where both rules give the same texts."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from lasasr.configuration.typed import shown
from lasasr.data.manifest_cache import MANIFESTS
from lasasr.errors import UsageError
from lasasr.text.transcript import TranscriptRule


def refuse_other_texts(manifest: Path, own: TranscriptRule, rule: TranscriptRule) -> None:
    """Let a second corpus have another transcript rule where both give its transcripts the same text.

    Raises:
        UsageError: one would be another text; names it.
    """
    if own == rule:
        return
    for before, now in zip(MANIFESTS.texts(manifest, own), MANIFESTS.texts(manifest, rule), strict=True):
        if before != now:
            words = next(pair for pair in zip_longest(before.split(), now.split()) if pair[0] != pair[1])
            raise UsageError(
                f"adapt.replay.corpus has transcripts by {own}, the corpus by {rule}, and {shown(words[0])} would be "
                f"{shown(words[1])}: take a corpus whose transcripts are of the same kind"
            )
