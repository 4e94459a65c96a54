"""Where the audio of a Lhotse cut comes from: a file, or a place in a tar file; everything else is refused.

Lhotse would run a source of type `command` in a shell, fetch a `url`, and unpickle arrays that are kept `in memory`. So
a cut is looked at here, as a plain value, before Lhotse makes objects of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lasasr.data.tar import KIND
from lasasr.errors import LasasrError

FILE: Final = "file"
_PLAIN: Final = ("id", "type", "start", "duration", "channel")  # of a cut: scalars
# of features and arrays, which are never read here: in files, or left out of Lhotse Shar
_STORED: Final = ("lilcom_files", "lilcom_chunky", "lilcom_hdf5", "chunked_lilcom_hdf5", "numpy_files", "numpy_hdf5")
_RECORDING: Final = {"id", "sources", "sampling_rate"}  # by which Lhotse knows one wherever it stands
_PICTURES: Final = ("pillow_files",)
_ELSEWHERE: Final = re.compile(r"-|pipe:.*|.*\|\s*|\w[\w+.-]*://.*", re.DOTALL)  # a stream, a command, an address
_RATIOS: Final = {"factor": (0.1, 10.0), "source_sampling_rate": (1, 1e6), "target_sampling_rate": (1, 1e6)}
# the names of files that Lhotse puts into the command line of a shell as they are
_BY_SHELL: Final = {".opus": re.compile(r"[\w/.,+@%=: -]+"), ".sph": re.compile(r"[\w/.,+@%=:-]+")}


def check(where: str, cut: Mapping[str, Any], kinds: Sequence[str] = (FILE, KIND)) -> None:
    """Refuse a cut, as a plain value, that anything but files stands behind.

    Args:
        where: begins the error line.
        kinds: the types of sources that are allowed.

    Raises:
        LasasrError: names the cut and the type.
    """
    what = f"{where}cut {cut.get('id')}"
    for name, value in cut.items():
        if name in _PLAIN:
            continue
        if name == "recording":
            _recording(what, value, kinds)
        elif name == "tracks":
            _tracks(where, what, value, kinds)
        elif name == "supervisions":
            for one in value if isinstance(value, list) else ():
                _anything(what, one.get("custom") if isinstance(one, Mapping) else one, kinds)
        else:
            _anything(what, value, kinds)


def _tracks(where: str, what: str, tracks: Any, kinds: Sequence[str]) -> None:
    if not isinstance(tracks, list) or not all(isinstance(one, Mapping) for one in tracks):
        raise LasasrError(f"{what} has tracks that are none")
    for track in tracks:
        for name, value in track.items():
            if name == "cut" and isinstance(value, Mapping):
                check(where, value, kinds)
            else:
                _anything(what, value, kinds)


def _recording(what: str, recording: Any, kinds: Sequence[str]) -> None:
    if recording is None:
        return
    sources = recording.get("sources") if isinstance(recording, Mapping) else None
    if not isinstance(sources, list) or not all(isinstance(one, Mapping) for one in sources):
        raise LasasrError(f"{what} has a recording without a list of sources")
    for source in sources:
        kind, place = source.get("type"), source.get("source")
        if kind not in kinds:
            raise LasasrError(f"{what} has its audio in a {kind}, not in {'a file' if FILE in kinds else 'its shard'}")
        if not isinstance(place, str) or "\0" in place or (kind == FILE and _ELSEWHERE.fullmatch(place)):
            raise LasasrError(f"{what} has its audio in {place!r}, which is no path of a file")
    if recording.get("transforms") and FILE not in kinds:
        raise LasasrError(f"{what} has transforms, which are applied before Lhotse Shar is written")
    _transforms(what, recording.get("transforms"))
    for name, value in recording.items():
        if name not in ("sources", "transforms"):
            _anything(what, value, kinds)


def _transforms(what: str, transforms: Any) -> None:
    """Of their options only those that make much of little, and recordings of impulse responses."""
    if transforms is None:
        return
    if not isinstance(transforms, list):
        raise LasasrError(f"{what} has transforms that are no list")
    for one in transforms:
        options = one.get("kwargs") if isinstance(one, Mapping) else None
        if not isinstance(options, Mapping):
            raise LasasrError(f"{what} has a transform that is none: {str(one)[:60]}")
        for name, (least, most) in _RATIOS.items():
            value = options.get(name, least)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                found = f"{one.get('name')} with {name} {value}"
                raise LasasrError(f"{what} has a transform {found}, not between {least} and {most}")
        _anything(what, options, (FILE,))


def _anything(what: str, value: Any, kinds: Sequence[str]) -> None:
    """Whatever Lhotse may make an object of: features, arrays, pictures and recordings, at any depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            if one.keys() >= _RECORDING:
                _recording(what, one, kinds)
                continue
            stored = one.get("storage_type")
            if stored is not None and stored not in (*_STORED, *_PICTURES, KIND):
                raise LasasrError(f"{what} has an array or features in {stored}, not in a file; drop them")
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def refuse_unreadable(where: str, cut: Any) -> None:
    """Refuse a cut, as Lhotse's object, whose files Lhotse must not be asked for.

    Raises:
        LasasrError: a file is missing or no regular one, or its name would act in a shell.
    """
    for recording in _recordings(cut):
        for source in recording.sources:
            path = Path(str(source.source))
            if source.type != FILE:
                raise LasasrError(f"{where}its audio is in a {source.type}, not in a file")
            if not path.is_file():
                raise LasasrError(f"{where}{path} is missing, or no file")
            safe = _BY_SHELL.get(path.suffix.lower())
            if safe is not None and not safe.fullmatch(str(path)):
                raise LasasrError(f"{where}{path}: a name with signs that act in a shell, which reads such files")


def _recordings(cut: Any) -> list[Any]:
    if hasattr(cut, "tracks"):
        return [one for track in cut.tracks for one in _recordings(track.cut)]
    recording = getattr(cut, "recording", None)
    return [] if recording is None else [recording]
