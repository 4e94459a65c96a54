"""What a finished run is told to be: its error rates, and where to find and how to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from lasasr import results
from lasasr.report.tables import evaluation_table
from lasasr.runs import Run


def tell_run(run: Run) -> None:
    """Print the table of results and the places of a run."""
    tell_results(run)
    print(f"run folder:      {run.folder}")
    for plot in sorted((run.folder / "plots").glob("*.png"))[:1]:
        print(f"attention plot:  {plot}")
    print(f"learning curves: tensorboard --logdir {run.tensorboard}")
    print(f"transcribe:      lasasr transcribe {run.folder} your.wav")


def tell_results(run: Run) -> None:
    """Print the table of what was decoded."""
    tell_summaries([results.read(run.results, split)[0] for split in results.splits(run.results)])


def tell_summaries(summaries: Sequence[Mapping[str, Any]]) -> None:
    """Print summaries of decoded splits as one table."""
    if summaries:
        Console().print(evaluation_table(summaries))
