"""The recognizers that the page shows side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lasasr.artifacts import run_paths
from lasasr.errors import UsageError
from lasasr.models.recognizer import Recognizer

MOST: int = 6  # columns that can be read


class System(NamedTuple):
    """A recognizer and what it is called on the page."""

    name: str
    recognizer: Recognizer


def load(named: Sequence[str], device: str) -> list[System]:
    """The recognizers of runs and bundles.

    Raises:
        LasasrError: one is neither, or damaged.
        UsageError: one is named twice, or they are too many.
    """
    if len(named) > MOST:
        raise UsageError(f"{len(named)} runs are named, and the page has place for {MOST}")
    folders = [run_paths.bundle_folder(text) for text in named]
    for number, folder in enumerate(folders):
        if folder.resolve() in [other.resolve() for other in folders[:number]]:
            raise UsageError(f"{named[number]} is named twice")
    recognizers = [Recognizer.load(folder, device) for folder in folders]
    return [System(*pair) for pair in zip(names(folders), recognizers, strict=True)]


def names(folders: Sequence[Path]) -> list[str]:
    """What tells bundles apart: as few of the last folders of their paths as do, that of a run's bundle left out."""
    paths = [folder.resolve() for folder in folders]
    parts = [(path.parent if path.name == "bundle" else path).parts for path in paths]
    kept = [1] * len(parts)
    while True:
        shown = ["/".join(path[-count:]) for path, count in zip(parts, kept, strict=True)]
        double = [number for number, name in enumerate(shown) if shown.count(name) > 1 and kept[number] < 20]
        if not double:
            return shown
        for number in double:
            kept[number] += 1
