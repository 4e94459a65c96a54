"""What an MP3 file says of its length, and its frames, counted by their headers without decoding them."""

from __future__ import annotations

import struct
from typing import BinaryIO, Final, NamedTuple

_KBIT_S: Final = {  # by version 1, and 2 or 2.5
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HZ: Final = (44_100, 48_000, 32_000)  # of version 1
_DIVISORS: Final = {3: 1, 2: 2, 0: 4}  # of the rates, by the bits of the version
_LAYER_3: Final = 1
_HAS_FRAMES: Final = 1  # flags of the first frame
_HAS_SIZE: Final = 2


class Frames(NamedTuple):
    """What follows one another from the first frame on."""

    number: int
    size: int  # bytes of all
    first_size: float  # bytes of the first, without padding; the mean, if the bit rate is constant


def frames(file: BinaryIO, begin: int) -> Frames:
    """Frames of layer 3 from the byte `begin` on, to the first place where none is; the last may be cut off."""
    position, count, first_size = begin, 0, 0.0
    while True:
        file.seek(position)
        sizes = _sizes(file.read(4))
        if sizes is None:
            return Frames(count, position - begin, first_size)
        count, first_size = count + 1, first_size or sizes[0]
        position += sizes[1]


def _sizes(head: bytes) -> tuple[float, int] | None:
    """Bytes of a frame, without padding and with it, by its header; None of what is no header."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return None
    divisor, layer = _DIVISORS.get(head[1] >> 3 & 3), head[1] >> 1 & 3
    rate, hz = head[2] >> 4, head[2] >> 2 & 3
    if divisor is None or layer != _LAYER_3 or rate in (0, 15) or hz == 3:
        return None
    samples = 1152 if divisor == 1 else 576
    size = samples / 8 * 1000 * _KBIT_S[divisor == 1][rate] / (_HZ[hz] / divisor)
    return size, int(size) + (head[2] >> 1 & 1)


class Promised(NamedTuple):
    """What an encoder writes into the first frame, which holds no sound; None: it does not say."""

    frames: int | None  # that follow
    size: int | None  # bytes from the first frame on


def promised(file: BinaryIO, begin: int) -> Promised | None:
    """What the first frame, at the byte `begin`, says of all; None: it is a frame like others."""
    file.seek(begin)
    frame = file.read(200)
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if at < 0 or len(frame) < at + 16:
        return None
    flags, first, second = struct.unpack_from(">3I", frame, at + 4)
    if flags & _HAS_FRAMES:
        return Promised(first, second if flags & _HAS_SIZE else None)
    return Promised(None, first if flags & _HAS_SIZE else None)


def first_frame(file: BinaryIO) -> int:
    """The byte behind all ID3 tags that a file begins with."""
    position = 0
    while True:
        file.seek(position)
        head = file.read(10)
        if len(head) < 10 or not head.startswith(b"ID3"):
            return position
        position += 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
