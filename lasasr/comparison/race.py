"""A race of trained systems: its looks, taken from the results of their runs and kept in race.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from math import isnan
from typing import Any

from lasasr.artifacts.runs import Run
from lasasr.comparison.entries import find
from lasasr.comparison.grouping import SystemRuns, groups
from lasasr.errors import LasasrError
from lasasr.metrics.significance.comparison import Repeated
from lasasr.metrics.significance.mixed import variance_parts
from lasasr.metrics.significance.race import (
    Left,
    Pair,
    PairTest,
    RaceDesign,
    RaceState,
    race_p,
    take_look,
)
from lasasr.metrics.significance.scores import Scores, same_test_set, scores
from lasasr.metrics.significance.verdict import Rules, too_little


@dataclass
class Race:
    """A race between two looks.

    Attributes:
        content: of race.json.
        runs: of each system, by seed.
    """

    content: dict[str, Any]
    runs: Mapping[str, Sequence[Run]]

    @property
    def design(self) -> RaceDesign:
        """What was declared beforehand."""
        design = self.content["design"]
        return RaceDesign(tuple(design["looks"]), float(design["points"]), float(design["level"]))

    @property
    def rules(self) -> Rules:
        """Of the verdicts."""
        return Rules(level=self.design.level, trust_normal_seeds=bool(self.content["design"]["normal_seeds"]))

    @property
    def state(self) -> RaceState:
        """What the looks so far have shown."""
        levels = {(str(entry["worse"]), str(entry["better"])): float(entry["level"]) for entry in self.content["found"]}
        left = {name: Left(out["reason"], out["against"], out["look"]) for name, out in self.content["left"].items()}
        return RaceState(list(self.runs), levels, left)

    @property
    def planned(self) -> list[tuple[str, Run]]:
        """The runs until the next look, seed by seed; without those that are finished or have diverged."""
        if self.content["finished"]:
            return []
        seeds = self.design.looks[len(self.content["looks"])]
        racing = self.state.racing
        ordered = [(name, self.runs[name][number]) for number in range(seeds) for name in racing]
        return [(name, run) for name, run in ordered if run.status != "finished" and not diverged(run)]

    def hours(self) -> tuple[float, float | None]:
        """Spent on training so far, and of a run on average; None: none is finished."""
        trained = [run for runs in self.runs.values() for run in runs if run.status == "finished"]
        times = [run.card().train_s or 0.0 for run in trained]
        return sum(times) / 3600.0, sum(times) / len(times) / 3600.0 if times else None

    def check_speakers(self) -> None:
        """Refuse a test set that decides nothing as soon as one run has a result.

        Raises:
            LasasrError: it has too few speakers.
        """
        finished = [run for runs in self.runs.values() for run in runs if run.status == "finished"]
        if not finished:
            return
        lines = find([finished[0].folder], self.content["split"]).runs[0].lines
        speakers = len({line.get("speaker") or line["id"] for line in lines if line["reference"].strip()})
        obstacle = too_little("runs", speakers, (1, 1), self.rules)
        if obstacle is not None:
            raise LasasrError(f"no number of seeds decides this race: {obstacle}")

    def look(self) -> None:
        """Take the next look, and enter it.

        Raises:
            LasasrError: too few speakers can decide nothing; or the results cannot be compared.
        """
        number, state = len(self.content["looks"]), self.state
        seeds = self.design.looks[number]
        scored = self._scores(state.racing, seeds)
        rates = {name: of.percent for name, of in scored.items()}
        tests = {
            (first, second): _test(scored[first], scored[second], self.rules)
            for first, second in combinations(scored, 2)
        }
        take_look(self.design, state, number, rates, tests)
        self.content["looks"].append(
            {
                "seeds": seeds,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "rates": rates,
                "tests": [
                    {"first": first, "second": second, "points": test.points, "p": test.p}
                    for (first, second), test in tests.items()
                ],
                "lost": {
                    name: lost
                    for name in self.runs
                    if (lost := [index + 1 for index, run in enumerate(self.runs[name][:seeds]) if diverged(run)])
                },
            }
        )
        self.content["found"] = [
            {"worse": worse, "better": better, "level": level} for (worse, better), level in state.levels.items()
        ]
        self.content["left"] = {name: out._asdict() for name, out in state.left.items()}
        self.content["finished"] = len(state.racing) < 2 or number + 1 == len(self.design.looks)

    def _scores(self, racing: Sequence[str], seeds: int) -> dict[str, Scores]:
        """Of each system that has a result, in the order of the systems."""
        owners = {
            run.folder.resolve(): name for name in racing for run in self.runs[name][:seeds] if run.status == "finished"
        }
        self.check_speakers()
        if not owners:
            raise LasasrError("every run of the race has diverged; nothing can be said about the systems")
        selection = find(list(owners), self.content["split"])
        self.content["split"] = selection.split
        systems = {
            owners[group.runs[0].folder.resolve()]: group for group in groups(selection)[0] if group.runs[0].folder
        }
        scored = {name: scores(systems[name].system(aligned=False)) for name in racing if name in systems}
        first = next(iter(scored))
        for name in scored:
            same_test_set(first, systems[first].system(False).runs[0], name, systems[name].system(False).runs[0])
        return scored


def diverged(run: Run) -> bool:
    """Whether training said that it left the numbers, so that there is no result."""
    return run.status == "unfinished" and bool(run.card().diverged)


def _test(first: Scores, second: Scores, rules: Rules) -> PairTest:
    points = first.percent - second.percent
    if min(len(first.errors), len(second.errors)) < 2:
        return PairTest(points, None, None)
    parts = variance_parts([first.speaker_errors, second.speaker_errors], first.speaker_lengths, (1.0, -1.0))
    p = float(race_p(parts))
    seeds = len(first.errors), len(second.errors)
    decides = too_little("systems", first.heard_speakers, seeds, rules) is None and not isnan(p)
    return PairTest(points, p if decides else None, parts)


def repeated(race: Race, systems: Sequence[SystemRuns]) -> Repeated:
    """p of the race for the systems of a comparison of its sweep."""
    owner = {run.folder.resolve(): name for name, runs in race.runs.items() for run in runs}
    names = {
        owner[run.folder.resolve()]: system.name
        for system in systems
        for run in system.runs
        if run.folder is not None and run.folder.resolve() in owner
    }
    adjusted: Mapping[Pair, float] = race.state.adjusted()
    p = {
        frozenset((names[a], names[b])): min(value, adjusted[b, a])
        for (a, b), value in adjusted.items()
        if a in names and b in names
    }
    return Repeated(p, max(1, len(race.content["looks"])))


def words(race: Race) -> list[str]:
    """What came of it so far, in sentences, the most important first."""
    state, looks = race.state, race.content["looks"]
    if not looks:
        return ["No look has been taken yet."]
    rates: dict[str, float] = {}
    for look in looks:
        rates |= look["rates"]
    racing = [name for name in state.racing if name in rates] or list(rates)
    best = min(racing, key=lambda name: rates[name])
    seeds = looks[-1]["seeds"]
    sentences = [f"Lowest error rate: {best}, {rates[best]:.2f} % ({seeds} seeds)."]
    out = sorted(state.left.items(), key=lambda item: (item[1].look, item[0]))
    adjusted = state.adjusted()
    for name, left in out:
        at = f"after {looks[left.look]['seeds']} seeds"
        if left.reason == "worse":
            p = next(value for pair, value in adjusted.items() if pair == (name, left.against))
            sentences.append(f"{name} is worse than {left.against}, p = {p:.3g}, {at}.")
        elif left.reason == "no difference":
            sentences.append(
                f"{name} left {at}: a difference of {race.design.points:g} points to {left.against} "
                f"would hardly be shown by {race.design.looks[-1]} seeds. That is not the same as equal."
            )
        else:
            sentences.append(f"{name} left {at}: none of its seeds has a result.")
    waiting = [name for name in state.racing if name != best]
    if waiting:
        sentences.append(f"Still in the race with {best}: {', '.join(waiting)}.")
    lost = {name: seeds for look in looks for name, seeds in look["lost"].items()}
    if lost:
        listed = ", ".join(f"{name} seed {seed}" for name, seeds in lost.items() for seed in seeds)
        sentences.append(f"Diverged, so without a result: {listed}.")
    run_count, fixed = spent(race)
    sentences.append(f"{run_count} runs were trained; {race.design.looks[-1]} seeds of every system are {fixed}.")
    return sentences


def spent(race: Race) -> tuple[int, int]:
    """Runs that were trained to their end, be it that they diverged, and those of the fixed design."""
    trained = sum(run.status == "finished" or diverged(run) for runs in race.runs.values() for run in runs)
    return trained, len(race.runs) * race.design.looks[-1]


def notes(race: Race) -> list[str]:
    """What a comparison of its sweep must say."""
    design = race.design
    run_count, fixed = spent(race)
    return [
        f"this was a race with up to {design.looks[-1]} seeds and a relevant difference of {design.points:g} points: "
        f"{len(race.content['looks'])} looks, {run_count} of {fixed} runs"
        + ("" if race.content["finished"] else ", not finished"),
        "p about the systems is that of the race, adjusted for all its looks and systems; p about the runs is "
        "multiplied by the number of looks; intervals are those of single looks",
    ]
