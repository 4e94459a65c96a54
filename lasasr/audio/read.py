"""Audio files of any format, rate and number of channels that libsndfile reads → one float32 waveform.

Headers are not believed: what is decoded, and so time and memory, is what is asked for and what is there. A rate or a
length beyond LOWEST_HZ, HIGHEST_HZ and LONGEST_S is refused.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import torch
from torch import Tensor

from lasasr.audio import containers
from lasasr.audio.resampling import resample
from lasasr.errors import LasasrError, looked_up

SUFFIXES = {
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64"),
    *(".sph", ".nist", ".snd", ".aifc", ".wave"),
}
LOWEST_HZ, HIGHEST_HZ = 1_000, 384_000
LONGEST_S = 7 * 86_400  # of a file
UNKNOWN_FRAMES = 1 << 62  # so many, or more, stand for a length that is not known: streams of FLAC
TOLERANCE_S = 0.01  # by which a file may be shorter than its header, or its manifest, says: times are rounded
CANCELLED_DB = -30.0  # the power of the mean below that of the channels: one of them is the other upside down
_CANCELLED_S = 0.1  # shorter parts may come to that by chance
_AT_ONCE = 1 << 20  # samples, of all channels, that are decoded at once


def read(path: str | Path, sample_rate_hz: int) -> Tensor:
    """Waveform (S,) float32 in [-1, 1] at `sample_rate_hz`.

    Several channels are averaged. Another rate is resampled, S' = ⌈S · new / old⌉.

    Raises:
        LasasrError: the file is missing, cannot be read, is cut off or beyond the limits, holds no sample, or holds
            NaN or infinite ones; or its channels cancel each other out.
    """
    with opened(path) as file:
        channels = decoded(file)
        check_whole(file, channels.shape[-1])
        return finished(channels, file.samplerate, sample_rate_hz, str(path))


class UnreadableError(LasasrError):
    """A file that libsndfile does not open or decode.

    Args:
        name: of the file.
        error: what libsndfile, or soundfile, says.
    """

    def __init__(self, name: str | Path, error: Exception) -> None:
        self.reason = " ".join(str(getattr(error, "error_string", error) or type(error).__name__).split())
        if "does not exist" in self.reason:  # what it says of some files that are no audio
            self.reason = "format not recognised"
        formats = "libsndfile reads WAV, FLAC, OGG, MP3, SPHERE, ..."
        super().__init__(f"{name} cannot be read as audio ({self.reason}); {formats}")


class AudioFile(soundfile.SoundFile):  # type: ignore[misc]
    """An open audio file, read from one end to the other or from a place on.

    Args:
        source: a path, or a file object.
        name: in errors.
    """

    def __init__(self, source: Any, name: str) -> None:
        self.source_name, self._source = name, source  # `name` and `title` are soundfile's
        self.position = 0  # of the next frame
        super().__init__(source)

    def __str__(self) -> str:
        return self.source_name

    def seekable(self) -> bool:
        """Never: by itself soundfile would seek after every read, which fails where the length is not known."""
        return False

    @property
    def length_known(self) -> bool:
        """Whether `frames` is a length."""
        return bool(self.frames < UNKNOWN_FRAMES)

    def go_to(self, frame: int) -> None:
        """Continue at this frame; at the end, where there are fewer.

        Raises:
            LasasrError: the data before it is damaged.
        """
        frame = min(frame, self.frames)
        if self._info.seekable:
            try:
                self.position = self.seek(frame)
            except Exception as error:
                raise UnreadableError(self.source_name, error) from None
            return
        for part in parts(self, frame):
            del part

    def close(self) -> None:
        """Close it, and the file object that it was opened from."""
        super().close()
        if isinstance(self._source, io.IOBase):
            self._source.close()


def is_file(path: Path) -> bool:
    """Whether there is a file; a name that no file can have, or one in a folder that may not be read, has none."""
    try:
        return path.is_file()
    except OSError:
        return False


def opened(path: str | Path) -> AudioFile:
    """An open audio file.

    Raises:
        LasasrError: it is missing, is no audio file, has a name that is not UTF-8, or its rate or length is beyond
            the limits.
    """
    if not is_file(Path(path)):
        raise LasasrError(f"{path} is missing, or no file{looked_up(path)}")
    if not utf8_name(path):
        raise LasasrError(f"{path} has a name that is not UTF-8: rename it")
    return _opened(Path(path), str(path))


def utf8_name(path: str | Path) -> bool:
    """Whether the bytes of a name are UTF-8; others can stand in no table and in no result."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def opened_bytes(content: bytes, name: str) -> AudioFile:
    """An open audio file of these bytes; `name` stands in errors.

    Raises:
        LasasrError: see `opened`.
    """
    return _opened(content, name)


def _opened(content: Path | bytes, name: str) -> AudioFile:
    try:
        file = AudioFile(io.BytesIO(content) if isinstance(content, bytes) else str(content), name)
        if file.format in ("WAV", "WAVEX") and file.frames == 0:
            file = _stream(file, io.BytesIO(content) if isinstance(content, bytes) else content.open("rb"), name)
    except Exception as error:  # soundfile raises what its parts raise: RuntimeError, TypeError, OSError, ...
        with suppress(OSError):
            containers.check(content, name)  # which may know more
        if _is_empty(content):
            raise LasasrError(f"{name} is empty: a file of 0 bytes is no audio; remove it or record it again") from None
        raise UnreadableError(name, error) from None
    try:
        _check_claims(file)
    except LasasrError:
        file.close()
        raise
    return file


def _is_empty(content: Path | bytes) -> bool:
    with suppress(OSError):
        return (len(content) if isinstance(content, bytes) else content.stat().st_size) == 0
    return False


def _stream(empty: AudioFile, file: BinaryIO, name: str) -> AudioFile:
    """A WAV file whose header was never completed, with as much data as there is."""
    at = containers.stream_size_at(file)
    if at is None:
        file.close()
        return empty
    empty.close()
    file.seek(0)
    return AudioFile(containers.Overlaid(file, at, b"\xff\xff\xff\xff"), name)


def _check_claims(file: AudioFile) -> None:
    rate_hz = file.samplerate
    if not LOWEST_HZ <= rate_hz <= HIGHEST_HZ:
        raise LasasrError(
            f"{file} has a sampling rate of {rate_hz:,} Hz; lasasr reads {LOWEST_HZ:,} to {HIGHEST_HZ:,} Hz: "
            f"convert it, or correct its header"
        )
    if file.length_known and file.frames > LONGEST_S * rate_hz:
        raise _too_long(file, f"claims {file.frames / rate_hz:,.0f} s of audio")


def decoded(file: AudioFile, frames: int = -1, dtype: str = "float32") -> np.ndarray[Any, Any]:
    """(channels, S): the next `frames` of an open file, or all that follow; fewer where it ends before.

    Raises:
        LasasrError: the data is damaged.
    """
    got = list(parts(file, frames, dtype))
    whole = got[0] if len(got) == 1 else np.concatenate([np.zeros((0, file.channels), dtype), *got])
    return np.asarray(whole.T)


def parts(file: AudioFile, frames: int = -1, dtype: str = "float32") -> Iterator[np.ndarray[Any, Any]]:
    """`decoded` in parts (S, channels) of at most _AT_ONCE samples.

    Raises:
        LasasrError: the data is damaged, or there is more of it than LONGEST_S.
    """
    # no further than the header says: what may stand behind the samples, as a tag, is nothing to decode
    there = file.frames - file.position if file.length_known else LONGEST_S * file.samplerate + 1
    left = there if frames < 0 else min(frames, there)
    while left > 0:
        try:
            part = file.read(min(left, max(1, _AT_ONCE // file.channels)), dtype=dtype, always_2d=True)
        except Exception as error:
            raise UnreadableError(file.source_name, error) from None
        if len(part) == 0:
            return
        left -= len(part)
        file.position += len(part)
        yield part
    if frames < 0 and not file.length_known:
        raise _too_long(file, "holds more audio")


def length(file: AudioFile) -> int:
    """The samples, per channel, of an open file that nothing was read of yet: by its header, or counted.

    Raises:
        LasasrError: they must be counted, and the data is damaged.
    """
    return int(file.frames) if file.length_known else sum(len(part) for part in parts(file))


def check_whole(file: AudioFile, frames: int) -> None:
    """Check how many frames were decoded of all that a file claims.

    Raises:
        LasasrError: they are fewer.
    """
    if file.length_known and frames < file.frames - TOLERANCE_S * file.samplerate:
        claimed_s, there_s = file.frames / file.samplerate, frames / file.samplerate
        fault = f"is cut off or damaged: its header says {claimed_s:.3f} s, {there_s:.3f} s can be decoded"
        raise LasasrError(f"{file} {fault} ({containers.WAY_OUT})")


def finished(channels: np.ndarray[Any, Any], from_hz: int, to_hz: int, name: str) -> Tensor:
    """Decoded (channels, S) → checked, averaged, resampled waveform (S',); `name` stands in errors.

    Raises:
        LasasrError: see `mono`.
    """
    return resample(mono(channels, from_hz, name), from_hz, to_hz)


def mono(channels: np.ndarray[Any, Any], rate_hz: int, name: str, begin_s: float = 0.0) -> Tensor:
    """Decoded (channels, S), the first at `begin_s` of `name`, checked and averaged: (S,).

    Raises:
        LasasrError: there is no sample, there are NaN or infinite ones, or the channels cancel each other out.
    """
    if channels.shape[-1] == 0:
        raise LasasrError(f"{name} holds no audio (0 samples); remove it or record it again")
    waveform = torch.from_numpy(np.ascontiguousarray(channels.mean(0), dtype=np.float32))
    finite = waveform.isfinite()
    if not bool(finite.all()):
        first = begin_s + int(finite.logical_not().nonzero()[0]) / rate_hz
        raise LasasrError(f"{name} holds NaN or infinite samples, the first at {first:.3f} s; remove or repair it")
    if cancelled(channels, rate_hz):
        raise LasasrError(
            f"the channels of {name} cancel each other out: their mean is silence, since one has the opposite phase of "
            f"the other; keep one channel"
        )
    return waveform


def cancelled(channels: np.ndarray[Any, Any], rate_hz: int) -> bool:
    """Whether the mean of (channels, S) has hardly any power of theirs, but for its offset."""
    if len(channels) < 2 or channels.shape[1] < _CANCELLED_S * rate_hz:
        return False
    power = float(channels.var(axis=1).mean())
    return power > 0.0 and float(channels.mean(0).var()) < power * 10.0 ** (CANCELLED_DB / 10.0)


def _too_long(file: AudioFile, how: str) -> LasasrError:
    return LasasrError(f"{file} {how}; lasasr reads recordings of up to {LONGEST_S // 86_400} days: split it")
