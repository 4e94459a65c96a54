"""Groups runs that differ by their seed only into systems, with notes on what limits their comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from lasasr.comparison.comparable import refuse
from lasasr.comparison.conditions import condition_notes
from lasasr.comparison.encoders import alignment_notes
from lasasr.comparison.entries import DecodedRun, RunSelection
from lasasr.comparison.seed_order import seed_order
from lasasr.comparison.settings import CUT, differing, names, numbered
from lasasr.comparison.sources import MissingRun
from lasasr.errors import UsageError
from lasasr.metrics.error_rates import units
from lasasr.metrics.significance import scores


@dataclass(frozen=True)
class SystemRuns:
    """One system: its runs."""

    name: str
    runs: tuple[DecodedRun, ...]  # one per seed
    missing: tuple[MissingRun, ...] = ()  # seeds of it that have no result

    def system(self, aligned: bool = True) -> scores.System:
        """The input of the statistics; `aligned`: with the alignments that MAPSSWE needs."""
        lost = tuple(run.seed for run in self.missing if run.status == "diverged")
        return scores.System(self.name, tuple(_run(run, aligned) for run in self.runs), lost)


def groups(
    selection: RunSelection, any_search: bool = False, any_corpus: bool = False, renormalized: bool = False
) -> tuple[list[SystemRuns], list[str]]:
    """The systems in order of appearance, their runs by seed, and notes on what limits their comparison.

    Args:
        any_search: runs decoded by different searches may be compared.
        any_corpus: runs on corpora that are configured differently may be compared.
        renormalized: all texts will be normalised once more, and references compared then.

    Raises:
        LasasrError: the runs cannot be compared; names them and the way out.
        UsageError: a run is given twice, or two systems have one name.
    """
    notes = [
        *refuse(selection.runs, any_search, any_corpus, renormalized),
        *_partly_unknown_speakers(selection.runs[0]),
    ]
    gathered: dict[str, list[DecodedRun]] = {}
    for run in selection.runs:
        gathered.setdefault(f"={run.system}" if run.system else run.settings.identity, []).append(run)
    if len(gathered) == 1 and len(selection.runs) > 1 and len({run.seed for run in selection.runs}) == 1:
        copies = _copies(selection.runs)
        return copies, [*notes, _copies_note(selection.runs), *_conditions(copies)]
    for runs in gathered.values():
        _refuse_twice(runs)
        runs.sort(key=lambda run: seed_order(run.seed))  # numbers do not depend on the order of the command line
    named = _names([runs[0] for runs in gathered.values()])
    notes += [note for runs in gathered.values() if runs[0].system for note in _unlike(runs)]
    notes += alignment_notes((name, runs[0]) for name, runs in zip(named, gathered.values(), strict=True))
    systems = [SystemRuns(name, tuple(runs)) for name, runs in zip(named, gathered.values(), strict=True)]
    notes += [note for system in systems for note in copied_seeds(system)]
    notes += _conditions(systems)
    if any(name.endswith(CUT) for name in named):
        notes.append(f"long names are cut ({CUT}); NAME=RUN,RUN gives a system a name of your own")
    return [_with_missing(system, selection.missing) for system in systems], notes


def _conditions(systems: Sequence[SystemRuns]) -> list[str]:
    return condition_notes([(system.name, system.runs) for system in systems])


def _partly_unknown_speakers(run: DecodedRun) -> list[str]:
    """A note where only some utterances have a speaker; where none has, the sentences of a comparison say it."""
    unknown = sum(not line.get("speaker") for line in run.lines)
    if not 0 < unknown < len(run.lines):
        return []
    return [
        f"the speaker of {unknown:,} of the {len(run.lines):,} utterances is not known, so each of them counts as a "
        f"speaker of its own: where a speaker says several, intervals are too narrow and p too small"
    ]


def _names(first_runs: Sequence[DecodedRun]) -> list[str]:
    """Of systems by one run of each: the name given, else by the settings that differ."""
    unnamed = [run.settings for run in first_runs if run.system is None]
    by_settings = iter(names(unnamed) if unnamed else ())
    named = [run.system or next(by_settings) for run in first_runs]
    refuse_one_name(named)
    return named


def refuse_one_name(named: Sequence[str]) -> None:
    """Refuse systems of one name.

    Raises:
        UsageError: a name stands twice.
    """
    for index, name in enumerate(named):
        if name in named[:index]:
            raise UsageError(f"two systems are called {name}; give each a name of its own")


def _unlike(runs: Sequence[DecodedRun]) -> list[str]:
    """A note where runs that were named as one system differ by more than their seed."""
    keys = differing([run.settings.normal for run in runs])
    if not keys:
        return []
    listed = ", ".join(keys[:4]) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")
    return [f"the runs of {runs[0].system} were named as one system; beside their seed they differ in {listed}"]


def copied_seeds(system: SystemRuns) -> list[str]:
    """A note where seeds have the same texts, errors and all, and so may be copies."""
    alike: dict[tuple[int, ...], list[DecodedRun]] = {}
    for run in system.runs:
        counts = tuple(int(run.summary[key]) for key in ("substitutions", "deletions", "insertions"))
        if any(counts):
            alike.setdefault(counts, []).append(run)
    pairs = [(first, second) for runs in alike.values() for first, second in combinations(runs, 2)]
    copies = [f"{first.seed} and {second.seed}" for first, second in pairs if _texts(first) == _texts(second)]
    if not copies:
        return []
    return [
        f"seeds of {system.name} have the same hypotheses ({', '.join(copies)}): if they are copies of one run, leave "
        f"all but one out, for copies make intervals too narrow"
    ]


def _run(run: DecodedRun, aligned: bool) -> scores.Run:
    metric = run.summary["metric"]
    utterances = {
        line["id"]: scores.Utterance(
            errors=line["substitutions"] + line["deletions"] + line["insertions"],
            reference_length=len(units(line["reference"], metric)),
            speaker=line.get("speaker") or line["id"],
            pairs=run.alignments[line["id"]] if aligned else (),
        )
        for line in run.lines
    }
    return scores.Run(run.seed, utterances, broken=bool(run.card.diverged), falling=still_falling(run))


def still_falling(run: DecodedRun) -> bool:
    """Whether the dev error rate, or the dev loss where that rate never moved, was lower than ever when training ended.

    A rate above that of silence says no more than that one: what a model babbles before it has learnt anything goes up
    and down. A value that is not finite stands in no card, so that where the last one is missing nothing was falling.
    A rate that only comes to where it was before does not fall. A single validation shows no trend, and a run that has
    no more is young. Without any nothing is known: False.
    """
    validations = run.card.validations
    if len(validations) == 1:
        return True
    for key, most in ((run.summary["metric"], scores.HOPELESS), ("loss", math.inf)):
        values = [min(validation[key], most) for validation in validations if key in validation]
        if len(set(values)) > 1:
            return key in validations[-1] and bool(values[-1] < min(values[:-1]))
    return False


def _copies(runs: Sequence[DecodedRun]) -> list[SystemRuns]:
    """A run and itself, or copies of it: each a system, by the name of its folder."""
    named = [run.name for run in runs]
    unlike = [numbered(name, named[:index].count(name)) for index, name in enumerate(named)]
    return [SystemRuns(name, (run,)) for name, run in zip(unlike, runs, strict=True)]


def _copies_note(runs: Sequence[DecodedRun]) -> str:
    same = all(_texts(run) == _texts(runs[0]) for run in runs)
    if same:
        return "these runs have the same configuration, seed and hypotheses: they are copies of one run"
    return "these runs have the same configuration and seed, but not the same hypotheses"


def _texts(run: DecodedRun) -> list[tuple[str, str]]:
    return sorted((line["id"], line["hypothesis"]) for line in run.lines)


def _refuse_twice(runs: Sequence[DecodedRun]) -> None:
    seen: dict[str, DecodedRun] = {}
    for run in runs:
        if (other := seen.setdefault(run.seed, run)) is not run:
            system = run.system or "one configuration"
            told = (other.name, run.name) if other.name != run.name else (str(other.folder), str(run.folder))
            raise UsageError(
                f"seed {run.seed} of {system} is given twice ({' and '.join(dict.fromkeys(told))}); give each run once"
            )


def _with_missing(group: SystemRuns, missing: Sequence[MissingRun]) -> SystemRuns:
    """Add the unfinished runs of the same configuration, the search apart (it may have been chosen at evaluation)."""

    def trained(values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if not key.startswith("search.")}

    own = trained(group.runs[0].settings.normal)
    mine = [run for run in missing if run.settings is not None and trained(run.settings.normal) == own]
    mine.sort(key=lambda run: seed_order(run.seed))
    return replace(group, missing=tuple(mine))
