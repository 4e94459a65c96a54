"""Where the samples of WAV, RF64, W64, AIFF, CAF and AU files begin, and how many bytes of them the header promises."""

from __future__ import annotations

from typing import BinaryIO, Final, Literal, NamedTuple

_MOST: Final = 1000  # chunks before the samples
_STREAM: Final = {4: 0x7F000000, 8: 1 << 62}  # bytes of a size → writers of streams put in as much, or more


class Samples(NamedTuple):
    """The part of a file that holds its samples."""

    begin: int  # bytes before them
    promised: int  # bytes of them, by the header
    size_at: int  # where the header says so
    size_bytes: int  # and in how many bytes

    @property
    def length_known(self) -> bool:
        """Whether `promised` is a length: writers that cannot go back put in 0, or the largest number."""
        return 0 < self.promised < _STREAM[self.size_bytes]


class _Layout(NamedTuple):
    """How a format lists its chunks, each a name, a size and as many bytes."""

    begin: int  # of the first chunk
    order: Literal["little", "big"]
    name_bytes: int
    size_bytes: int
    name: bytes  # how the name of the chunk of samples begins
    from_name: bool = False  # the size includes name and size
    multiple: int = 1  # chunks begin at multiples of so many bytes


_WAV: Final = _Layout(12, "little", 4, 4, b"data", multiple=2)
_LAYOUTS: Final = {  # by the first four bytes
    b"RIFF": _WAV,
    b"RF64": _WAV,
    b"FORM": _Layout(12, "big", 4, 4, b"SSND", multiple=2),
    b"caff": _Layout(8, "big", 4, 8, b"data"),
    b"riff": _Layout(40, "little", 16, 8, b"data", from_name=True, multiple=8),  # W64
}
SIGNATURES: Final = (*_LAYOUTS, b".snd")


def samples(file: BinaryIO) -> Samples | None:
    """What the header of a file says of its samples; None where it does not, or the format is another."""
    file.seek(0)
    head = file.read(40)
    if head.startswith(b".snd"):
        begin, promised = (int.from_bytes(head[at : at + 4], "big") for at in (4, 8))
        return Samples(begin, promised, 8, 4)
    layout = _LAYOUTS.get(head[:4])
    if layout is None or (layout is _WAV and head[8:12] != b"WAVE"):
        return None
    listed = _listed(file, layout)
    if listed is None or head[:4] != b"RF64" or listed.promised != 0xFFFFFFFF or head[12:16] != b"ds64":
        return listed
    return Samples(listed.begin, int.from_bytes(head[28:36], "little"), 28, 8)


def _listed(file: BinaryIO, layout: _Layout) -> Samples | None:
    """The chunk of samples, walked to from the first one."""
    position, head_bytes = layout.begin, layout.name_bytes + layout.size_bytes
    for _ in range(_MOST):
        file.seek(position)
        head = file.read(head_bytes)
        if len(head) < head_bytes:
            return None
        promised = int.from_bytes(head[layout.name_bytes :], layout.order)
        if layout.from_name:
            promised -= head_bytes
        if head.startswith(layout.name):
            return Samples(position + head_bytes, promised, position + layout.name_bytes, layout.size_bytes)
        if not 0 <= promised < _STREAM[8]:
            return None
        position += head_bytes + promised
        position += -position % layout.multiple
    return None
