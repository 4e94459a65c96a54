"""`lasasr race`: seeds are trained look by look, and systems dropped, until it is known which is best."""

from __future__ import annotations

import functools
import sys
from argparse import Namespace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasasr.cli.arguments import Parser, add_recipe
from lasasr.errors import Interrupted, LasasrError, UsageError
from lasasr.remaining import duration

if TYPE_CHECKING:
    from lasasr.artifacts.sweeps import Sweep
    from lasasr.comparison.race import Race

EPILOG = """\
examples:
  lasasr race synthetic/hard_char attend=dot,location,gmm --difference 1.0 --most-seeds 8
  lasasr race my/recipe.yaml attend=dot,gmm --difference 0.5 --most-seeds 12 --hours 6
  lasasr race --resume runs/synthetic/hard_char/sweep-...     go on where it stopped
  lasasr compare runs/synthetic/hard_char/sweep-...           its page; p stays that of the race

The seeds are 1, 2, ...; every system gets 4 before the first look, then one more at each look, as long as it may still
be told from the best. docs/statistics.md says how often a race is wrong."""


def run(arguments: list[str]) -> int:
    """Race, or go on."""
    parser = Parser("race", "Train seeds where they decide, and drop what is shown to be worse.", EPILOG)
    add_recipe(parser, optional=True)
    parser.add_argument("--difference", metavar="POINTS", type=float, help="of the error rate that is relevant")
    parser.add_argument("--most-seeds", metavar="N", type=int, help="of a system")
    parser.add_argument("--hours", type=float, help="of training in all; without it until the race is decided")
    parser.add_argument("--normal-seeds", action="store_true", help="take seeds as normal: looks from 2 seeds on")
    parser.add_argument("--split", help="that decides (default: test, or the only one)")
    parser.add_argument("--resume", metavar="SWEEP", type=Path, help="go on where it stopped")
    parser.add_argument("--fresh", action="store_true", help="race again beside the runs that are there")
    options = parser.read(arguments)
    _check(options)

    from lasasr.cli import show

    if show.is_requested(options):
        return show.show(options)
    folder, race = _resumed(options) if options.resume is not None else _begun(options)
    return _run(folder, race, options.hours)


def _check(options: Namespace) -> None:
    """Refuse options that do not go together."""
    if (options.recipe is None) == (options.resume is None):
        raise UsageError("race takes a RECIPE, or --resume SWEEP (lasasr race --help)")
    if options.hours is not None and not (options.hours > 0.0 and isfinite(options.hours)):
        raise UsageError(f"--hours must be above 0, got {options.hours:g}")
    if options.resume is not None:
        for name in ("difference", "most_seeds", "normal_seeds", "split", "fresh"):
            if getattr(options, name) not in (None, False):
                raise UsageError(f"--{name.replace('_', '-')} was declared when the race began and cannot change")
        return
    if options.difference is None or options.most_seeds is None:
        raise UsageError("race needs --difference POINTS and --most-seeds N, declared before the first run")
    if not (options.difference > 0.0 and isfinite(options.difference)):
        raise UsageError(f"--difference must be above 0, got {options.difference:g}")
    least = 2 if options.normal_seeds else 4
    if not least <= options.most_seeds <= 100:
        way_out = "" if options.normal_seeds else "; fewer than 4 decide nothing unless --normal-seeds"
        raise UsageError(f"--most-seeds must be {least} to 100, got {options.most_seeds}{way_out}")
    for override in options.overrides:
        key = override.lstrip("+~").partition("=")[0]
        if key == "seed":
            raise UsageError(f"{override}: a race chooses the seeds; leave it out and say --most-seeds")
        if key.startswith("hydra"):
            raise UsageError(f"{override} has no effect on a race: its runs are trained here, one after the other")


def _begun(options: Namespace) -> tuple[Path, Race]:
    """The race that the command line describes, begun now or before."""
    from lasasr.artifacts import race_file, sweeps
    from lasasr.cli.sweep import planned_sweep
    from lasasr.cli.train import loaded
    from lasasr.comparison.race import Race
    from lasasr.metrics.significance.race import look_seeds
    from lasasr.metrics.significance.verdict import Rules, least_seeds

    seeds = ",".join(str(seed) for seed in range(1, options.most_seeds + 1))
    sweep = planned_sweep(options.recipe, [*options.overrides, f"seed={seeds}"], options.fresh, loaded)
    systems = _systems(sweep)
    if len(systems) < 2:
        raise UsageError("a race needs at least two systems: attend=dot,location, or other values of any key")
    rules = Rules(trust_normal_seeds=options.normal_seeds)
    design = {
        "looks": list(look_seeds(least_seeds(rules), options.most_seeds)),
        "points": options.difference,
        "level": rules.level,
        "normal_seeds": options.normal_seeds,
    }
    if not options.fresh and (earlier := _earlier(sweep)) is not None:
        _refuse_other(earlier, sweep, design, options.split)
        return earlier, stored_race(earlier)
    content = {
        "recipe": sweep.recipe,
        "overrides": sweep.overrides,
        "design": design,
        "systems": systems,
        "split": options.split,
        "looks": [],
        "found": [],
        "left": {},
        "finished": False,
    }
    sweeps.write(sweep)
    race_file.write(sweep.folder, content)
    return sweep.folder, Race(content, _runs(sweep, systems))


def _systems(sweep: Sweep) -> dict[str, list[int]]:
    """The jobs of each system, by seed, under the name of what is swept."""
    own = [[override for override in job.overrides if not override.startswith("seed=")] for job in sweep.jobs]
    shared = set.intersection(*map(set, own)) if own else set()
    systems: dict[str, list[int]] = {}
    for number, overrides in enumerate(own):
        name = " ".join(override for override in overrides if override not in shared)
        systems.setdefault(name, []).append(number)
    return {
        name: sorted(jobs, key=lambda number: int(sweep.jobs[number].config["seed"])) for name, jobs in systems.items()
    }


def _runs(sweep: Sweep, systems: dict[str, list[int]]) -> dict[str, list[Any]]:
    if sorted(number for jobs in systems.values() for number in jobs) != list(range(len(sweep.jobs))):
        raise LasasrError(f"{sweep.folder} is damaged: race.json and sweep.json have other jobs; begin it with --fresh")
    return {name: [sweep.jobs[number].run for number in jobs] for name, jobs in systems.items()}


def _earlier(sweep: Sweep) -> Path | None:
    """The newest race by the same words, where no --fresh has begun another one since."""
    from lasasr.artifacts import race_file

    folders = [path.parent for path in sweep.folder.parent.glob(f"sweep-*/{race_file.FILE}")]
    alike = [folder for folder in folders if race_file.read(folder)["overrides"] == sweep.overrides]
    return max(alike, key=lambda folder: (folder / race_file.FILE).stat().st_mtime, default=None)


def _refuse_other(folder: Path, sweep: Sweep, design: dict[str, Any], split: str | None) -> None:
    """Refuse to go on with a race that was declared otherwise, or whose recipe was edited since.

    Raises:
        LasasrError: names what differs and the way out.
    """
    from lasasr.artifacts import race_file, sweeps
    from lasasr.configuration import identity

    way_out = f"go on as it was declared with lasasr race --resume {folder}, or begin another one with --fresh"
    content = race_file.read(folder)
    if changed := [key for key in design if design[key] != content["design"].get(key)]:
        raise LasasrError(f"the race in {folder} was declared with other {', '.join(changed)}; {way_out}")
    if split not in (None, content["split"]):
        raise LasasrError(f"the race in {folder} is decided on {content['split'] or 'the default split'}; {way_out}")
    for before, now in zip(sweeps.read(folder).jobs, sweep.jobs, strict=True):
        keys = identity.differing(identity.normal_form(before.config), identity.normal_form(now.config))
        if keys:
            raise LasasrError(f"{sweep.recipe} has changed since the race in {folder} began ({keys[0]}); {way_out}")


def _resumed(options: Namespace) -> tuple[Path, Race]:
    from lasasr.artifacts import sweeps
    from lasasr.cli import sweep_plan

    race = stored_race(options.resume)
    for job in sweeps.read(options.resume).jobs:
        sweep_plan.refuse_elsewhere(job.config, options.resume)
    return options.resume, race


def stored_race(folder: Path) -> Race:
    """The race in the folder of a sweep.

    Raises:
        LasasrError: there is none, or it is damaged.
    """
    from lasasr.artifacts import race_file, sweeps
    from lasasr.comparison.race import Race

    content = race_file.read(folder)
    return Race(content, _runs(sweeps.read(folder), content["systems"]))


def _run(folder: Path, race: Race, hours: float | None) -> int:
    """Train until the race is decided or its hours are spent, and say what came of it."""
    from lasasr.artifacts import race_file
    from lasasr.artifacts.run_lock import writing

    with writing(folder, "raced"):
        race.content = race_file.read(folder)  # another process may have taken a look meanwhile
        try:
            while not race.content["finished"]:
                if not _trained(folder, race, hours):
                    break
                race.look()
                race_file.write(folder, race.content)
                _print_look(race)
        except (KeyboardInterrupt, Interrupted):
            print(f"the race goes on with: lasasr race --resume {folder}", file=sys.stderr)
            raise
    _print_result(folder, race)
    return 0


def _trained(folder: Path, race: Race, hours: float | None) -> bool:
    """Train what the next look needs; False: the hours do not suffice.

    Raises:
        LasasrError: a run has failed, for another reason than that it diverged; or too few speakers decide nothing.
    """
    from lasasr.artifacts import sweeps
    from lasasr.cli.sweep import Job
    from lasasr.cli.train import run_job

    sweep = sweeps.read(folder)
    jobs = {planned.run: planned for planned in sweep.jobs}
    work = Job(functools.partial(run_job, resume=True), sweep.recipe, folder=folder)
    planned = race.planned
    for number, (_, run) in enumerate(planned):
        race.check_speakers()
        if hours is not None and not _affordable(race, len(planned) - number, hours):
            return False
        work.attempt(sweep.jobs.index(jobs[run]), jobs[run].overrides, lambda run=run: jobs[run])  # type: ignore[misc]
    if waiting := race.planned:
        raise LasasrError(
            f"{len(waiting)} run(s) failed, see above, and no look is taken without them; when it is mended: "
            f"lasasr race --resume {folder}"
        )
    return True


def _affordable(race: Race, runs: int, hours: float) -> bool:
    """Whether the runs that the next look needs can still be trained; the first run of all tells how long one takes."""
    used, each = race.hours()
    if each is None or used + runs * each <= hours:
        return True
    needed, left = duration(3600.0 * runs * each), duration(3600.0 * max(0.0, hours - used))
    print(
        f"the next look needs {runs} more run(s), about {needed}, and {left} of {hours:g} h are left: the race stops "
        f"here (more --hours go on)"
    )
    return False


def _print_look(race: Race) -> None:
    look = race.content["looks"][-1]
    number, state = len(race.content["looks"]), race.state
    rates = ", ".join(f"{name} {rate:.2f} %" for name, rate in sorted(look["rates"].items(), key=lambda item: item[1]))
    print(f"look {number}, {look['seeds']} seeds: {rates}", flush=True)
    for name, left in state.left.items():
        if left.look == number - 1:
            print(f"  {name} leaves: {_reason(left.reason, left.against)}", flush=True)


def _reason(reason: str, against: str | None) -> str:
    return {
        "worse": f"worse than {against}",
        "no difference": f"a relevant difference to {against} would hardly be shown any more",
    }.get(reason, "none of its seeds has a result")


def _print_result(folder: Path, race: Race) -> None:
    from lasasr.comparison.race import words

    for sentence in words(race):
        print(sentence)
    if not race.content["finished"]:
        print(f"go on:   lasasr race --resume {folder}")
    if race.content["looks"]:
        print(f"compare: lasasr compare {folder}")
