"""Audio files: their sizes for a manifest, and writing one whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from lasasr.artifacts.files import replacing
from lasasr.audio import containers
from lasasr.audio import read as reading
from lasasr.audio.read import UnreadableError
from lasasr.data import audio
from lasasr.errors import LasasrError, looked_up

_FLAC_HZ = 1 << 16  # rates from here on are written in tens of Hz


class Size(NamedTuple):
    """Of an audio file."""

    sampling_rate: int  # Hz
    samples: int  # per channel
    channels: int

    @property
    def duration_s(self) -> float:
        return self.samples / self.sampling_rate


def size(audio: Path, where: str = "") -> Size:
    """Size of an audio file, from its header; counted, where that does not tell it.

    Args:
        where: begins the error line: who names the file.

    Raises:
        LasasrError: it is missing, unreadable, cut off, beyond the limits of `audio.read`, or holds no samples.
    """
    if not reading.is_file(audio):
        raise LasasrError(f"{where}audio file {audio} is missing, or no file{looked_up(audio)}")
    if not audio.stat().st_size:
        raise LasasrError(f"{where}audio file {audio} has zero length")
    try:
        containers.check(audio, str(audio))
        with reading.opened(audio) as file:
            found = Size(file.samplerate, reading.length(file), file.channels)
    except UnreadableError as error:
        raise LasasrError(f"{where}audio file {audio} is unreadable: {error.reason}") from None
    except OSError as error:
        raise LasasrError(f"{where}audio file {audio} is unreadable: {error.strerror}") from None
    except LasasrError as error:
        raise LasasrError(f"{where}audio file {error}") from None
    if found.samples == 0:
        raise LasasrError(f"{where}audio file {audio} has zero length")
    return found


def read(audio: Path, start: int, stop: int, where: str = "") -> NDArray[np.float64]:
    """Samples from `start` to `stop`, (S, channels) in [-1, 1].

    Args:
        where: begins the error line.

    Raises:
        LasasrError: it is unreadable, or ends before `stop` though its header says otherwise.
    """
    try:
        with reading.opened(audio) as file:
            file.go_to(start)
            samples: NDArray[np.float64] = reading.decoded(file, stop - start, "float64").T
    except UnreadableError as error:
        raise LasasrError(f"{where}audio file {audio} is unreadable: {error.reason}") from None
    except LasasrError as error:
        raise LasasrError(f"{where}audio file {error}") from None
    missing_s = (stop - start - len(samples)) / file.samplerate
    if missing_s > reading.TOLERANCE_S:
        fault = f"is cut off or damaged: its header says that {missing_s:.3f} s more follow"
        raise LasasrError(f"{where}audio file {audio} {fault} ({containers.WAY_OUT})")
    return samples


def mixed(channels: NDArray[Any], rate_hz: int, audio: str, where: str = "") -> NDArray[Any]:
    """(S, channels) → (S,), their mean.

    Args:
        audio, where: the name of the audio, and what begins the error line.

    Raises:
        LasasrError: there are NaN or infinite samples, which no FLAC file can hold, or the mean is silence.
    """
    mono: NDArray[Any] = channels.mean(axis=1)
    try:
        reading.mono(channels.T, rate_hz, audio)
    except LasasrError as error:
        raise LasasrError(f"{where}{error}") from None
    return mono


def check_audio(where: str, cut: Any) -> None:
    """Decode the audio of a cut once, as training will.

    Args:
        where: begins the error line.

    Raises:
        LasasrError: training could not read it.
    """
    try:
        audio.check(cut)
    except LasasrError as error:
        raise LasasrError(f"{where}audio file {error}") from None


def write_downmixed(path: Path, samples: NDArray[Any], sampling_rate: int) -> Path:
    """Write (S,) samples with 24 bits as FLAC, or at a rate that FLAC has no code for as WAV; returns where.

    Raises:
        LasasrError: the disk is full or the folder not writable.
    """
    if sampling_rate < _FLAC_HZ or sampling_rate % 10 == 0:
        write_flac(path, samples, sampling_rate, bits=24)
        return path
    path = path.with_suffix(".wav")
    _write(path, samples, sampling_rate, "WAV", 24)
    return path


def write_flac(path: Path, samples: NDArray[Any], sampling_rate: int, bits: int = 16) -> None:
    """Write (S,) samples as FLAC.

    Raises:
        LasasrError: the disk is full or the folder not writable.
    """
    _write(path, samples, sampling_rate, "FLAC", bits)


def _write(path: Path, samples: NDArray[Any], sampling_rate: int, format: str, bits: int) -> None:
    try:
        with replacing(path) as temporary:
            soundfile.write(temporary, samples, sampling_rate, f"PCM_{bits}", format=format)
    except (OSError, soundfile.SoundFileError) as error:
        raise LasasrError(f"audio file {path} cannot be written: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """The message of libsndfile, without the path it repeats."""
    return str(getattr(error, "error_string", None) or error)
