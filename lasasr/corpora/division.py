"""Train, dev and test out of one list of utterances: whole speakers, drawn by a seed."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lasasr.corpora.rows import Row
from lasasr.errors import UsageError

KINDS: Final = ("speaker", "utterance")
OPTIONS: Final = ("split_by", "split_seed", "held_out")


@dataclass(frozen=True)
class Division:
    """How a list of utterances is divided; see `divide`.

    Args:
        by: "speaker": no speaker is in two splits; "utterance": each utterance alone, whoever speaks.
        seed: another one draws others.
        held_out: share of the utterances that each of dev and test gets, about, in (0, 0.5).

    Raises:
        UsageError: a value is none of these.
    """

    by: str = "speaker"
    seed: int = 1
    held_out: float = 0.1

    def __post_init__(self) -> None:
        if self.by not in KINDS:
            raise UsageError(f"corpus.split_by={self.by}: write speaker or utterance")
        if not 0.0 < self.held_out < 0.5:
            raise UsageError(f"corpus.held_out={self.held_out:g}: a share of the utterances between 0 and 0.5")

    def identity(self) -> dict[str, Any]:
        """What decides which utterance is where."""
        return {"split_by": self.by, "split_seed": self.seed, "held_out": self.held_out}


def divide(rows: Sequence[Row], missing: Sequence[str], division: Division, subject: str) -> dict[str, list[Row]]:
    """Take the `missing` splits out of `rows`; what remains is train. The order of the rows stays.

    The speakers stand in the order of a hash of seed and name, so that new speakers move no others. Each missing split
    takes those that fit into its share, at least one, and leaves at least one speaker to train.

    Args:
        missing: "test", "dev" or both.
        subject: where the rows come from, for messages.

    Raises:
        UsageError: speakers are unknown, or too few.
    """
    keys = [row.speaker if division.by == "speaker" else row.id for row in rows]
    ways_out = "corpus.dev and corpus.test name lists of their own"
    if None in keys:
        nameless = next(row.id for row in rows if row.speaker is None)
        raise UsageError(
            f"corpus.dev is not set, and {subject} cannot be divided by speaker: that of {nameless} is unknown. Name "
            f"speakers, or corpus.split_by=utterance (dev then holds voices of train), or {ways_out}"
        )
    sizes = Counter(str(key) for key in keys)
    if len(sizes) <= len(missing):
        raise UsageError(
            f"corpus.dev is not set, and {subject} has {len(sizes)} {division.by}{'s' * (len(sizes) != 1)}, too few "
            f"for train and {' and '.join(missing)}: corpus.split_by=utterance divides the utterances of one voice, or "
            f"{ways_out}"
        )
    split_of = _drawn(sizes, missing, division)
    parts: dict[str, list[Row]] = {"train": [], **{split: [] for split in sorted(missing)}}
    for key, row in zip(keys, rows, strict=True):
        parts[split_of.get(str(key), "train")].append(row)
    return parts


def _drawn(sizes: Mapping[str, int], missing: Sequence[str], division: Division) -> dict[str, str]:
    """Speaker → the split other than train that it goes to."""
    order = sorted(sizes, key=lambda name: hashlib.sha256(f"{division.seed} {name}".encode()).hexdigest())
    most = max(1, math.ceil(division.held_out * sum(sizes.values())))
    split_of: dict[str, str] = {}
    for number, split in enumerate(missing, start=1):
        still_needed = len(missing) - number + 1  # a speaker for each later split, and one for train
        left = [name for name in order if name not in split_of]
        taken = 0
        for name in left:
            if taken + sizes[name] <= most and len(sizes) - len(split_of) > still_needed:
                split_of[name], taken = split, taken + sizes[name]
        if not taken:
            split_of[min(left, key=lambda name: sizes[name])] = split
    return split_of


def described(parts: Mapping[str, Sequence[Row]], division: Division, subject: str) -> str:
    """One line: what was divided, how, and what came of it."""

    def part(split: str, rows: Sequence[Row]) -> str:
        speakers = list(dict.fromkeys(row.speaker for row in rows if row.speaker))
        shown = f" of {', '.join(speakers) if 0 < len(speakers) <= 3 else f'{len(speakers)} speakers'}"
        return f"{split} {len(rows)}{shown if speakers else ''}"

    splits = ", ".join(part(split, rows) for split, rows in parts.items())
    voices = "; dev and test hold voices of train" if division.by == "utterance" else ""
    return f"{subject} is divided by {division.by} (corpus.split_seed={division.seed}): utterances in {splits}{voices}"
