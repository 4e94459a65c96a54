"""The header of NIST SPHERE files: how long they are, and whether they are compressed, which no decoder here can read.

Lines of text in the first 1024 bytes (or as many as the second line says): a name, a type (`-i`, `-r`, `-s5`), a value.
"""

from __future__ import annotations

from contextlib import suppress
from typing import BinaryIO, Final

SIGNATURE: Final = b"NIST_1A"
_MOST_HEADER_BYTES: Final = 1 << 16
_BYTES: Final = ("sample_count", "channel_count", "sample_n_bytes")  # whose product the samples take


def compression(file: BinaryIO) -> str:
    """How the samples are compressed, as `embedded-shorten-v2.00`; empty where they are not."""
    coding, _, compressed = _fields(file).get("sample_coding", "").partition(",")
    return compressed or (coding if "shorten" in coding else "")


def samples(file: BinaryIO) -> tuple[int, int] | None:
    """(bytes before the samples, bytes of them); None where the header does not tell."""
    fields = _fields(file)
    with suppress(KeyError, ValueError):
        count, channels, bytes_each = (int(fields[name]) for name in _BYTES)
        return int(fields[""]), count * channels * bytes_each
    return None


def _fields(file: BinaryIO) -> dict[str, str]:
    """Name → value; of the name "" the size of the header."""
    file.seek(0)
    lines = file.read(_MOST_HEADER_BYTES).partition(b"\nend_head")[0].decode("latin-1").split("\n")
    values = {words[0]: words[2] for line in lines[2:] if len(words := line.split(None, 2)) == 3}
    return values | {"": lines[1].strip() if len(lines) > 1 else ""}
