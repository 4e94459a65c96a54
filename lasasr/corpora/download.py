"""Archives from the web: fetched so that a broken-off download goes on, checked, and unpacked whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from lasasr.artifacts.temporary import flush_file, flush_folder, flush_tree, folder_beside
from lasasr.corpora.base import Progress
from lasasr.errors import LasasrError, UsageError

_BLOCK: Final = 1 << 20
_MB: Final = 1_000_000
_TRIES: Final = 5  # in a row that bring nothing
_TIMEOUT_S: Final = 60
PAUSE_S = 1.0  # before the first try again; it grows with every one
_BROKEN = (OSError, http.client.HTTPException)  # urllib's URLError is an OSError


class Archive(NamedTuple):
    """A file on the web."""

    url: str
    md5: str | None  # None: not known
    size: int | None = None  # bytes; None: not known beforehand


def fetch(archive: Archive, path: Path, progress: Progress) -> None:
    """Download to `path`, whole and checked; nothing is done when `path` is there.

    What has come so far lies in `<path>.part`, and the next call goes on behind it.

    Raises:
        UsageError: the address is not one of the web.
        LasasrError: it cannot be reached, breaks off, does not fit the disk, or is not the file that it should be.
    """
    if not archive.url.startswith(("https://", "http://")):
        raise UsageError(f"{archive.url} is no address that begins with https:// or http://")
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    _check_space(archive, path.parent)
    _complete(archive, part, progress)
    _check(archive, part, progress)
    flush_file(part)
    part.replace(path)
    flush_folder(path.parent)


def _check_space(archive: Archive, folder: Path) -> None:
    wanted = 2 * (archive.size or 0)  # the archive and what is unpacked from it
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise LasasrError(f"{archive.url} needs {wanted // _MB:,} MB in {folder}, which has {free // _MB:,} MB free")


def _complete(archive: Archive, part: Path, progress: Progress) -> None:
    tries = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        if archive.size is not None and before >= archive.size:
            return
        try:
            if _append(archive, part, before, progress):
                return
            reason = "the connection broke off"
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # nothing is behind what has come
            if error.code < 500:
                raise LasasrError(f"{archive.url} cannot be downloaded: {error.code} {error.reason}") from None
            reason = f"{error.code} {error.reason}"
        except _BROKEN as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        done = part.stat().st_size if part.exists() else 0
        tries = tries + 1 if done <= before else 0
        if tries == _TRIES:
            kept = f"; {done:,} bytes are kept, and the same command goes on behind them" if done else ""
            raise LasasrError(f"{archive.url} cannot be downloaded ({reason}){kept}")
        time.sleep(tries * PAUSE_S)


def _append(archive: Archive, part: Path, have: int, progress: Progress) -> bool:
    """Read what is missing; whether all of it came."""
    request = urllib.request.Request(archive.url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # the server supports no ranges: all of it comes again
        length = answer.headers.get("Content-Length")
        total = archive.size or (have + int(length) if length else None)
        with part.open("ab" if have else "wb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)
                have += len(block)
                progress(f"downloading {part.stem} (MB)", have // _MB, (total or have) // _MB)
    return total is None or have >= total


def _check(archive: Archive, part: Path, progress: Progress) -> None:
    """Compare size and MD5; a wrong file is deleted, because to go on behind it would not mend it.

    Raises:
        LasasrError: they differ.
    """
    size, digest, done = part.stat().st_size, hashlib.md5(usedforsecurity=False), 0
    with part.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            progress(f"checking {part.stem} (MB)", done // _MB, size // _MB)
    received, wanted = (size, digest.hexdigest()), (archive.size or size, archive.md5 or digest.hexdigest())
    if received != wanted:
        part.unlink()
        raise LasasrError(
            f"{archive.url} brought {received[0]:,} bytes with MD5 {received[1]}, not {wanted[0]:,} with {wanted[1]}; "
            "it is deleted: run the command again, or download it by hand"
        )


def unpack(path: Path, take: Callable[[Path], None], progress: Progress) -> None:
    """Unpack a tar archive into a temporary folder beside it, call `take` with it, and clean up.

    Only plain files and folders are unpacked, and only to below that folder.

    Raises:
        LasasrError: the archive is damaged, or holds a link, a device or a path that leads out of it.
    """
    progress(f"unpacking {path.name}", 0, 1)
    try:
        with folder_beside(path) as folder:
            with tarfile.open(path) as archive:
                archive.extractall(folder, filter=_plain)
            flush_tree(folder)
            take(folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise LasasrError(f"{path} cannot be unpacked ({error}); delete it and run the command again") from None
    progress(f"unpacking {path.name}", 1, 1)


def _plain(member: tarfile.TarInfo, folder: Any) -> tarfile.TarInfo:
    if not (member.isfile() or member.isdir()):
        raise tarfile.SpecialFileError(member)
    return tarfile.data_filter(member, str(folder))
