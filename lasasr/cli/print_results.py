"""What is printed of a run: its error rates or perplexities, and where to find and how to use it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console

from lasasr.artifacts import perplexity_results, results
from lasasr.artifacts.results import StoredResult
from lasasr.artifacts.run_results import RunResults
from lasasr.artifacts.runs import Run
from lasasr.artifacts.search_identity import search_words
from lasasr.configuration.settings import Language, Recognition, Settings, kind_of
from lasasr.errors import LasasrError
from lasasr.escaping import unescaped
from lasasr.report.outside_text import outside_line
from lasasr.report.tables import evaluation_table, perplexity_table
from lasasr.report.triage_table import triage_table

MOST_OTHERS = 10  # results of other searches that are listed

Record = Mapping[str, Any]  # what results/<split>.json or perplexity.json hold of a split


def print_run(run: Run) -> None:
    """Print the table of results and the places of a run."""
    _PRINTERS[kind_of(run.config())].run(run)


def print_summaries(settings: Settings, summaries: Sequence[Record], names: Sequence[str] = ()) -> None:
    """Print what an evaluation measured.

    Args:
        settings: of the run.
        names: of the searches that each split was decoded with; without them what kind of errors there are is printed
            too.
    """
    _PRINTERS[type(settings)].summaries(summaries, names)


def print_files(paths: Sequence[Path]) -> None:
    """Print where results are, each once."""
    for path in dict.fromkeys(paths):
        print(f"result:          {path}")


def _print_recognizer(run: Run) -> None:
    _print_results(run)
    print(f"run folder:      {run.folder}")
    for plot in sorted((run.folder / "plots").glob("*.png"))[:1]:
        print(f"attention plot:  {plot}")
    _print_curves(run)
    print(f"transcribe:      lasasr transcribe {run.folder} your.wav")


def _print_language_model(run: Run) -> None:
    _print_perplexities(list(perplexity_results.read(run.folder / perplexity_results.OWN).values()))
    for path in perplexity_results.others(run.folder)[:MOST_OTHERS]:
        print(f"other result:    {path}")
    print(f"run folder:      {run.folder}")
    _print_curves(run)
    print(f"decode with it:  lasasr evaluate RUN search.lm={run.folder} search.lm_weight=0.3")


def _print_curves(run: Run) -> None:
    """Where the loggers that write into the run folder have left what was measured."""
    table = run.folder / "csv" / "metrics.csv"
    if run.tensorboard.is_dir():
        print(f"learning curves: tensorboard --logdir {run.tensorboard}")
    elif table.exists():
        print(f"learning curves: {table}")


def _print_perplexities(records: Sequence[Record], names: Sequence[str] = ()) -> None:
    """How well a language model foresees each split."""
    Console(file=unescaped(sys.stdout)).print(perplexity_table(list(records)))


def _print_results(run: Run) -> None:
    """Print the run's own results as a table, and name those of other searches and data."""
    of_run, others = RunResults(run), []
    own, missing = [], []
    for stored in results.list_results(run.results):
        if stored.name.code:
            others.append(stored)
        elif of_run.foreign(stored):
            missing.append(of_run.missing(stored.name.split))
            others.append(stored)
        else:
            own.append(stored.read()[0])
    _print_error_rates(own)
    for line in missing:
        print(line)
    for stored in others[:MOST_OTHERS]:
        print(f"other result:    {_in_a_line(stored)}")
    if len(others) > MOST_OTHERS:
        print(f"other results:   {len(others) - MOST_OTHERS} more in {run.results}")


def _in_a_line(stored: StoredResult) -> str:
    try:
        summary, _ = stored.read()
    except LasasrError as error:
        return str(error)
    rate = f"{summary['metric'].upper()} {summary['percent']:.2f} %"
    return f"{stored.path.name}: {rate}, search: {search_words(summary.get('search'))}"


def _print_error_rates(summaries: Sequence[Record], names: Sequence[str] = ()) -> None:
    """Decoded splits as one table, and how errors were counted where that needs saying."""
    if summaries:
        Console(file=unescaped(sys.stdout)).print(evaluation_table(summaries, names))
    for summary in () if names else summaries:
        if summary["errors"] and "triage" in summary:
            Console(file=unescaped(sys.stdout)).print("", triage_table(summary))
    for line in filter(None, dict.fromkeys(map(outside_line, summaries))):
        print(line)
    for protocol in dict.fromkeys(summary.get("protocol") for summary in summaries):
        if protocol:
            counted = ", ".join(f"{summary['split']} {summary['reference_length']:,}" for summary in summaries)
            print(f"reference tokens: {counted}; {protocol}")


class _Printers(NamedTuple):
    """Of one task."""

    run: Callable[[Run], None]
    summaries: Callable[[Sequence[Record], Sequence[str]], None]


_PRINTERS: Final[Mapping[type[Settings], _Printers]] = {
    Recognition: _Printers(_print_recognizer, _print_error_rates),
    Language: _Printers(_print_language_model, _print_perplexities),
}
