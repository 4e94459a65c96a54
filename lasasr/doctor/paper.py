"""What ids, speakers, texts and places of audio tell, of all splits together; kept beside large manifests."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Final

from lasasr.artifacts import files
from lasasr.data import derived
from lasasr.data.manifest import Utterances
from lasasr.doctor import names, splits
from lasasr.doctor.finding import Finding
from lasasr.errors import LasasrError
from lasasr.preparation.speech import Prepared, digest

SCHEMA: Final = 1
_WORTH_KEEPING: Final = 20_000  # utterances: half a second


def on_paper(read: Mapping[str, Utterances], leaks: bool) -> list[Finding]:
    """What splits share that they should not, and names that are hard to tell apart.

    Args:
        leaks: whether the splits should share nothing.
    """
    findings = splits.shared(read) if leaks else []
    return findings + [finding for split in read for finding in names.confusable(split, read[split])]


def of_prepared(prepared: Prepared, read: Mapping[str, Utterances]) -> list[Finding]:
    """The same of a prepared corpus; of a large one, as it was found once, while its manifests are what they were."""
    if prepared.first_utterances is not None:
        return on_paper(read, leaks=False)
    if sum(map(len, read.values())) < _WORTH_KEEPING:
        return on_paper(read, leaks=True)
    stamps = derived.stamps([prepared.manifests[split] for split in read])
    made_from = {"schema": SCHEMA, "rule": str(prepared.rule), "splits": list(read), "manifests": stamps}
    path = prepared.folder / f"names-{digest([str(prepared.rule), list(read)])}.json"
    with suppress(LasasrError, KeyError, TypeError, AttributeError):  # damaged, or too large to be read: found again
        stored = files.read_json(path) if path.exists() else {}
        if stored.get("made_from") == made_from:
            return [Finding(**{**finding, "ids": tuple(finding["ids"])}) for finding in stored["findings"]]
    findings = on_paper(read, leaks=True)
    with suppress(OSError):  # a prepared folder of others, which cannot be written to
        files.write_json(path, {"made_from": made_from, "findings": [asdict(finding) for finding in findings]})
    return findings
