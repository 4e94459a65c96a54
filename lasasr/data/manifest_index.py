"""What reading a manifest gives, as arrays beside it: large corpora are read and checked once, and mapped afterwards.

<split>.index-<rule>.safetensors    ids, speakers, texts, durations and cuts under one transcript rule
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lasasr.data import derived
from lasasr.data.derived import Arrays
from lasasr.data.digests import split_of
from lasasr.data.manifest import Utterances, read_manifest
from lasasr.data.packed import Packed, PackedBytes, PackedStrings
from lasasr.text.transcript import TranscriptRule

SCHEMA: Final = 1
_COLUMNS: Final[dict[str, type[PackedStrings] | type[PackedBytes]]] = {
    "ids": PackedStrings,
    "speakers": PackedStrings,
    "texts": PackedStrings,
    "cuts": PackedBytes,
}


def utterances(manifest: Path, rule: TranscriptRule) -> Utterances:
    """The utterances of a manifest, from its index where that is there, which is made otherwise.

    Raises:
        LasasrError: see `read_manifest`.
    """
    made_from = {"schema": SCHEMA, "rule": str(rule), **derived.stamps([manifest])}
    arrays = derived.stored_or_computed(beside(manifest, rule), made_from, lambda: _arrays(manifest, rule))
    columns = {name: kind(arrays[name], arrays[f"{name}.ends"]) for name, kind in _COLUMNS.items()}
    return Utterances(manifest, durations_s=arrays["durations_s"], **columns)  # type: ignore[arg-type]


def beside(manifest: Path, rule: TranscriptRule) -> Path:
    """Where the index of a manifest under a rule lies."""
    return manifest.with_name(f"{split_of(manifest)}.index-{str(rule).replace('/', '-')}.safetensors")


def _arrays(manifest: Path, rule: TranscriptRule) -> Arrays:
    read = read_manifest(manifest, rule)
    columns: dict[str, Packed[str] | Packed[bytes]] = {name: getattr(read, name) for name in _COLUMNS}
    return {
        "durations_s": read.durations_s,
        **{name: column.values for name, column in columns.items()},
        **{f"{name}.ends": column.ends for name, column in columns.items()},
    }
