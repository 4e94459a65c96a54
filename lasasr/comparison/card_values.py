"""Of what kind the values of a published card are, where tables read them: anyone may have written it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lasasr.configuration import typed
from lasasr.errors import LasasrError

Number = int | float


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Its ends, which are null where there is none."""

    low: Number | None = None
    high: Number | None = None
    method: str = ""


@dataclass(frozen=True, kw_only=True)
class System:
    """A row of the table."""

    name: str
    percent: Number
    attend: str | None = None
    seeds: Sequence[str] = ()
    percents: Mapping[str, Number] | None = None
    seed_sd: Number | None = None
    intervals: Mapping[str, Interval] | None = None
    diverged: Sequence[str] = ()
    young: Sequence[str] = ()
    lost: Sequence[str] = ()
    percent_converged: Number | None = None
    errors: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_length: int = 0
    cer_percent: Number | None = None
    raw_percent: Number | None = None
    parameters: Number | None = None
    steps: Number | None = None
    train_s: Number | None = None
    step_s: Number | None = None
    rtf: Number | None = None
    decode_s: Number | None = None
    peak_memory_mib: Number | None = None
    aligned_at_step: Mapping[str, Number | None] | None = None
    watched: bool = False
    alignment: Mapping[str, str | Number | None] | None = None
    flags: Mapping[str, int] | None = None
    own: Mapping[str, Mapping[str, str | Number | None]] | None = None
    search_words: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the data say of a difference."""

    interval: Interval
    df: Number | None = None
    p: Number | None = None
    p_holm: Number | None = None
    detectable_points: Number | None = None
    needed: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class SeedSpread:
    """What seeds add to the variance of a difference."""

    variance: Number
    residual: Number
    df: Number
    runs: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class Variance:
    """The parts of the variance of a difference, of which plans are made."""

    speakers: Number
    speakers_df: Number
    seeds: SeedSpread | None = None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A difference of two systems."""

    first: str
    second: str
    points: Number
    verdict: str
    why: str = ""
    verdict_of_runs: str
    why_of_runs: str = ""
    systems: Answer | None = None
    runs: Answer | None = None
    superiority: Number | None = None
    variance: Variance | None = None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The parts of a card of which tables are made."""

    systems: Sequence[System]
    pairs: Sequence[Pair]


def refuse_others(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse a card with a value of another kind.

    Raises:
        LasasrError: names file, key and value.
    """
    try:
        typed.read(Rows, content)
    except typed.KindError as error:
        raise LasasrError(f"{path} is damaged: {error}; compare the runs again") from None
