"""Bundles of the Hugging Face hub: fetched by its own library, checked by their digests."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from lasasr.artifacts import files
from lasasr.errors import LasasrError, UsageError, looked_up

SUMS = "SHA256SUMS"
_AGAIN = "fetch or export the bundle again"
# what a bundle consists of; nothing else is fetched, code least of all
PATTERNS = ("config.yaml", "*.safetensors", "tokenizer.json", "*.model", "calibration.json", SUMS, "lm-*", "scorer-*")
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def fetch(name: str, revision: str | None = None, local_files_only: bool = False) -> Path:
    """The folder of a bundle: `name` itself where it is one, else what the hub has of that name.

    Raises:
        LasasrError: there is none, huggingface_hub is not installed, or the hub cannot be reached.
        UsageError: a revision of a folder.
    """
    if Path(name).is_dir():
        if revision is not None:
            raise UsageError(f"revision={revision} is of the hub, but {name} is a folder")
        return Path(name)
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise LasasrError(f"{name} is neither a folder nor a name of the hub (user/model){looked_up(name)}")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise LasasrError(
            f"{name} is no folder, and the hub needs huggingface_hub: pip install 'lasasr[hub]'{looked_up(name)}"
        ) from None
    try:
        patterns = list(PATTERNS)
        folder = snapshot_download(name, revision=revision, allow_patterns=patterns, local_files_only=local_files_only)
    except Exception as error:  # of the hub's library, and of the network below it
        where = "what was downloaded before" if local_files_only else "the hub"
        reason = " ".join(str(error).split())[:200]
        raise LasasrError(
            f"{name} is no folder, and cannot be had of {where} ({type(error).__name__}: {reason}){looked_up(name)}"
        ) from None
    return Path(folder)


def check_digests(folder: Path) -> None:
    """Compare a bundle with its SHA256SUMS, where it has one.

    Raises:
        LasasrError: a file is missing, differs, or is not listed.
    """
    if not (folder / SUMS).is_file():
        return
    listed: dict[str, str] = {}
    for line in files.read_bounded(folder / SUMS).decode(errors="replace").splitlines():
        expected, _, name = line.partition("  ")
        listed[name] = expected
    there = {path.relative_to(folder).as_posix(): path for path in _bundled(folder)}
    if missing := sorted(listed.keys() - there.keys()):
        raise LasasrError(f"{folder}: {missing[0]}, which {SUMS} lists, is missing; {_AGAIN}")
    if unlisted := sorted(there.keys() - listed.keys()):
        raise LasasrError(f"{folder}: {SUMS} does not list {unlisted[0]}: remove it, or {_AGAIN}")
    for name, path in there.items():
        if digest(path) != listed[name]:
            raise LasasrError(
                f"{path} has another sha256 than {folder / SUMS} says: it was changed, or not all of it came; {_AGAIN}"
            )


def write_digests(folder: Path) -> None:
    """Write SHA256SUMS: the files of the bundle in `folder`."""
    lines = [f"{digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in _bundled(folder)]
    files.write_text(folder / SUMS, "".join(lines))


def refuse_odd_name(name: str) -> None:
    """Refuse what the hub takes for no name.

    Raises:
        UsageError: it is not of the kind user/model.
    """
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise UsageError(f"{name!r} is no name of the hub: write user/model, of letters, digits and . _ -")


def digest(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bundled(folder: Path) -> list[Path]:
    """The files of a bundle that are read when it is loaded."""
    found = {path for pattern in PATTERNS for path in folder.glob(pattern)}
    inner = {path for place in found if place.is_dir() for path in place.rglob("*")}
    return sorted(path for path in found | inner if path.is_file() and path.name != SUMS)
