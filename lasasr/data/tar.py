"""Audio inside the tar files of Lhotse Shar: its position is read once, then it is read from there without unpacking.

A shard holds, utterance by utterance, `<id>.<format>` with the audio and `<id>.json` with the Lhotse recording.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from lasasr.artifacts.files import open_regular, parse_json
from lasasr.data import mirror
from lasasr.errors import LasasrError

KIND: Final = "shar"  # type of such a source in a Lhotse recording
_BLOCK: Final = tarfile.BLOCKSIZE  # bytes of a header, which is right before what it describes
_AGAIN: Final = "copy or make the shard again"
_MOST_BYTES: Final = 1 << 20  # of a header or a description; the audio itself is not read with them


class Member(NamedTuple):
    """One audio file inside a tar file."""

    tar: Path
    offset: int  # of its first byte
    size: int  # bytes

    @classmethod
    def at(cls, source: str) -> Member:
        """From what `source` made.

        Raises:
            LasasrError: it is something else.
        """
        tar, _, span = source.rpartition("?")
        try:
            offset, size = map(int, span.split("+"))
        except ValueError:
            raise LasasrError(f"{source!r} is no place in a tar file; prepare the corpus again") from None
        return cls(Path(tar), offset, size)

    @property
    def source(self) -> str:
        """As a manifest names it."""
        return f"{self.tar}?{self.offset}+{self.size}"

    def __str__(self) -> str:
        return f"{self.tar} (byte {self.offset})"

    def content(self) -> bytes:
        """What it holds.

        Raises:
            LasasrError: the tar file is missing, ends before, or holds something else at this position.
        """
        try:
            with mirror.opened(self.tar) as file:
                file.seek(self.offset - _BLOCK)
                header = file.read(_BLOCK)
                size = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape").size
                # as much as there is: to read more would take the memory first
                content = file.read(min(self.size, os.fstat(file.fileno()).st_size)) if size == self.size >= 0 else b""
        except FileNotFoundError:
            raise LasasrError(f"{self.tar} is missing") from None
        except (OSError, tarfile.HeaderError) as error:
            raise LasasrError(f"{self} cannot be read ({error}); {_AGAIN}") from None
        if size != self.size or len(content) != self.size:
            fault = f"has {size} bytes" if size != self.size else f"ends after {len(content)}"
            raise LasasrError(f"{self} {fault} instead of {self.size}; {_AGAIN}")
        return content


def shard_of(cut: Mapping[str, Any]) -> Path | None:
    """The tar file that the audio of a cut, as a plain value, lies in; None where it lies elsewhere."""
    sources = (cut.get("recording") or {}).get("sources", [])
    if len(sources) != 1 or sources[0].get("type") != KIND:
        return None
    return Member.at(str(sources[0]["source"])).tar


class Entry(NamedTuple):
    """One utterance of a shard."""

    id: str
    audio: Member | None  # None where the cut had no recording
    recording: dict[str, Any] | None  # Lhotse's, without the position of its audio


def entries(tar: Path) -> Iterator[Entry]:
    """The utterances of a shard in their order; of the audio only the headers are read.

    Raises:
        LasasrError: the shard is missing, damaged or not as Lhotse writes them.
    """
    try:
        with _Headers(open_regular(tar)) as file, tarfile.open(fileobj=file, mode="r:") as opened:
            while (audio := opened.next()) is not None:
                yield _entry(tar, opened, audio)
                opened.members.clear()  # type: ignore[attr-defined]  # it would keep them all
    except (OSError, tarfile.TarError, ValueError) as error:
        raise LasasrError(f"shard {tar} cannot be read ({error}); {_AGAIN}") from None


class _Headers(io.BufferedReader):
    """A tar file of which nothing large is read at once, whatever its headers say."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)  # type: ignore[arg-type]

    def read(self, size: int | None = -1, /) -> bytes:
        """As the base class.

        Raises:
            tarfile.ReadError: that is more than `_MOST_BYTES`.
        """
        if size is None or not 0 <= size <= _MOST_BYTES:
            raise tarfile.ReadError(f"a header or description of {size} bytes")
        return super().read(size)


def _entry(tar: Path, opened: tarfile.TarFile, audio: tarfile.TarInfo) -> Entry:
    name, _, kind = audio.name.rpartition(".")
    described = opened.next()
    if described is None or described.name.rpartition(".")[0] != name:
        raise LasasrError(f"shard {tar} has no description behind {audio.name}; {_AGAIN}")
    for member in (audio, described):
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise LasasrError(f"shard {tar}: {member.name} is a link, a device or the like, not a file; {_AGAIN}")
    if described.size > _MOST_BYTES:
        raise LasasrError(f"shard {tar}: {described.name} describes no recording in {described.size} bytes")
    if kind == "nodata":
        return Entry(name, None, None)
    read = opened.extractfile(described)
    recording = parse_json(read.read()) if read is not None else None
    sources = recording.get("sources") if isinstance(recording, dict) else None
    if not isinstance(recording, dict) or not isinstance(sources, list) or len(sources) != 1:
        raise LasasrError(f"shard {tar}: {described.name} describes no recording")
    return Entry(name, Member(tar, audio.offset_data, audio.size), recording)
