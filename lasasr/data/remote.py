"""Files of object storage or the web, through fsspec's library for their address: s3://, gs://, https://...

Endpoints and credentials are those libraries' business: environment variables, their own files, or fsspec's.
"""

from __future__ import annotations

import errno
import hashlib
import time
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from fsspec.callbacks import Callback
from fsspec.core import url_to_fs

from lasasr.artifacts.files import MOST_BYTES, replacing
from lasasr.errors import LasasrError

TRIES: Final = 5
PAUSE_S = 1.0  # before the second try; twice as long before each further one
_SILENCE_S: Final = 60  # of a web server
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_MAY_PASS: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


def fetch(url: str, path: Path, size: int | None = None, md5: str | None = None) -> None:
    """Bring a file to `path`: whole, with this size and MD5 where they are set, or not at all.

    One of unknown size may have `files.MOST_BYTES`.

    A transfer that breaks off or brings another file is begun again, `TRIES` times in all.

    Raises:
        LasasrError: there is no library for such an address; the file is not there, not readable by this user, or not
            as it should be; the disk is full.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            with replacing(path) as temporary:
                _transfer(url, temporary, (size or 0) + MOST_BYTES)  # a little more is reported with its size
                _check(temporary, size, md5)
            return
        except Exception as error:  # of libraries unknown, which raise whatever they like
            if _is_final(error) or not tries_left:
                raise LasasrError(f"{url} cannot be fetched: {_reason(error, path)}") from None
        time.sleep(PAUSE_S * 2 ** (TRIES - 1 - tries_left))


def _transfer(url: str, path: Path, most: int) -> None:
    system, remote_path = url_to_fs(url, **(_web_options() if url.startswith(("http:", "https:")) else {}))
    system.get_file(remote_path, str(path), callback=_AtMost(most))


class _AtMost(Callback):  # type: ignore[misc]
    """Ends a transfer that brings more than it should, before it fills the disk."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def call(self, hook_name: str | None = None, **kwargs: Any) -> None:
        if self.value > self._most:
            raise _OtherFileError(f"it brings more than {self._most:,} bytes")


def _web_options() -> dict[str, Any]:
    """By itself aiohttp gives a file five minutes, and unpacks what a server calls packed, as some do with any .gz."""
    from aiohttp import ClientTimeout  # takes long to import, and few need it

    timeout = ClientTimeout(total=None, sock_connect=_SILENCE_S, sock_read=_SILENCE_S)
    return {"client_kwargs": {"timeout": timeout, "auto_decompress": False}}


def _check(path: Path, size: int | None, md5: str | None) -> None:
    bytes_there = path.stat().st_size
    if size not in (None, bytes_there):
        raise _OtherFileError(f"it brought {bytes_there:,} bytes instead of {size:,}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
    if md5 not in (None, digest):
        raise _OtherFileError(f"it brought {bytes_there:,} bytes with MD5 {digest} instead of {md5}")


class _OtherFileError(Exception):
    """The file that was fetched is not the requested one."""


def _is_final(error: Exception) -> bool:
    """Whether another try would fail in the same way."""
    status = getattr(error, "status", getattr(error, "code", None))  # of a web server, of Google
    if isinstance(status, int):
        return 400 <= status < 500 and status not in _MAY_PASS
    unknown = isinstance(error, ValueError) and "rotocol" in str(error)
    return unknown or isinstance(error, ImportError | FileNotFoundError | PermissionError) or _is_full(error)


def _is_full(error: Exception) -> bool:
    return getattr(error, "errno", None) in _FULL


def _reason(error: Exception, path: Path) -> str:
    if _is_full(error):
        return f"the disk of {path.parent} is full; free some, or set corpus.cache_gb or another corpus.cache_dir"
    if isinstance(error, FileNotFoundError):
        return "it is not there"
    message = " ".join(str(error).split())[:300] or type(error).__name__
    if isinstance(error, _OtherFileError):
        return f"{message}; if the shards there are new ones, delete {path.parent.parent}"
    return message
