"""What is wrong with a file that its decoder does not say: a part is missing, or another recording follows.

Decoders read a cut MP3 or Ogg file to where it ends, and of two recordings in one file the first. Only headers are
looked at, in FLAC files what a second one begins with, and in Ogg files the checksums.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

from lasasr.audio import chunks, mpeg_frames, sphere
from lasasr.errors import LasasrError

WAY_OUT = "convert it anew from the original"
_CUT = "is cut off: {}"
_DAMAGED = "is damaged: {}"
_TWICE = "holds a second recording behind the first, which would not be read; split it"
_FLAC: Final = b"fLaC\x00\x00\x00\x22"  # the first block has 34 bytes, in every file
_PAGE: Final = 27  # bytes of an Ogg page before the table of its segments
_FIRST: Final = 2  # flag of the first page of a stream
_SLACK: Final = 2048  # bytes: more than a frame of an MP3 file
_CHUNK: Final = 1 << 20  # bytes searched at once
UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF)  # of the data of a WAV stream
_FEW_FRAMES: Final = 2  # of an MP3 file: by which counts differ
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # the bits of each byte


def check(source: Path | bytes, name: str) -> None:
    """Check a file, or its bytes, whose format is seen from its first bytes; any other format passes.

    Raises:
        LasasrError: it is cut off, or holds several recordings; `name` begins the line.
        OSError: it cannot be opened.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        first = file.read(4)
        fault = next((find(file, size) for begin, find in _FINDERS.items() if first.startswith(begin)), "")
    if fault:
        raise LasasrError(f"{name} {fault} ({WAY_OUT})")


def _ogg(file: BinaryIO, size: int) -> str:
    """Walks from page to page; a decoder leaves out, and does not say so, those whose checksum is wrong."""
    position, begun = 0, False
    while position < size:
        file.seek(position)
        head = file.read(_PAGE)
        if not head.startswith(b"OggS") or len(head) < _PAGE:
            return _CUT.format("its last page is not whole") if b"OggS".startswith(head[:4]) else ""
        segments = file.read(head[26])
        packets = file.read(sum(segments))
        if head[5] & _FIRST and begun:
            return _TWICE
        begun = begun or not head[5] & _FIRST
        position += _PAGE + head[26] + sum(segments)
        if len(segments) < head[26] or position > size:
            return _CUT.format("its last page is not whole")
        if _checksum(head[:22] + bytes(4) + head[26:] + segments + packets) != head[22:26]:
            return _DAMAGED.format(f"the checksum of the page before byte {position:,} is wrong")
    return ""


def _checksum(page: bytes) -> bytes:
    """Of Ogg: that of zlib, with all bits the other way round, and neither begun nor ended with ones."""
    state = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return state.to_bytes(4, "big").translate(_REVERSED)


def _mp3(file: BinaryIO, size: int) -> str:
    """Compares what the first frame says with what is there: a decoder believes it, or else guesses."""
    begin = mpeg_frames.first_frame(file)
    told = mpeg_frames.promised(file, begin)
    if told is None:
        return _guessed(mpeg_frames.frames(file, begin))
    if told.size is not None:
        if size - begin < told.size - max(_SLACK, told.size // 50):
            return _CUT.format(f"{size - begin:,} of {told.size:,} bytes are there")
        file.seek(begin + told.size)
        following = file.read(2 * _SLACK)
        behind = [following.find(mark) for mark in (b"Xing", b"Info")]
        if size - begin - told.size > _SLACK and max(behind) >= 0:
            return _TWICE
    there = mpeg_frames.frames(file, begin).number - 1
    if told.frames is not None and there > told.frames + _FEW_FRAMES:
        return f"holds {there:,} frames, its header says {told.frames:,}: the others would not be read"
    return ""


def _guessed(frames: mpeg_frames.Frames) -> str:
    """Without a header all frames are taken to be as large as the first."""
    if frames.number < 2 or abs(frames.size / frames.first_size - frames.number) <= _FEW_FRAMES:
        return ""
    return "has a variable bit rate and no header that tells its length, so that a part would not be read"


def _flac(file: BinaryIO, size: int) -> str:
    """Looks for a second beginning."""
    position = len(_FLAC)
    while position < size:
        file.seek(position)
        if _FLAC in file.read(_CHUNK + len(_FLAC)):
            return _TWICE
        position += _CHUNK
    return ""


def _wav(file: BinaryIO, size: int) -> str:
    """Looks for a second file behind the first."""
    file.seek(4)
    end = 8 + int.from_bytes(file.read(4), "little")
    file.seek(min(end, size))
    return _TWICE if file.read(4) == b"RIFF" else _chunks(file, size)


def _chunks(file: BinaryIO, size: int) -> str:
    """Compares the size of the samples with what is there."""
    samples = chunks.samples(file)
    if samples is None or not samples.length_known or size - samples.begin >= samples.promised - _SLACK // 8:
        return ""
    return _CUT.format(f"{max(0, size - samples.begin):,} of {samples.promised:,} bytes of samples are there")


def _sphere(file: BinaryIO, size: int) -> str:
    """Compares as above; what is compressed would be read as if it were samples."""
    if compressed := sphere.compression(file):
        return f"is SPHERE compressed as {compressed}, which is not read; decompress it by sph2pipe -f wav FILE NEW.wav"
    samples = sphere.samples(file)
    if samples is None or size - samples[0] >= samples[1] - _SLACK // 8:
        return ""
    return _CUT.format(f"{max(0, size - samples[0]):,} of {samples[1]:,} bytes of samples are there")


_FINDERS: Final[dict[bytes, Callable[[BinaryIO, int], str]]] = {
    b"OggS": _ogg,
    b"ID3": _mp3,
    b"\xff": _mp3,
    b"fLaC": _flac,
    **dict.fromkeys(chunks.SIGNATURES, _chunks),
    b"RIFF": _wav,
    b"NIST": _sphere,
}


def stream_size_at(file: BinaryIO) -> int | None:
    """Where a WAV file says that it has no data, though some follows: its writer could not go back to fill it in.

    None of a file that was closed in order: its header tells its size then, or as much as it holds.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(4)
    if _near(int.from_bytes(file.read(4), "little"), size):
        return None
    samples = chunks.samples(file)
    if samples is None or samples.promised not in UNKNOWN_SIZES or samples.begin >= size:
        return None
    return samples.size_at


def _near(told: int, size: int) -> bool:
    return size - 9 <= told <= size - 7  # a padding byte may be counted or not


class Overlaid(io.RawIOBase):
    """A file some bytes of which are read as others.

    Args:
        file: from which all else is read; closed with this one.
        begin: where the others stand.
        others: in place of as many.
    """

    def __init__(self, file: BinaryIO, begin: int, others: bytes) -> None:
        super().__init__()
        self._file, self._begin, self._others = file, begin, others

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As of any file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._file.tell()

    def read(self, size: int = -1, /) -> bytes:
        """As of any file."""
        position = self._file.tell()
        content = bytearray(self._file.read(size))
        for index, byte in enumerate(self._others, start=self._begin - position):
            if 0 <= index < len(content):
                content[index] = byte
        return bytes(content)

    def readinto(self, buffer: Any, /) -> int:
        """As of any file."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        """Close both."""
        self._file.close()
        super().close()
