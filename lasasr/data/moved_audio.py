"""Audio that is not where a manifest says: because the prepared folder was moved, or because the corpus was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lasasr.data import digests
from lasasr.data.manifest import cut_lines


def explained(manifest: Path, cut: bytes) -> str | None:
    """Why the audio of a cut is missing, with the way out; None where all its files are there, or will be fetched.

    Args:
        cut: of the manifest, as JSON.
    """
    plain, folder = json.loads(cut), manifest.parent
    absent = [] if digests.is_fetched(plain) else _absent(digests.sources(plain))
    if not absent:
        return None
    if before := _before(folder, absent[0]):
        return (
            f"{absent[0]} is missing: {folder} was moved from {before}, which its manifests name; move it back, or run "
            f"lasasr prepare, which prepares it anew"
        )
    return (
        f"{absent[0]} is missing; put it back, or delete {folder} and run lasasr prepare, with the corpus's new place "
        f"if it was moved"
    )


def moved_from(manifest: Path) -> Path | None:
    """Where the folder of a manifest lay when that was written, if its audio was moved with it; None: it was not."""
    for cut in cut_lines(manifest):
        absent = [] if digests.is_fetched(cut) else _absent(digests.sources(cut))
        return _before(manifest.parent, absent[0]) if absent else None
    return None


def _absent(sources: Sequence[str]) -> list[Path]:
    """The files of `digests.sources` that do not exist: a place in a tar file is in that."""
    files = [Path(source) if _exists(source) else Path(source.rpartition("?")[0] or source) for source in sources]
    return [file for file in files if not _exists(file)]


def _before(folder: Path, audio: Path) -> Path | None:
    """Of a missing file that lies in `folder` now, the folder in which it lay."""
    for number in range(1, len(audio.parts)):
        if _exists(folder.joinpath(*audio.parts[number:])):
            return Path(*audio.parts[:number])
    return None


def _exists(path: str | Path) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # a name that is too long, or none
        return False
