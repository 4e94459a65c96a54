"""`lasasr evaluate`: decode the evaluation splits of a run, perhaps under another search."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasasr.cli.arguments import Parser, add_device, usable
from lasasr.configuration.loading import loading
from lasasr.errors import UsageError

if TYPE_CHECKING:
    from lasasr.artifacts.run_results import Decoding
    from lasasr.artifacts.runs import Run
    from lasasr.distributed.ranks import Ranks
    from lasasr.preparation.speech import Prepared
    from lasasr.preparation.text import PreparedText

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

    from lasasr.artifacts import runs
    from lasasr.artifacts.run_lock import writing
    from lasasr.cli.compose import expand_stored, recompose
    from lasasr.cli.tell import tell_files, tell_summaries
    from lasasr.distributed.ranks import Ranks

    found = runs.find_run(options.run)
    if "lm" in found.whole_config():
        with writing(found.folder, "evaluated"):
            return _evaluate_lm(found, options)
    _refuse_training_keys(options.overrides)
    jobs = expand_stored(found.config(), options.overrides) if options.multirun else [options.overrides]
    if len(jobs) > 1:
        jobs = _without_idle(jobs, lambda job: recompose(found.config(), job)["search"])
    decodings = _decodings(found.config(), jobs, options.multirun)
    if any(_but_search(one.config) != _but_search(decodings[0].config) for one in decodings):
        raise UsageError("-m compares searches on the same audio; sweep keys of search only")
    ranks = Ranks.from_torchrun()
    with writing(found.folder, "evaluated"):
        summaries, stems = evaluate_run(found, decodings, usable(ranks.device(options.device)), ranks)
    if ranks.first:
        names = [name for name in _differing(jobs) for _ in range(len(summaries) // len(jobs))]
        tell_summaries(summaries, names if options.multirun else ())
        tell_files(found, stems)
    ranks.leave()
    return 0


def _decodings(config: dict[str, Any], jobs: list[list[str]], multirun: bool) -> list[Decoding]:
    """What each job decodes with; what another choice of search stands for is composed, to see what the job changes."""
    from lasasr.artifacts.run_results import Decoding
    from lasasr.cli.compose import recompose

    decodings, bases = [], {}
    for job in jobs:
        changed = recompose(config, job)
        if multirun and not any(one.lstrip("+").startswith("evaluate.maps=") for one in job):
            changed = {**changed, "evaluate": {**changed["evaluate"], "maps": 0}}
        choice = str(changed["choices"].get("search") or "")
        if choice == config["choices"].get("search"):
            decodings.append(Decoding(changed))
            continue
        if choice not in bases:
            bases[choice] = recompose(config, [f"search={choice}"])["search"]
        decodings.append(Decoding(changed, choice, bases[choice]))
    return decodings


def _refuse_training_keys(overrides: list[str]) -> None:
    for one in overrides:
        place = one.lstrip("+~").partition("=")[0].rpartition("@")[2]  # +scorer@search.scorers.mine=mine: search
        if place == "hydra.searchpath":  # where choices of one's own lie
            continue
        if place.partition(".")[0] not in ("search", "evaluate", "data_dir", "prepared_dir", "corpus"):
            raise UsageError(f"{one}: a trained run can only change search, evaluate and where its corpus lies")


def _differing(jobs: list[list[str]]) -> list[str]:
    """What each job says that not all of them say; all of it where there is only one."""
    common = set(jobs[0]).intersection(*jobs[1:]) if len(jobs) > 1 else set()
    return [" ".join(one for one in job if one not in common) for job in jobs]


def _without_idle(jobs: list[list[str]], search: Callable[[list[str]], dict[str, Any]]) -> list[list[str]]:
    """The jobs without options that their search does not have, if another one of the grid has; each job once."""
    choices = sorted({one for job in jobs for one in job if one.startswith("search=")})
    having = {choice: _keys(search([choice]), "search") for choice in choices}
    known = set().union(*having.values())
    kept = [
        [
            one
            for one in job
            if (key := one.partition("=")[0]) not in known
            or all(key in having[choice] for choice in job if choice in having)
        ]
        for job in jobs
    ]
    return [list(job) for job in dict.fromkeys(map(tuple, kept))]


def _keys(config: dict[str, Any], place: str) -> set[str]:
    """The dotted names of all keys."""
    inner = [_keys(value, f"{place}.{key}") for key, value in config.items() if isinstance(value, dict)]
    return {f"{place}.{key}" for key in config}.union(*inner)


def _but_search(config: Mapping[str, Any]) -> dict[str, Any]:
    about_search = ("search", "scorer@search.")
    choices = {group: choice for group, choice in config["choices"].items() if not group.startswith(about_search)}
    return {**config, "search": None, "choices": choices}


def evaluate_run(
    found: Run, decodings: list[Decoding], device: str, ranks: Ranks
) -> tuple[list[dict[str, Any]], list[str]]:
    """Summaries, and the names of their files, search by search, of each split; the model hears every batch once."""
    with loading():
        from lasasr.artifacts import runs
        from lasasr.cli.progress import progress
        from lasasr.evaluation.names import result_names
        from lasasr.evaluation.split import evaluate_searches
        from lasasr.models import language_model
        from lasasr.models.recognizer import Recognizer
        from lasasr.preparation.speech import prepare

    heard = Recognizer.load(runs.bundle_folder(found.folder), device)
    configs = [one.config for one in decodings]
    recognizers = [heard.searching(language_model.search(config, heard.tokenizer)) for config in configs]
    with progress() if ranks.first else nullcontext(_silent) as report:
        prepared = ranks.in_turn(lambda: prepare(configs[0], report))
        splits = configs[0]["evaluate"]["splits"]
        if ranks.first:
            _tell_other_data(found, prepared, splits)
        # before anything is decoded: what cannot be named is said at once
        names = [result_names(found, decodings, prepared, split, heard) if ranks.first else [] for split in splits]
        decoded = [
            evaluate_searches(recognizers, prepared, split, configs, found.folder, report, ranks, of_split)
            for split, of_split in zip(splits, names, strict=True)
        ]
    by_search = [summary for of_search in zip(*decoded, strict=True) for summary in of_search]
    return by_search, [name for of_search in zip(*names, strict=True) for name in of_search]


def _tell_other_data(found: Run, prepared: Prepared | PreparedText, splits: Sequence[str]) -> None:
    from lasasr.training.data_check import other_data

    for line in other_data(found, prepared, splits):
        print(f"note: {line}", file=sys.stderr)


def _silent(task: str, done: int, total: int) -> None:
    """Only the first rank tells how far it is."""


def _evaluate_lm(found: Any, options: Any) -> int:
    """Perplexities of a language model's evaluation splits."""
    from lasasr.cli.compose import recompose

    if options.multirun:
        raise UsageError("a language model has no search to sweep over: leave out -m")
    config = recompose(found.config(), options.overrides)
    for one in options.overrides:
        if one.lstrip("+~").partition("=")[0].partition(".")[0] not in (
            "evaluate",
            "data_dir",
            "prepared_dir",
            "corpus",
        ):
            raise UsageError(f"{one}: a trained language model can only change evaluate and its corpus")
    evaluate_lm_run(found, config, usable(options.device))
    return 0


def evaluate_lm_run(found: Run, config: Mapping[str, Any], device: str) -> None:
    """Measure the perplexities of a language model's evaluation splits, print and write them."""
    from lasasr.artifacts import perplexity_results, runs
    from lasasr.cli.progress import progress
    from lasasr.cli.tell import tell_perplexities
    from lasasr.models.language_model import TrainedLM
    from lasasr.preparation.text import prepare_text
    from lasasr.training.lm_run import evaluate

    trained = TrainedLM.load(runs.bundle_folder(found.folder)).to(device)
    with progress() as report:
        prepared = prepare_text(config, report, config["evaluate"]["splits"], trained.tokenizer)
        _tell_other_data(found, prepared, config["evaluate"]["splits"])
        measured = evaluate(config, trained, prepared, report)
    tell_perplexities(measured)
    for path in perplexity_results.write(found, measured, config):
        print(f"result:          {path}")
