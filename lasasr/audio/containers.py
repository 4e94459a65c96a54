"""What is wrong with a file that its decoder does not say: a part is missing, or another recording follows.

Decoders read a cut MP3 or Ogg file to where it ends, and of two recordings in one file the first. Only headers are
looked at, and in FLAC files what a second one begins with.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

from lasasr.errors import LasasrError

WAY_OUT = "convert it anew from the original"
_CUT = "is cut off: {}"
_TWICE = "holds a second recording behind the first, which would not be read; split it"
_FLAC: Final = b"fLaC\x00\x00\x00\x22"  # the first block has 34 bytes, in every file
_PAGE: Final = 27  # bytes of an Ogg page before the table of its segments
_FIRST: Final = 2  # flag of the first page of a stream
_SLACK: Final = 2048  # bytes: more than a frame of an MP3 file
_CHUNK: Final = 1 << 20  # bytes searched at once
_MOST_CHUNKS: Final = 1000  # of a WAV file before its data
_STREAM: Final = 0x7F000000  # bytes: what writers of streams put in, for want of a size, is larger
UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF)  # of the data of a WAV stream


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
    """Walks from page to page."""
    position, begun = 0, False
    while position < size:
        file.seek(position)
        head = file.read(_PAGE)
        if not head.startswith(b"OggS") or len(head) < _PAGE:
            return _CUT.format("its last page is not whole") if b"OggS".startswith(head[:4]) else ""
        segments = file.read(head[26])
        if head[5] & _FIRST and begun:
            return _TWICE
        begun = begun or not head[5] & _FIRST
        position += _PAGE + head[26] + sum(segments)
        if len(segments) < head[26] or position > size:
            return _CUT.format("its last page is not whole")
    return ""


def _mp3(file: BinaryIO, size: int) -> str:
    """Compares the size that the encoder wrote into the first frame with what is there."""
    begin = _behind_id3(file)
    file.seek(begin)
    frame = file.read(200)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] < 0xE0 or at < 0 or len(frame) < at + 16:
        return ""
    flags, _, written = struct.unpack_from(">3I", frame, at + 4) if frame[at + 7] & 1 else (frame[at + 7], 0, 0)
    if not flags & 2:
        return ""
    if not flags & 1:
        (written,) = struct.unpack_from(">I", frame, at + 8)
    if size - begin < written - max(_SLACK, written // 50):
        return _CUT.format(f"{size - begin:,} of {written:,} bytes are there")
    file.seek(begin + written)
    following = file.read(2 * _SLACK)
    behind = [following.find(mark) for mark in (b"Xing", b"Info")]
    return _TWICE if size - begin - written > _SLACK and max(behind) >= 0 else ""


def _behind_id3(file: BinaryIO) -> int:
    position = 0
    while True:
        file.seek(position)
        head = file.read(10)
        if len(head) < 10 or not head.startswith(b"ID3"):
            return position
        position += 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


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
    """Compares the size of its data with what is there; streams have none, or the largest there is."""
    file.seek(4)
    end = 8 + int.from_bytes(file.read(4), "little")
    file.seek(min(end, size))
    if file.read(4) == b"RIFF":
        return _TWICE
    at, told = _data_size(file)
    if at is None or told == 0 or told >= _STREAM:
        return ""
    there = size - at - 4
    return _CUT.format(f"{there:,} of {told:,} bytes of samples are there") if there < told - _SLACK // 8 else ""


_FINDERS: Final[dict[bytes, Callable[[BinaryIO, int], str]]] = {
    b"OggS": _ogg,
    b"ID3": _mp3,
    b"\xff": _mp3,
    b"fLaC": _flac,
    b"RIFF": _wav,
}


def stream_size_at(file: BinaryIO) -> int | None:
    """Where a WAV file says that it has no data, though some follows: its writer could not go back to fill it in.

    None of a file that was closed in order: its header tells its size then, or as much as it holds.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(4)
    if _near(int.from_bytes(file.read(4), "little"), size):
        return None
    at, told = _data_size(file)
    return at if at is not None and told in UNKNOWN_SIZES and at + 4 < size else None


def _data_size(file: BinaryIO) -> tuple[int | None, int]:
    """Where a WAV file says how many bytes its samples have, and how many; None: nowhere."""
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None, 0
    position = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8:
            break
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data":
            return position + 4, length
        position += 8 + length + length % 2
    return None, 0


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
