"""What may stand on a disk after a power cut: a model of the worst that POSIX allows, fed by the calls of a test.

The content of a file is safe when it was flushed after it was written, the name of a file when its folder was flushed
after it got that name. Anything else may be as it was before, or as it is now; content that was not flushed is lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

LOST = b"<lost>"  # a file whose content never reached the disk


class Disk:
    """A folder whose content is safe when the model begins.

    Args:
        root: the folder.
        watch: called after every call that changes what is safe.
    """

    def __init__(self, root: Path, watch: Callable[[Disk], None] = lambda disk: None) -> None:
        self.root, self.watch = root, watch
        self.contents: dict[int, bytes] = {}  # inode → what is safe of it
        self.names: dict[int, dict[str, int]] = {}  # inode of a folder → name → inode, as far as they are safe
        self._held: list[int] = []  # descriptors, so that no inode is used again
        for path in (root, *root.rglob("*")):
            self._flushed(os.open(path, os.O_RDONLY))

    def possible(self, path: Path) -> set[bytes | None]:
        """What `path` may hold after a power cut; None: it is not there."""
        folder, found = self.root, set[bytes | None]()
        for name in path.relative_to(self.root).parts[:-1]:
            if name not in self._safe(folder):
                found.add(None)
            folder /= name
        safe = self._safe(folder).get(path.name) if folder.exists() else None
        now = path.stat().st_ino if path.exists() else None
        return found | {None if inode is None else self.contents.get(inode, LOST) for inode in (safe, now)}

    def _safe(self, folder: Path) -> dict[str, int]:
        return self.names.get(folder.stat().st_ino, {}) if folder.exists() else {}

    def _flushed(self, descriptor: int) -> None:
        self._held.append(descriptor)
        inode, place = os.fstat(descriptor).st_ino, Path(f"/proc/self/fd/{descriptor}")
        if place.is_dir():
            self.names[inode] = {path.name: path.lstat().st_ino for path in place.iterdir()}
        else:
            self.contents[inode] = place.read_bytes()

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in self._held:
            os.close(descriptor)

    def fsync(self, descriptor: int) -> None:
        """Take the place of `os.fsync`."""
        self._flushed(os.dup(descriptor))
        self.watch(self)

    def after(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, then a look at what is possible now."""

        def called(*arguments: Any, **options: Any) -> Any:
            result = call(*arguments, **options)
            self.watch(self)
            return result

        return called


@contextmanager
def power_cuts(root: Path, watch: Callable[[Disk], None] = lambda disk: None) -> Iterator[Disk]:
    """Follow what is written below `root`."""
    disk = Disk(root, watch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", disk.fsync)
        for name in ("replace", "rename", "unlink", "link"):
            patch.setattr(os, name, disk.after(getattr(os, name)))
        try:
            yield disk
        finally:
            disk.close()
