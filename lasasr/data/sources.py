"""The source of the audio of a Lhotse cut: a file, or a member of a tar file; everything else is refused.

Lhotse would run a source of type `command` in a shell, fetch a `url`, and unpickle arrays that are kept `in memory`. So
a cut is checked here, as a plain value, before Lhotse makes objects of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lasasr.audio.read import is_file
from lasasr.data.tar import KIND
from lasasr.errors import LasasrError, looked_up

FILE: Final = "file"
_PLAIN: Final = ("id", "type", "start", "duration", "channel")  # of a cut: scalars
# of features and arrays, which are never read here: in files, or left out of Lhotse Shar
_STORED: Final = ("lilcom_files", "lilcom_chunky", "lilcom_hdf5", "chunked_lilcom_hdf5", "numpy_files", "numpy_hdf5")
_RECORDING: Final = {"id", "sources", "sampling_rate"}  # by which Lhotse recognizes one at any depth
_PICTURES: Final = ("pillow_files",)
_ELSEWHERE: Final = re.compile(r"-|pipe:.*|.*\|\s*|\w[\w+.-]*://.*", re.DOTALL)  # a stream, a command, an address
_RATIOS: Final = {"factor": (0.1, 10.0), "source_sampling_rate": (1, 1e6), "target_sampling_rate": (1, 1e6)}
# the names of files that Lhotse puts into the command line of a shell as they are
_BY_SHELL: Final = {".opus": re.compile(r"[\w/.,+@%=: -]+"), ".sph": re.compile(r"[\w/.,+@%=:-]+")}


def check(where: str, cut: Mapping[str, Any], kinds: Sequence[str] = (FILE, KIND)) -> None:
    """Refuse a cut, as a plain value, whose audio is in anything but files.

    Args:
        where: begins the error line.
        kinds: the types of sources that are allowed.

    Raises:
        LasasrError: names the cut and the type.
    """
    subject = f"{where}cut {cut.get('id')}"
    for name, value in cut.items():
        if name in _PLAIN:
            continue
        if name == "recording":
            _recording(subject, value, kinds)
        elif name == "tracks":
            _tracks(where, subject, value, kinds)
        elif name == "supervisions":
            for supervision in value if isinstance(value, list) else ():
                _check_nested(
                    subject, supervision.get("custom") if isinstance(supervision, Mapping) else supervision, kinds
                )
        else:
            _check_nested(subject, value, kinds)


def _tracks(where: str, subject: str, tracks: Any, kinds: Sequence[str]) -> None:
    if not isinstance(tracks, list) or not all(isinstance(track, Mapping) for track in tracks):
        raise LasasrError(f"{subject} has tracks that are none")
    for track in tracks:
        for name, value in track.items():
            if name == "cut" and isinstance(value, Mapping):
                check(where, value, kinds)
            else:
                _check_nested(subject, value, kinds)


def _recording(subject: str, recording: Any, kinds: Sequence[str]) -> None:
    if recording is None:
        return
    sources = recording.get("sources") if isinstance(recording, Mapping) else None
    if not isinstance(sources, list) or not all(isinstance(source, Mapping) for source in sources):
        raise LasasrError(f"{subject} has a recording without a list of sources")
    for source in sources:
        kind, path = source.get("type"), source.get("source")
        if kind not in kinds:
            raise LasasrError(
                f"{subject} has its audio in a {kind}, not in {'a file' if FILE in kinds else 'its shard'}"
            )
        if not isinstance(path, str) or "\0" in path or (kind == FILE and _ELSEWHERE.fullmatch(path)):
            raise LasasrError(f"{subject} has its audio in {path!r}, which is no path of a file")
    if recording.get("transforms") and FILE not in kinds:
        raise LasasrError(f"{subject} has transforms, which are applied before Lhotse Shar is written")
    _transforms(subject, recording.get("transforms"))
    for name, value in recording.items():
        if name not in ("sources", "transforms"):
            _check_nested(subject, value, kinds)


def _transforms(subject: str, transforms: Any) -> None:
    """Of their options only those that make much of little, and recordings of impulse responses."""
    if transforms is None:
        return
    if not isinstance(transforms, list):
        raise LasasrError(f"{subject} has transforms that are no list")
    for transform in transforms:
        options = transform.get("kwargs") if isinstance(transform, Mapping) else None
        if not isinstance(options, Mapping):
            raise LasasrError(f"{subject} has a transform that is none: {str(transform)[:60]}")
        for name, (least, most) in _RATIOS.items():
            value = options.get(name, least)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                range_fault = f"{transform.get('name')} with {name} {value}"
                raise LasasrError(f"{subject} has a transform {range_fault}, not between {least} and {most}")
        _check_nested(subject, options, (FILE,))


def _check_nested(subject: str, value: Any, kinds: Sequence[str]) -> None:
    """Whatever Lhotse may make an object of: features, arrays, pictures and recordings, at any depth."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            if item.keys() >= _RECORDING:
                _recording(subject, item, kinds)
                continue
            stored = item.get("storage_type")
            if stored is not None and stored not in (*_STORED, *_PICTURES, KIND):
                raise LasasrError(f"{subject} has an array or features in {stored}, not in a file; drop them")
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def refuse_unreadable(where: str, cut: Any) -> None:
    """Refuse a cut, as Lhotse's object, whose files Lhotse must not open.

    Raises:
        LasasrError: a file is missing or no regular one, or its name would act in a shell.
    """
    for recording in _recordings(cut):
        for source in recording.sources:
            path = Path(str(source.source))
            if source.type != FILE:
                raise LasasrError(f"{where}its audio is in a {source.type}, not in a file")
            if not is_file(path):
                raise LasasrError(f"{where}{path} is missing, or no file{looked_up(path)}")
            safe = _BY_SHELL.get(path.suffix.lower())
            if safe is not None and not safe.fullmatch(str(path)):
                raise LasasrError(f"{where}{path}: a name with signs that act in a shell, which reads such files")


def _recordings(cut: Any) -> list[Any]:
    if hasattr(cut, "tracks"):
        return [recording for track in cut.tracks for recording in _recordings(track.cut)]
    recording = getattr(cut, "recording", None)
    return [] if recording is None else [recording]
