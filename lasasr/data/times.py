"""The times of the words or phones of a split, where its corpus has them: the alignments of its cut manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lasasr.data.manifest import cut_fields, cut_lines
from lasasr.errors import LasasrError

_ROUNDING_S = 0.001
Times = tuple[tuple[str, float, float], ...]  # (label, start_s, end_s) from the beginning of the cut, in order


def read_times(path: Path, kind: str, transcript: Callable[[str], str]) -> dict[str, Times]:
    """Utterance id → times, of the cuts that have an alignment of this kind.

    Labels go through the transcript rule; one that the rule deletes is left out. Where they do not make up the
    transcript then, or lie outside the cut, they are not of what is scored, and the utterance is left out.

    Args:
        path: of the manifest, which `read_manifest` takes.
        kind: "word" or "phone".
        transcript: the corpus's transcript rule.

    Raises:
        LasasrError: the manifest is damaged, or an alignment in it is; names manifest and id.
    """
    times_by_id = {}
    for line in cut_lines(path):
        name, duration_s, supervisions, _, _ = cut_fields(line)
        aligned = (supervisions[0].get("alignment") or {}).get(kind) if len(supervisions) == 1 else None
        if not aligned:
            continue
        times = _normalised(_times(aligned, line.get("start", 0.0), f"{path}: utterance {name}"), transcript)
        inside = all(-_ROUNDING_S <= start_s <= end_s <= duration_s + _ROUNDING_S for _, start_s, end_s in times)
        words = " ".join(label for label, _, _ in times)
        if words and inside and words == _ruled(supervisions[0].get("text") or "", transcript):
            times_by_id[name] = times
    return times_by_id


def _times(items: Sequence[Any], cut_s: float, utterance: str) -> Times:
    """Lhotse's (symbol, start, duration, score); starts count from the beginning of the recording, wherever cut."""
    try:
        starts = [(str(symbol), float(start) - cut_s, float(lasts)) for symbol, start, lasts, *_ in items]
    except (TypeError, ValueError) as error:
        raise LasasrError(f"{utterance} has an alignment that Lhotse did not write ({error})") from None
    return tuple((symbol, start_s, start_s + lasts_s) for symbol, start_s, lasts_s in starts)


def _normalised(times: Times, transcript: Callable[[str], str]) -> Times:
    ruled = ((_ruled(label, transcript), start_s, end_s) for label, start_s, end_s in times)
    return tuple(item for item in ruled if item[0])


def _ruled(text: str, transcript: Callable[[str], str]) -> str:
    """The text after the rule; nothing where the rule refuses it."""
    try:
        return transcript(text)
    except LasasrError:
        return ""
