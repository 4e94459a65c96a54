"""`lasasr evaluate`: decode the evaluation splits of a run, perhaps under another search."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from lasasr.cli.arguments import Parser
from lasasr.errors import UsageError

EPILOG = """\
examples:
  lasasr evaluate RUN                              as the recipe says
  lasasr evaluate RUN search=greedy                another search
  lasasr evaluate RUN evaluate.splits=[dev]        another split
  lasasr evaluate RUN search.beam=4,10 -m          a grid over search settings"""


def run(arguments: list[str]) -> int:
    """Decode and write results/<split>.json and .jsonl."""
    parser = Parser("evaluate", "Decode the evaluation splits of a run and count the errors.", EPILOG)
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder")
    parser.add_argument("overrides", metavar="override", nargs="*", help="key=value: search, evaluate")
    parser.add_argument("-m", "--multirun", action="store_true", help="every combination of the swept values")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    options = parser.read(arguments)

    from lasasr import runs
    from lasasr.cli.compose import recompose
    from lasasr.cli.tell import tell_summaries

    found = runs.find_run(options.run)
    jobs = _grid(options.overrides) if options.multirun else [options.overrides]
    configs = [recompose(found.config(), job) for job in jobs]
    for job in jobs:
        _refuse_training_keys(job)
    summaries = []
    for job, config in zip(jobs, configs, strict=True):
        if options.multirun:
            print(" ".join(job))
        summaries += _evaluate(found, config, options.device, write=not options.multirun)
    tell_summaries(summaries)
    return 0


def _refuse_training_keys(overrides: list[str]) -> None:
    for one in overrides:
        key = one.lstrip("+~").partition("=")[0].partition(".")[0]
        if key not in ("search", "evaluate", "data_dir", "prepared_dir", "corpus"):
            raise UsageError(f"{one}: a trained run can only change search, evaluate and where its corpus lies")


def _grid(overrides: list[str]) -> list[list[str]]:
    """Every combination of comma-separated values."""
    swept = []
    for one in overrides:
        key, sign, values = one.partition("=")
        choices = [values] if values.startswith(("[", "{")) else values.split(",")
        swept.append([f"{key}{sign}{value}" for value in choices])
    return [list(job) for job in itertools.product(*swept)]


def _evaluate(found: Any, config: dict[str, Any], device: str, write: bool) -> list[dict[str, Any]]:
    from lasasr import build
    from lasasr.cli.progress import progress
    from lasasr.evaluation import evaluate_split
    from lasasr.prepare import prepare
    from lasasr.recognizer import Recognizer

    recognizer = Recognizer.load(found.bundle, device).searching(build.search(config))
    with progress() as report:
        prepared = prepare(config, report)
        return [
            evaluate_split(recognizer, prepared, split, config, found.folder if write else None, report)
            for split in config["evaluate"]["splits"]
        ]
