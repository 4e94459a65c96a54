"""Utterances whose audio cannot be used: all of a split are tried before it is refused, or they are skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from lasasr.artifacts import files
from lasasr.data.digests import split_of
from lasasr.errors import LasasrError

SCHEMA: Final = 1
_READERS: Final = 8  # threads that read audio files
_NAMED: Final = 10  # faulty utterances that a message names, beside the first
Item = TypeVar("Item")
Result = TypeVar("Result")


class AudioFaultsError(LasasrError):
    """The audio of some utterances of a split cannot be used.

    Args:
        split: its name.
        faults: utterance id → what is wrong, one line that names the file.
        way_out: ends the message.
    """

    def __init__(self, split: str, faults: Mapping[str, str], way_out: str = "") -> None:
        self.split, self.faults = split, dict(faults)
        first, *others = faults
        listed = ", ".join(others[:_NAMED]) + (", ..." if len(others) > _NAMED else "")
        more = f"; {len(others)} more of {split} are faulty: {listed}" if others else ""
        super().__init__(f"{faults[first]}{more}{way_out}")


def skippable(
    manifest: Path, items: Iterable[Item], id_of: Callable[[Item], str], make: Callable[[Item], Result], skip: bool
) -> Iterator[Result]:
    """What `make` makes of each item, in their order, several at once, without those of which it raises.

    Args:
        manifest: of the split. Beside it the skipped ones are noted.
        id_of: the id of the utterance.
        skip: leave out what is faulty; else it is refused when all have been tried.

    Raises:
        AudioFaultsError: some are faulty and `skip` is false, or all are.
    """
    listed = list(items)

    def tried(item: Item) -> Result | LasasrError:
        try:
            return make(item)
        except LasasrError as error:
            return error

    faults: dict[str, str] = {}
    with ThreadPoolExecutor(_READERS) as readers:
        for item, result in zip(listed, readers.map(tried, listed), strict=True):
            if isinstance(result, LasasrError):
                faults[id_of(item)] = str(result)
            else:
                yield result
    if faults and (not skip or len(faults) == len(listed)):
        raise AudioFaultsError(
            split_of(manifest), faults, "" if skip else "; corpus.skip_unreadable=true leaves them out"
        )
    note_skipped(manifest, faults)


def note_skipped(manifest: Path, faults: Mapping[str, str]) -> None:
    """Write down what is left out of a split, or that nothing is."""
    path = skipped_beside(manifest)
    if faults:
        files.write_json(path, {"schema": SCHEMA, "skipped": dict(faults)})
    else:
        path.unlink(missing_ok=True)


def skipped_beside(manifest: Path) -> Path:
    """The file that says what was left out of a manifest; missing where nothing was."""
    return manifest.with_name(f"{split_of(manifest)}.skipped.json")


def skipped(manifest: Path) -> dict[str, str]:
    """Utterance id → why it was left out when the manifest was written.

    Raises:
        LasasrError: the file that says it is damaged.
    """
    path = skipped_beside(manifest)
    if not path.exists():
        return {}
    try:
        return {str(name): str(fault) for name, fault in files.read_json(path)["skipped"].items()}
    except (LasasrError, KeyError, TypeError, AttributeError) as error:
        raise LasasrError(f"{path} is damaged ({error!r}); delete it and {manifest}, and prepare again") from None
