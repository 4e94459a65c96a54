"""Audio files: their sizes for a manifest, and writing one whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from lasasr.artifacts.files import replacing
from lasasr.errors import LasasrError


class Size(NamedTuple):
    """Of an audio file."""

    sampling_rate: int  # Hz
    samples: int  # per channel
    channels: int

    @property
    def duration_s(self) -> float:
        return self.samples / self.sampling_rate


def size(audio: Path, where: str = "") -> Size:
    """Size of an audio file, from its header.

    Args:
        where: begins the error line: who names the file.

    Raises:
        LasasrError: it is missing, unreadable or holds no samples.
    """
    if not audio.is_file():
        raise LasasrError(f"{where}audio file {audio} is missing")
    try:
        info = soundfile.info(audio) if audio.stat().st_size else None
    except (OSError, soundfile.SoundFileError) as error:
        raise LasasrError(f"{where}audio file {audio} is unreadable: {_reason(error)}") from None
    if info is None or info.frames == 0:
        raise LasasrError(f"{where}audio file {audio} has zero length")
    return Size(info.samplerate, info.frames, info.channels)


def read(audio: Path, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
    """Samples from `start` to `stop`, (S, channels) in [-1, 1].

    Raises:
        LasasrError: it is unreadable.
    """
    try:
        samples: NDArray[np.float64] = soundfile.read(audio, start=start, stop=stop, always_2d=True)[0]
    except (OSError, soundfile.SoundFileError) as error:
        raise LasasrError(f"audio file {audio} is unreadable: {_reason(error)}") from None
    return samples


def mixed(channels: NDArray[Any], audio: str, where: str = "") -> NDArray[Any]:
    """(S, channels) → (S,), their mean.

    Args:
        audio, where: the name of the audio, and what begins the error line.

    Raises:
        LasasrError: there are NaN or infinite samples, which no FLAC file can hold.
    """
    mono: NDArray[Any] = channels.mean(axis=1)
    if not np.isfinite(mono).all():
        raise LasasrError(f"{where}{audio} holds NaN or infinite samples; remove or repair it")
    return mono


def write_flac(path: Path, samples: NDArray[Any], sampling_rate: int, bits: int = 16) -> None:
    """Write (S,) samples as FLAC.

    Raises:
        LasasrError: the disk is full or the folder not writable.
    """
    try:
        with replacing(path) as temporary:
            soundfile.write(temporary, samples, sampling_rate, f"PCM_{bits}", format="FLAC")
    except (OSError, soundfile.SoundFileError) as error:
        raise LasasrError(f"audio file {path} cannot be written: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """The message of libsndfile, without the path it repeats."""
    return str(getattr(error, "error_string", None) or error)
