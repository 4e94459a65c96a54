"""Shards of an address, fetched when they are read and, where room is limited, deleted when others need it.

FOLDER/mirror.json                  the address, the room, and of every recording its bytes and MD5
FOLDER/<split>/recording.*.tar      those that are here

All processes of a machine share the folder. One at a time fetches and deletes, under a lock; the others read on: a file
that is deleted while it is open stays readable until it is closed (POSIX).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import BinaryIO, Final

from lasasr.artifacts.files import locked, open_regular, read_json, write_json
from lasasr.data import remote
from lasasr.errors import LasasrError

_FILE: Final = "mirror.json"
GB: Final = 1_000_000_000
_TARS: Final = "*/recording*.tar"
_BROKEN_OFF: Final = "*/.recording*.tmp"  # left by a process that was killed


def establish(folder: Path, address: str, files: Mapping[str, tuple[int, str]], room_gb: float | None) -> None:
    """Make `folder` the mirror of `address`; what is in it stays.

    Args:
        files: <split>/<name> → bytes and MD5.
        room_gb: of 10^9 bytes, for all shards together; None: as much as there is.
    """
    content = {
        "address": address,
        "room_gb": room_gb,
        "files": {name: list(size_and_md5) for name, size_and_md5 in files.items()},
    }
    if not (folder / _FILE).exists() or read_json(folder / _FILE) != content:
        write_json(folder / _FILE, content)
    _is_mirrored.cache_clear()


@lru_cache
def _is_mirrored(folder: Path) -> bool:
    return (folder / _FILE).is_file()


def is_mirrored(split: Path) -> bool:
    """Whether the folder of a split is in a mirror."""
    return _is_mirrored(split.parent)


def listed(shard: Path) -> tuple[int, str] | None:
    """Bytes and MD5 of a shard of a mirror, whether it is here or not; None where it is of none."""
    if not is_mirrored(shard.parent):
        return None
    entry = read_json(shard.parent.parent / _FILE)["files"].get(f"{shard.parent.name}/{shard.name}")
    return None if entry is None else (entry[0], entry[1])


def opened(shard: Path) -> BinaryIO:
    """A shard to read from, fetched before where it is of a mirror and not here.

    Raises:
        OSError: it is of no mirror and cannot be opened.
        LasasrError: it cannot be fetched, or is no regular file.
    """
    if not is_mirrored(shard.parent):
        return open_regular(shard)
    try:
        file = open_regular(shard)
    except FileNotFoundError:
        return _fetched(shard)
    _note_use(file)
    return file


def _note_use(file: BinaryIO) -> None:
    """Deleted first is what was used least recently."""
    now = time.time_ns()  # the file system's own clock ticks too seldom
    with suppress(PermissionError):  # of another user, who then deletes too
        os.utime(file.fileno(), ns=(now, now))


def fetch_soon(shard: Path) -> None:
    """Fetch in the background what will be read; a failure is reported when it is read."""
    if is_mirrored(shard.parent) and not shard.exists():
        Thread(target=_try_to_fetch, args=(shard,), daemon=True).start()


def _try_to_fetch(shard: Path) -> None:
    try:
        _fetched(shard).close()
    except (LasasrError, OSError):
        return


def _fetched(shard: Path) -> BinaryIO:
    folder, name = shard.parent.parent, f"{shard.parent.name}/{shard.name}"
    with locked(folder / ".lock", lambda: None):
        if not shard.exists():  # else another process was first
            content = read_json(folder / _FILE)
            if name not in content["files"]:
                raise LasasrError(f"{shard} is missing")
            size, md5 = content["files"][name]
            for broken_off in folder.glob(_BROKEN_OFF):
                broken_off.unlink()
            if content["room_gb"] is not None:
                _make_room(folder, content["room_gb"] * GB - size)
            remote.fetch(f"{content['address']}/{name}", shard, size, md5)
        file = open_regular(shard)
        _note_use(file)
        return file


def _make_room(folder: Path, most: float) -> None:
    """Delete the shards that were not used for longest until the others take `most` bytes at most."""
    shards = sorted(
        (status.st_mtime_ns, status.st_size, path) for path in folder.glob(_TARS) for status in [path.stat()]
    )
    total = sum(size for _, size, _ in shards)
    for _, size, path in shards:
        if total <= most:
            return
        path.unlink()
        total -= size
