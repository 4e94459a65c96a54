"""Audio files of any format, rate and number of channels that libsndfile reads → one float32 waveform."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor
from torchaudio.transforms import Resample

from lasasr.errors import LasasrError

SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64"}


def read(path: str | Path, sample_rate_hz: int) -> Tensor:
    """Waveform (S,) float32 in [-1, 1] at `sample_rate_hz`.

    Several channels are averaged. Another rate is resampled, S' = ⌈S · new / old⌉.

    Raises:
        LasasrError: the file is missing, cannot be read, holds no sample, or holds NaN or infinite ones.
    """
    with opened(path) as file:
        return finished(decoded(file), file.samplerate, sample_rate_hz, str(path))


def opened(path: str | Path) -> Any:
    """An open `soundfile.SoundFile`.

    Raises:
        LasasrError: the file is missing or is no audio file.
    """
    if not Path(path).is_file():
        raise LasasrError(f"{path} is missing")
    try:
        return soundfile.SoundFile(path)
    except (soundfile.SoundFileError, TypeError) as error:
        raise _unreadable(path, error) from None


def opened_bytes(content: bytes, name: str) -> Any:
    """An open `soundfile.SoundFile` of an audio file's bytes; `name` stands in errors.

    Raises:
        LasasrError: they are no audio file.
    """
    try:
        return soundfile.SoundFile(_Named(content, name))
    except (soundfile.SoundFileError, TypeError) as error:
        raise _unreadable(name, error) from None


class _Named(io.BytesIO):
    """`SoundFile.name` is the object that it reads from; as text it is the name."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self._name = name

    def __str__(self) -> str:
        return self._name


def decoded(file: Any, frames: int = -1) -> np.ndarray[Any, Any]:
    """(channels, S) float32: the next `frames` of an open file, or all that follow.

    Raises:
        LasasrError: the data is damaged.
    """
    try:
        return np.asarray(file.read(frames, dtype="float32", always_2d=True).T)
    except soundfile.SoundFileError as error:
        raise _unreadable(file.name, error) from None


def finished(channels: np.ndarray[Any, Any], from_hz: int, to_hz: int, name: str) -> Tensor:
    """Decoded (channels, S) → checked, averaged, resampled waveform (S',); `name` stands in errors.

    Raises:
        LasasrError: there is no sample, or there are NaN or infinite ones.
    """
    return resample(mono(channels, from_hz, name), from_hz, to_hz)


def mono(channels: np.ndarray[Any, Any], rate_hz: int, name: str, begin_s: float = 0.0) -> Tensor:
    """Decoded (channels, S), the first at `begin_s` of `name`, checked and averaged: (S,).

    Raises:
        LasasrError: there is no sample, or there are NaN or infinite ones.
    """
    if channels.shape[-1] == 0:
        raise LasasrError(f"{name} holds no audio (0 samples); remove it or record it again")
    waveform = torch.from_numpy(np.ascontiguousarray(channels.mean(0), dtype=np.float32))
    finite = waveform.isfinite()
    if not bool(finite.all()):
        first = begin_s + int(finite.logical_not().nonzero()[0]) / rate_hz
        raise LasasrError(f"{name} holds NaN or infinite samples, the first at {first:.3f} s; remove or repair it")
    return waveform


def resample(waveform: Tensor, from_hz: int, to_hz: int) -> Tensor:
    """Resample (S,) by windowed-sinc interpolation to ⌈S · to_hz / from_hz⌉ samples."""
    if from_hz == to_hz:
        return waveform
    resampled: Tensor = _resampler(from_hz, to_hz)(waveform)
    return resampled


@lru_cache(maxsize=16)
def _resampler(from_hz: int, to_hz: int) -> Resample:
    return Resample(from_hz, to_hz)  # keeps its kernel, which costs more than a short waveform's resampling


def _unreadable(path: str | Path, error: Exception) -> LasasrError:
    reason = " ".join(str(getattr(error, "error_string", error)).split())
    return LasasrError(f"{path} cannot be read as audio ({reason}); libsndfile reads WAV, FLAC, OGG, MP3, SPHERE, ...")
