"""Whatever audio a caller holds, files, arrays or tensors, behind one set of checks: a name, a duration, a waveform."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from lasasr.audio import blocks, containers, read
from lasasr.audio.read import HIGHEST_HZ, LOWEST_HZ, SUFFIXES
from lasasr.audio.resampling import resample
from lasasr.errors import LasasrError, UsageError

Audio = str | Path | BinaryIO | Tensor | np.ndarray[Any, Any]
# of the integers of samples: what is subtracted, and what is 1.0
_SCALES = {np.dtype(np.int16): (0, 1 << 15), np.dtype(np.int32): (0, 1 << 31), np.dtype(np.uint8): (1 << 7, 1 << 7)}


class Input(ABC):
    """Audio of one recording."""

    name: str  # in errors, and of the file

    @abstractmethod
    def duration_s(self) -> float:
        """Seconds that it lasts.

        Raises:
            LasasrError: it cannot be used.
        """

    @abstractmethod
    def waveform(self, sample_rate_hz: int) -> Tensor:
        """All of it, (S,) float32.

        Raises:
            LasasrError: it cannot be used.
        """

    @abstractmethod
    def blocks(self, sample_rate_hz: int) -> Iterator[Tensor]:
        """The same, some seconds at a time.

        Raises:
            LasasrError: it cannot be used.
        """


class FileInput(Input):
    """A file on disk."""

    def __init__(self, path: str | Path) -> None:
        self.name, self._path = str(path), Path(path)

    def duration_s(self) -> float:
        """See the base class."""
        return blocks.duration_s(self._path)

    def waveform(self, sample_rate_hz: int) -> Tensor:
        """See the base class."""
        return read.read(self._path, sample_rate_hz)

    def blocks(self, sample_rate_hz: int) -> Iterator[Tensor]:
        """See the base class."""
        return blocks.blocks(self._path, sample_rate_hz)


class SpanInput(Input):
    """A part of a file on disk.

    Args:
        start_s: where it begins.
        end_s: where it ends; None: at the end of the file.
    """

    def __init__(self, path: str | Path, start_s: float, end_s: float | None) -> None:
        self._path, self._start_s, self._end_s = Path(path), start_s, end_s
        self.name = f"{path} from {start_s:g} s"

    def duration_s(self) -> float:
        """See the base class."""
        whole_s = blocks.duration_s(self._path)
        end_s = whole_s if self._end_s is None else self._end_s
        if end_s > whole_s + read.TOLERANCE_S or self._start_s >= whole_s:
            raise LasasrError(f"{self.name} to {end_s:g} s: the file is {whole_s:.3f} s long")
        return min(end_s, whole_s) - self._start_s

    def waveform(self, sample_rate_hz: int) -> Tensor:
        """See the base class."""
        seconds = self.duration_s()
        with read.opened(self._path) as file:
            file.go_to(round(self._start_s * file.samplerate))
            channels = read.decoded(file, round(seconds * file.samplerate))
            return read.finished(channels, file.samplerate, sample_rate_hz, self.name)

    def blocks(self, sample_rate_hz: int) -> Iterator[Tensor]:
        """See the base class."""
        yield self.waveform(sample_rate_hz)


class SampleInput(Input):
    """Samples in memory: (S,), or with an axis of length 1 before or behind it.

    Args:
        samples: floating point in [-1, 1], or the integers of 8 (unsigned), 16 or 32 bits.
        sample_rate_hz: of them.
        name: in errors.
    """

    def __init__(self, samples: Tensor | np.ndarray[Any, Any], sample_rate_hz: int, name: str) -> None:
        self.name, self._samples, self._rate_hz = name, samples, sample_rate_hz
        self._checked: Tensor | None = None

    def duration_s(self) -> float:
        """See the base class."""
        return len(self._mono()) / self._rate_hz

    def waveform(self, sample_rate_hz: int) -> Tensor:
        """See the base class."""
        return resample(self._mono(), self._rate_hz, sample_rate_hz)

    def blocks(self, sample_rate_hz: int) -> Iterator[Tensor]:
        """See the base class."""
        yield self.waveform(sample_rate_hz)

    def _mono(self) -> Tensor:
        if self._checked is None:
            self._checked = read.mono(_flat(self._samples, self.name)[None], self._rate_hz, self.name)
        return self._checked


class UnusableInput(Input):
    """What is no audio at all, said when it is asked for: others of the same list may be usable."""

    def __init__(self, name: str, error: LasasrError) -> None:
        self.name, self._error = name, error

    def duration_s(self) -> float:
        """Raise why."""
        raise self._error

    def waveform(self, sample_rate_hz: int) -> Tensor:
        """Raise why."""
        raise self._error

    def blocks(self, sample_rate_hz: int) -> Iterator[Tensor]:
        """Raise why."""
        raise self._error


def inputs(audio: Audio | Sequence[Audio], own_rate_hz: int, sample_rate_hz: int | None = None) -> list[Input]:
    """What `audio` holds, in order; a folder stands for the audio files below it, sorted.

    Args:
        audio: one, or a sequence of them.
        own_rate_hz: the rate of arrays and tensors where none is given.
        sample_rate_hz: the rate of arrays and tensors.

    Raises:
        UsageError: the rate is none, or is given where there are only files, which tell theirs.
        LasasrError: a folder holds no audio file.
    """
    listed = _listed(audio)
    if sample_rate_hz is not None:
        _check_rate(sample_rate_hz)
        if not any(isinstance(item, Tensor | np.ndarray) for item in listed):
            raise UsageError(f"sample_rate_hz={sample_rate_hz} is for arrays and tensors; files tell their own")
    found = []
    for number, item in enumerate(listed):
        found += _inputs(item, f"audio[{number}]", sample_rate_hz or own_rate_hz)
    return found


def _listed(audio: Any) -> list[Any]:
    is_one = isinstance(audio, str | bytes | bytearray | Path | Tensor | np.ndarray) or hasattr(audio, "read")
    return [audio] if is_one or not isinstance(audio, Iterable) else list(audio)


def _inputs(item: Any, name: str, rate_hz: int) -> list[Input]:
    if isinstance(item, Tensor | np.ndarray):
        return [SampleInput(item, rate_hz, name)]
    if isinstance(item, str | Path):
        return [FileInput(path) for path in files_of(item)]
    if hasattr(item, "read") and hasattr(item, "seek"):
        return [_stored(item, name)]
    kinds = "a path, a file object, an array or a tensor"
    if isinstance(item, bytes | bytearray):
        kinds += "; give io.BytesIO of the bytes of a file"
    return [UnusableInput(name, LasasrError(f"{name} is a {type(item).__name__}, not {kinds}"))]


def files_of(path: str | Path) -> list[Path]:
    """The file itself, or the audio files below a folder, sorted.

    Raises:
        LasasrError: a folder holds none.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    found = sorted(entry for entry in path.rglob("*") if entry.suffix.lower() in SUFFIXES and entry.is_file())
    if not found:
        raise LasasrError(f"{path} holds no audio file ({', '.join(sorted(SUFFIXES))})")
    return found


def _stored(file: Any, name: str) -> Input:
    """A file object's content, decoded from where it stands."""
    named = getattr(file, "name", None)
    name = named if isinstance(named, str) else name
    try:
        content = file.read()
        if not isinstance(content, bytes):
            raise LasasrError(f"{name} is a file of text; open it with mode 'rb'")
        containers.check(content, name)
        with read.opened_bytes(content, name) as opened:
            channels = read.decoded(opened)
            read.check_whole(opened, channels.shape[-1])
            return SampleInput(read.mono(channels, opened.samplerate, name), opened.samplerate, name)
    except LasasrError as error:
        return UnusableInput(name, error)
    except (OSError, ValueError) as error:  # closed, or not readable
        return UnusableInput(name, LasasrError(f"{name} cannot be read ({error})"))


def _flat(samples: Tensor | np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    """(S,) float32."""
    array = _array(samples, name) if isinstance(samples, Tensor) else samples
    if array.ndim not in (1, 2) or (array.ndim == 2 and 1 not in array.shape):
        way_out = "give (S,) or (1, S); average several channels before"
        raise LasasrError(f"{name} has shape {tuple(array.shape)}: {way_out}")
    if array.dtype in _SCALES:
        zero, one = _SCALES[array.dtype]
        array = (array.astype(np.float64) - zero) / one
    elif not np.issubdtype(array.dtype, np.floating):
        raise LasasrError(f"{name} holds {array.dtype}, not floating point in [-1, 1] or integers of 8, 16 or 32 bits")
    return array.reshape(-1).astype(np.float32)


def _array(samples: Tensor, name: str) -> np.ndarray[Any, Any]:
    try:
        held = samples.detach().cpu()
        array: np.ndarray[Any, Any] = (held.float() if held.dtype == torch.bfloat16 else held).numpy()
    except (RuntimeError, TypeError, NotImplementedError) as error:  # sparse, quantized, without memory, ...
        raise LasasrError(f"{name} is no tensor of samples ({' '.join(str(error).split())[:100]})") from None
    return array


def _check_rate(sample_rate_hz: Any) -> None:
    whole = isinstance(sample_rate_hz, int | np.integer) and not isinstance(sample_rate_hz, bool)
    if not whole or not LOWEST_HZ <= sample_rate_hz <= HIGHEST_HZ:
        limits = f"a whole number from {LOWEST_HZ:,} to {HIGHEST_HZ:,}"
        raise UsageError(f"sample_rate_hz must be {limits}, got {sample_rate_hz}")
