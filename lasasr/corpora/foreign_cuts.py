"""Lhotse cut manifests that the user made: checked, and brought to the contract of `base.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lhotse import MonoCut, MultiCut
from lhotse.audio.utils import AudioLoadingError
from lhotse.utils import fastcopy

from lasasr.artifacts.files import lines, open_regular, parse_json
from lasasr.corpora.audio_faults import skippable
from lasasr.corpora.audio_files import check_audio, mixed, size, write_downmixed
from lasasr.corpora.manifest import recording
from lasasr.corpora.names import check_id, plain_text
from lasasr.data import sources
from lasasr.errors import LasasrError

_SLACK_S = 0.02  # an end so little behind the end of the recording is rounding


def holds_cuts(path: Path) -> bool:
    """Whether a file is a cut manifest rather than a table."""
    if path.name.endswith(".jsonl.gz"):
        return True
    if path.suffix != ".jsonl":
        return False
    with open_regular(path) as table:
        return b'"recording"' in table.readline(1 << 20)


def foreign_cuts(path: Path, downmixed: Path, manifest: Path, skip: bool = False) -> Iterator[MonoCut]:
    """The cuts of a manifest; those of several channels are averaged into files below `downmixed`.

    Args:
        manifest: that is written of them; see `skippable`.
        skip: leave out those whose audio cannot be used.

    Raises:
        LasasrError: a cut has no recording in files, not exactly one transcript, no audio, or an id occurs twice.
    """

    def usable(numbered: tuple[int, MonoCut | MultiCut]) -> MonoCut:
        number, cut = numbered
        where = f"{path}, line {number}: "
        _find_audio(where, path, cut)
        if isinstance(cut, MultiCut):
            return _downmix(where, cut, downmixed / f"{number:06d}.flac")
        check_audio(where, cut)
        return cut

    yield from skippable(manifest, _checked_cuts(path), lambda item: str(item[1].id), usable, skip)


def _checked_cuts(path: Path) -> Iterator[tuple[int, MonoCut | MultiCut]]:
    """Line number and cut, without a look at its audio."""
    numbers: dict[str, int] = {}
    for number, fields in objects(path):
        where = f"{path}, line {number}: "
        cut = checked(where, fields, (sources.FILE,))
        if cut.id in numbers:
            raise LasasrError(f"{where}id {cut.id} stands in line {numbers[cut.id]} already")
        numbers[cut.id] = number
        yield number, cut
    if not numbers:
        raise LasasrError(f"{path} has no utterances")


def objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, cut as a plain value), one at a time.

    Raises:
        LasasrError: the file is damaged.
    """
    try:
        for number, line in enumerate(lines(path), start=1):
            fields = parse_json(line)
            if not isinstance(fields, dict):
                raise LasasrError(f"{path}, line {number}: not a cut")
            yield number, fields
    except (OSError, EOFError, ValueError) as error:
        raise LasasrError(f"{path} is not a readable cut manifest: {error}") from None


def checked(where: str, fields: dict[str, Any], kinds: Sequence[str]) -> MonoCut | MultiCut:
    """The cut of a plain value.

    Args:
        where: begins the error line.
        kinds: the types of sources that its audio may have.

    Raises:
        LasasrError: it is a mixture or something else, has no recording, lies outside it, or has not exactly one
            transcript.
    """
    kind = fields.get("type")
    if kind not in ("MonoCut", "MultiCut"):
        raise LasasrError(f"{where}a {kind or 'line without a type'} is no MonoCut or MultiCut")
    if fields.get("recording") is None:
        raise LasasrError(f"{where}cut {fields.get('id')} has no recording")
    sources.check(where, fields, kinds)
    try:
        cut: MonoCut | MultiCut = (MonoCut if kind == "MonoCut" else MultiCut).from_dict(fields)
        _check_times(where, cut)
        _check_transcript(where, cut)
    except LasasrError:
        raise
    except Exception as error:  # Lhotse takes any value for any field, and fails on it later
        raise LasasrError(f"{where}not a {kind} as Lhotse writes them ({error!r})") from None
    return cut


def _check_times(where: str, cut: MonoCut | MultiCut) -> None:
    if not isinstance(cut.id, str):
        raise LasasrError(f"{where}id {cut.id!r} is no text")
    check_id(where, cut.id)
    rate = cut.recording.sampling_rate
    if not isinstance(rate, int) or rate < 1 or not isinstance(cut.recording.num_samples, int):
        raise LasasrError(f"{where}cut {cut.id} has a recording of {cut.recording.num_samples} samples at {rate} Hz")
    if not (0 <= cut.start < cut.end <= cut.recording.duration + _SLACK_S):
        times = f"lasts from {cut.start:g} to {cut.end:g} s, but its recording has {cut.recording.duration:g} s"
        raise LasasrError(f"{where}cut {cut.id} {times}")


def _check_transcript(where: str, cut: MonoCut | MultiCut) -> None:
    count = len(cut.supervisions)
    if count > 1:
        way_out = "cut it up with CutSet.trim_to_supervisions(keep_overlapping=False)"
        raise LasasrError(f"{where}cut {cut.id} has {count} supervisions, not exactly one with a text; {way_out}")
    if count and cut.supervisions[0].text is not None:
        plain_text(f"{where}cut {cut.id}: ", "text", cut.supervisions[0].text)
    if count == 0 or not (cut.supervisions[0].text or "").strip():
        fault = "no supervision" if count == 0 else "a supervision without a text"
        raise LasasrError(f"{where}cut {cut.id} has {fault}; give it a transcript or remove it")


def _find_audio(where: str, manifest: Path, cut: MonoCut | MultiCut) -> None:
    """Check the audio files, and make paths relative to the manifest absolute."""
    for source in cut.recording.sources:
        source.source = str((manifest.parent / source.source).resolve())
        size(Path(source.source), where)


def _downmix(where: str, cut: MultiCut, mono: Path) -> MonoCut:
    sources.refuse_unreadable(where, cut)
    try:
        channels = cut.load_audio().T
    except (AudioLoadingError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise LasasrError(f"{where}the audio of cut {cut.id} is unreadable: {reason}") from None
    files = ", ".join(str(source.source) for source in cut.recording.sources)
    try:
        samples = mixed(channels, cut.sampling_rate, f"the audio of cut {cut.id}", where)
    except LasasrError as error:
        raise LasasrError(f"{error} ({files})") from None
    mono = write_downmixed(mono, samples, cut.sampling_rate)
    (supervision,) = cut.supervisions
    return MonoCut(
        id=cut.id,
        start=0.0,
        duration=len(samples) / cut.sampling_rate,
        channel=0,
        recording=recording(cut.id, mono, cut.sampling_rate, len(samples)),
        supervisions=[fastcopy(supervision, recording_id=cut.id, channel=0)],
    )
