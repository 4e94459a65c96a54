"""The input of a comparison: systems, the runs of each (one per seed), and the errors of every utterance as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.errors import LasasrError
from lasasr.metrics.error_rates import AlignedPair, count
from lasasr.metrics.significance.mapsswe import ReferenceSlots, slots

HOPELESS = 100.0  # percent, from which on silence would do as well
LOST = 50.0  # percent, from which on a run is suspected to have learned nothing ...
TIMES = 2.0  # ... if its rate is also more than so many times that of the system's best run
DIVERGED = (
    f"a seed has diverged if its training said so, if its error rate is {HOPELESS:.0f} % or more (silence would do as "
    f"well), or if it is {LOST:.0f} % or more and more than {TIMES:.0f} times that of the same system's best seed; a "
    f"seed with such a rate whose dev curve was still falling when its training ended is young instead"
)


class Utterance(NamedTuple):
    """The errors of one run on one utterance."""

    errors: int  # S + D + I
    reference_length: int  # words, characters or phones
    speaker: str  # the id of the utterance where speakers are unknown
    pairs: tuple[AlignedPair, ...] = ()  # its alignment (`error_rates.align`), for MAPSSWE only


@dataclass(frozen=True)
class Run:
    """One seed of a system, decoded on the test set."""

    name: str  # its seed
    utterances: Mapping[str, Utterance]  # by id
    broken: bool = False  # training itself reported that it diverged
    falling: bool = False  # its dev curve was still falling when training ended

    @cached_property
    def slots(self) -> dict[str, ReferenceSlots]:
        """Of the alignment of every utterance, by id, for MAPSSWE."""
        return {key: slots(utterance.pairs) for key, utterance in self.utterances.items()}


@dataclass(frozen=True)
class System:
    """A variant: runs that differ by their seed only."""

    name: str
    runs: tuple[Run, ...]
    lost: tuple[str, ...] = ()  # seeds that gave no result at all; counted as diverged


@dataclass(frozen=True, eq=False)
class Scores:
    """One system's errors. M runs, U utterances sorted by id, N speakers sorted by name."""

    name: str
    run_names: tuple[str, ...]
    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    speaker_of: NDArray[np.int64]  # (U,) index into speakers
    lengths: NDArray[np.int64]  # (U,) reference lengths
    errors: NDArray[np.int64]  # (M, U)

    @cached_property
    def percents(self) -> NDArray[np.float64]:
        """(M,) pooled error rate of each run, 100 · Σ errors / Σ lengths."""
        rates: NDArray[np.float64] = 100.0 * self.errors.sum(1) / self.lengths.sum()
        return rates

    @cached_property
    def percent(self) -> float:
        """The mean of the runs' pooled rates."""
        return float(self.percents.mean())

    @cached_property
    def speaker_lengths(self) -> NDArray[np.int64]:
        """(N,) reference length of each speaker."""
        return np.bincount(self.speaker_of, self.lengths, minlength=len(self.speakers)).astype(np.int64)

    @cached_property
    def heard_speakers(self) -> int:
        """How many speakers have reference units: the others are no evidence of how speakers differ."""
        return int((self.speaker_lengths > 0).sum())

    @cached_property
    def speaker_errors(self) -> NDArray[np.int64]:
        """(M, N) errors of each run on each speaker."""
        rows = [np.bincount(self.speaker_of, row, minlength=len(self.speakers)) for row in self.errors]
        return np.array(rows).astype(np.int64)


def scores(system: System) -> Scores:
    """The arrays of `system`.

    Raises:
        LasasrError: no run, a seed twice, no utterance, nothing to recognise, or runs that differ in ids, reference
            lengths or speakers.
    """
    if not system.runs:
        raise LasasrError(f"{system.name} has no run with a result; nothing can be said about it")
    names = tuple(run.name for run in system.runs)
    if len(set(names)) < len(names):
        raise LasasrError(f"{system.name} has seed {_twice(names)} twice; give each seed once")
    for run in system.runs:
        _check(f"{system.name}, seed {run.name}", run)
        same_test_set(f"{system.name}, seed {names[0]}", system.runs[0], f"{system.name}, seed {run.name}", run)
    ids = tuple(sorted(system.runs[0].utterances))
    rows = [system.runs[0].utterances[key] for key in ids]
    speakers, speaker_of = np.unique([utterance.speaker for utterance in rows], return_inverse=True)
    return Scores(
        name=system.name,
        run_names=names,
        ids=ids,
        speakers=tuple(speakers.tolist()),
        speaker_of=speaker_of,
        lengths=np.array([utterance.reference_length for utterance in rows], dtype=np.int64),
        errors=np.array([[run.utterances[key].errors for key in ids] for run in system.runs], dtype=np.int64),
    )


def same_test_set(first_name: str, first: Run, second_name: str, second: Run) -> None:
    """Refuse runs that cannot be paired.

    Raises:
        LasasrError: other ids; or an utterance whose reference (its length, or its words where alignments are given) or
            speaker differs.
    """
    different = sorted(first.utterances.keys() ^ second.utterances.keys())
    if different:
        raise LasasrError(
            f"{first_name} and {second_name} were not decoded on the same utterances: {len(different)} are in one only "
            f"({different[0]}, ...); evaluate both on the same split"
        )
    for key, left in first.utterances.items():
        right = second.utterances[key]
        if left[1:3] != right[1:3] or (left.pairs and right.pairs and reference(left) != reference(right)):
            raise LasasrError(
                f"utterance {key} has another reference or speaker in {second_name} than in {first_name}; "
                f"evaluate both with the same corpus, normalizer and metric"
            )


def reference(utterance: Utterance) -> list[str]:
    """The reference words of an alignment."""
    return [pair.reference for pair in utterance.pairs if pair.reference is not None]


def diverged(system: System) -> tuple[str, ...]:
    """The seeds that have diverged, as `DIVERGED` says in words, those without a result among them."""
    poor = _poor(system)
    seeds = [run.name for run in system.runs if run.broken or (run.name in poor and not run.falling)]
    return (*seeds, *system.lost)


def young(system: System) -> tuple[str, ...]:
    """The seeds whose rate is that of a diverged one, but whose dev curve was still falling when training ended."""
    poor = _poor(system)
    return tuple(run.name for run in system.runs if run.name in poor and run.falling and not run.broken)


def _poor(system: System) -> set[str]:
    rates = {run.name: _percent(run) for run in system.runs}
    best = min(rates.values(), default=0.0)
    return {name for name, rate in rates.items() if rate >= HOPELESS or (rate >= LOST and rate > TIMES * best)}


def _percent(run: Run) -> float:
    length = sum(utterance.reference_length for utterance in run.utterances.values())
    return 100.0 * sum(utterance.errors for utterance in run.utterances.values()) / max(1, length)


def _check(name: str, run: Run) -> None:
    if not any(utterance.reference_length for utterance in run.utterances.values()):
        raise LasasrError(f"{name}: the references hold nothing to recognise, so that there is no error rate")
    for key, utterance in run.utterances.items():
        if utterance.errors < 0 or utterance.reference_length < 0:
            raise ValueError(f"errors and reference_length must not be negative, got {utterance[:2]} for {key}")
        if (
            utterance.pairs
            and (count(utterance.pairs).errors, count(utterance.pairs).reference_length) != utterance[:2]
        ):
            raise ValueError(f"pairs and counts of {key} disagree: {count(utterance.pairs)} but {utterance[:2]}")


def _twice(names: tuple[str, ...]) -> str:
    return next(name for index, name in enumerate(names) if name in names[:index])
