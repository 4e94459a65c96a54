"""Lhotse cut manifests that the user made: checked, and brought to the contract of `base.py`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lhotse import MonoCut, MultiCut
from lhotse.audio.utils import AudioLoadingError
from lhotse.utils import fastcopy

from lasasr.corpora.audio_files import mixed, size, write_flac
from lasasr.corpora.manifest import recording
from lasasr.errors import LasasrError


def holds_cuts(path: Path) -> bool:
    """Whether a file is a cut manifest rather than a table."""
    if path.name.endswith(".jsonl.gz"):
        return True
    if path.suffix != ".jsonl":
        return False
    with path.open("rb") as lines:
        return b'"recording"' in lines.readline()


def foreign_cuts(path: Path, downmixed: Path) -> Iterator[MonoCut]:
    """The cuts of a manifest; those of several channels are averaged into files below `downmixed`.

    Raises:
        LasasrError: a cut has no recording in files, not exactly one transcript, no audio, or an id that stands twice.
    """
    lines: dict[str, int] = {}
    for number, fields in _objects(path):
        where = f"{path}, line {number}: "
        cut = _cut(where, fields)
        if cut.id in lines:
            raise LasasrError(f"{where}id {cut.id} stands in line {lines[cut.id]} already")
        lines[cut.id] = number
        _find_audio(where, path, cut)
        yield _downmix(where, cut, downmixed / f"{number:06d}.flac") if isinstance(cut, MultiCut) else cut
    if not lines:
        raise LasasrError(f"{path} has no utterances")


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        try:
            for number, line in enumerate(lines, start=1):
                fields = json.loads(line)
                if not isinstance(fields, dict):
                    raise LasasrError(f"{path}, line {number}: not a cut")
                yield number, fields
        except (OSError, EOFError, ValueError) as error:
            raise LasasrError(f"{path} is not a readable cut manifest: {error}") from None


def _cut(where: str, fields: dict[str, Any]) -> MonoCut | MultiCut:
    kind = fields.get("type")
    if kind not in ("MonoCut", "MultiCut"):
        raise LasasrError(f"{where}a {kind or 'line without a type'} is no MonoCut or MultiCut")
    try:
        cut: MonoCut | MultiCut = (MonoCut if kind == "MonoCut" else MultiCut).from_dict(fields)
    except (KeyError, TypeError, ValueError) as error:
        raise LasasrError(f"{where}not a {kind} as Lhotse writes them ({error!r})") from None
    if not cut.has_recording:
        raise LasasrError(f"{where}cut {cut.id} has no recording")
    texts = [supervision.text for supervision in cut.supervisions]
    if len(texts) != 1 or not (texts[0] or "").strip():
        raise LasasrError(f"{where}cut {cut.id} has {len(texts)} supervisions, not exactly one with a text")
    return cut


def _find_audio(where: str, manifest: Path, cut: MonoCut | MultiCut) -> None:
    """Check the audio files, and make paths relative to the manifest absolute."""
    for source in cut.recording.sources:
        if source.type != "file":
            raise LasasrError(f"{where}cut {cut.id} has its audio in a {source.type}, not in a file")
        source.source = str((manifest.parent / source.source).resolve())
        size(Path(source.source), where)


def _downmix(where: str, cut: MultiCut, mono: Path) -> MonoCut:
    try:
        channels = cut.load_audio().T
    except (AudioLoadingError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise LasasrError(f"{where}the audio of cut {cut.id} is unreadable: {reason}") from None
    samples = mixed(channels, f"the audio of cut {cut.id}", where)
    write_flac(mono, samples, cut.sampling_rate, bits=24)
    (supervision,) = cut.supervisions
    return MonoCut(
        id=cut.id,
        start=0.0,
        duration=len(samples) / cut.sampling_rate,
        channel=0,
        recording=recording(cut.id, mono, cut.sampling_rate, len(samples)),
        supervisions=[fastcopy(supervision, recording_id=cut.id, channel=0)],
    )
