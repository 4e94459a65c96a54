"""`lasasr evaluate`: decode the evaluation splits of a run, perhaps under another search."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lasasr.cli.arguments import Parser, add_device, usable
from lasasr.configuration.loading import loading
from lasasr.errors import UsageError

if TYPE_CHECKING:
    from lasasr.artifacts.run_results import Decoding
    from lasasr.artifacts.runs import Run
    from lasasr.configuration.sections import Plain
    from lasasr.configuration.settings import Recognition, Settings, TaskKind
    from lasasr.distributed.ranks import Ranks
    from lasasr.tasks.base import Evaluated

EPILOG = """\
examples:
  lasasr evaluate RUN                              as the recipe says
  lasasr evaluate RUN search=greedy                another search
  lasasr evaluate RUN evaluate.splits=[dev]        another split
  lasasr evaluate RUN search.beam=4,10 -m          a grid over search settings; also search.beam='range(4,20,4)'
  lasasr evaluate RUN search.lm=LMRUN search.lm_weight=0.3     with a language model
  lasasr evaluate LMRUN                            perplexity of a language model

results/<split>.json is the run's own: its recipe's search on the data it was made with. Another search, or other test
data, write results/<split>@<what differs>-<digits>.json beside it. -m draws no attention maps, unless evaluate.maps=N
is given."""


def run(arguments: list[str]) -> int:
    """Decode and write results/<split>.json and .jsonl."""
    parser = Parser("evaluate", "Decode the evaluation splits of a run and count the errors.", EPILOG)
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder")
    parser.add_argument("overrides", metavar="override", nargs="*", default=[], help="key=value: search, evaluate")
    parser.add_argument("-m", "--multirun", action="store_true", help="every combination of the swept values")
    add_device(parser)
    options = parser.read(arguments)

    from lasasr.artifacts import run_paths
    from lasasr.artifacts.run_lock import writing
    from lasasr.cli.print_results import print_files, print_summaries
    from lasasr.configuration.settings import Recognition
    from lasasr.distributed.ranks import Ranks

    trained = run_paths.find_run(options.run)
    own = trained.settings()
    if options.multirun and "-m" in own.task.refusals:
        raise UsageError(f"{trained.folder} {own.task.refusals['-m']}")
    _refuse_fixed_keys(own.task, options.overrides)
    _refuse_other_searchs_keys(own, options.overrides)
    jobs = _jobs(own.plain, options) if options.multirun else [options.overrides]
    decodings = _decodings(own, jobs, options.multirun) if isinstance(own, Recognition) else []
    changed = decodings[0].settings if decodings else _changed(own.plain, options.overrides)
    if any(_but_search(decoding.settings.plain) != _but_search(changed.plain) for decoding in decodings):
        raise UsageError("-m compares searches on the same audio; sweep keys of search only")
    ranks = Ranks.from_torchrun()
    with writing(trained.folder, "evaluated"):
        evaluated = evaluate_run(trained, changed, decodings, usable(ranks.device(options.device)), ranks)
    if ranks.first:
        names = [name for name in _differing(jobs) for _ in range(len(evaluated.summaries) // len(jobs))]
        print_summaries(own, evaluated.summaries, names if options.multirun else ())
        print_files(evaluated.files)
    ranks.leave()
    return 0


def _changed(stored: Plain, overrides: Sequence[str]) -> Settings:
    from lasasr.cli.compose import recompose
    from lasasr.configuration import settings

    return settings.load(recompose(stored, overrides), f"recipe {stored['recipe']}")


def _jobs(stored: Plain, options: Namespace) -> list[list[str]]:
    """The overrides of every combination of the swept values."""
    from lasasr.cli.compose import expand_stored, recompose

    jobs = expand_stored(stored, options.overrides)
    return jobs if len(jobs) == 1 else _without_idle(jobs, lambda job: recompose(stored, job)["search"])


def _decodings(own: Recognition, jobs: list[list[str]], multirun: bool) -> list[Decoding]:
    """What each job decodes with; what another choice of search stands for is composed, to see what the job changes."""
    from lasasr.artifacts.run_results import Decoding

    decodings, bases = [], {}
    for job in jobs:
        changed = cast("Recognition", _changed(own.plain, job))
        if multirun and not any(override.lstrip("+").startswith("evaluate.maps=") for override in job):
            changed = replace(changed, evaluate=replace(changed.evaluate, maps=0))
        choice = str(changed.choices.get("search") or "")
        if choice == own.choices.get("search"):
            decodings.append(Decoding(changed))
            continue
        if choice not in bases:
            bases[choice] = cast("Recognition", _changed(own.plain, [f"search={choice}"])).search
        decodings.append(Decoding(changed, choice, bases[choice]))
    return decodings


def _refuse_fixed_keys(task: TaskKind, overrides: Sequence[str]) -> None:
    """Refuse to change what a trained run cannot change any more."""
    for override in overrides:
        place = override.lstrip("+~").partition("=")[0].rpartition("@")[2]  # +scorer@search.scorers.mine=mine: search
        if place == "hydra.searchpath":  # where choices of one's own lie
            continue
        if place.partition(".")[0] not in task.changeable:
            raise UsageError(f"{override}: {task.changeable_words}")


def _refuse_other_searchs_keys(own: Settings, overrides: Sequence[str]) -> None:
    """Refuse a key that the run's own search has not, where another search has it, and say which to choose."""
    from lasasr.cli.compose import recompose
    from lasasr.configuration import signature_defaults

    search = own.plain.get("search") or {}
    newer = signature_defaults.defaults(str(search["_target_"])) if "_target_" in search else {}
    keys = [override.partition("=")[0] for override in overrides]
    own_keys = {f"search.{key}" for key in (*search, *newer)}
    absent = [key for key in keys if key.startswith("search.") and key.count(".") == 1 and key not in own_keys]
    if not absent or "search" in keys:
        return
    for other in ("beam_ctc", "greedy"):
        if absent[0].removeprefix("search.") in recompose(own.plain, [f"search={other}"])["search"]:
            own_choice = own.choices.get("search") or own.plain["search"]["_target_"]
            raise UsageError(f"{absent[0]}: the search of this run is {own_choice}; add search={other}")


def _differing(jobs: list[list[str]]) -> list[str]:
    """What each job says that not all of them say; all of it where there is only one."""
    common = set(jobs[0]).intersection(*jobs[1:]) if len(jobs) > 1 else set()
    return [" ".join(override for override in job if override not in common) for job in jobs]


def _without_idle(jobs: list[list[str]], search: Callable[[list[str]], dict[str, Any]]) -> list[list[str]]:
    """The jobs without options that their search does not have, if another one of the grid has; each job once."""
    choices = sorted({override for job in jobs for override in job if override.startswith("search=")})
    having = {choice: _keys(search([choice]), "search") for choice in choices}
    searched_keys = set().union(*having.values())
    kept = [
        [
            override
            for override in job
            if (key := override.partition("=")[0]) not in searched_keys
            or all(key in having[choice] for choice in job if choice in having)
        ]
        for job in jobs
    ]
    return [list(job) for job in dict.fromkeys(map(tuple, kept))]


def _keys(config: dict[str, Any], place: str) -> set[str]:
    """The dotted names of all keys."""
    inner = [_keys(value, f"{place}.{key}") for key, value in config.items() if isinstance(value, dict)]
    return {f"{place}.{key}" for key in config}.union(*inner)


def _but_search(plain: Plain) -> dict[str, Any]:
    about_search = ("search", "scorer@search.")
    choices = {group: choice for group, choice in plain["choices"].items() if not group.startswith(about_search)}
    return {**plain, "search": None, "choices": choices}


def evaluate_run(run: Run, settings: Settings, decodings: list[Decoding], device: str, ranks: Ranks) -> Evaluated:
    """Evaluate a run as `settings` say, with a bar on the first rank."""
    with loading():
        from lasasr.cli.progress import progress
        from lasasr.tasks.lookup import task_of

        task = task_of(settings)

    with progress() if ranks.first else nullcontext(_silent) as report:
        return task.evaluate(run, decodings, device, ranks, report)


def _silent(task: str, done: int, total: int) -> None:
    """Only the first rank tells how far it is."""
