"""Two runs for the terminal: which keys, how many points, which utterances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from lasasr.artifacts.search_identity import search_words
from lasasr.comparison.entries import DecodedRun
from lasasr.comparison.flips import Flip, flips
from lasasr.comparison.settings import differing, shown
from lasasr.escaping import escaped
from lasasr.metrics.significance.comparison import SystemPair
from lasasr.report.aligned_text import aligned_text
from lasasr.report.escaped_text import escaped_text

ABSENT = "–"


def difference(
    first: DecodedRun, second: DecodedRun, pair: SystemPair, notes: Sequence[str], most: int, width: int
) -> Iterator[RenderableType]:
    """The parts to print, one after the other.

    Args:
        pair: the first against the second.
        notes: what limits their comparison.
        most: utterances to show of those that became better, and of those that became worse.
        width: characters of a line.
    """
    yield escaped_text(f"first:  {_name(first)}\nsecond: {_name(second)}\n")
    yield from _configuration(first, second)
    yield escaped_text(_rates(first, second, pair))
    yield from (escaped_text(f"note: {note}") for note in notes)
    flipped = flips(first, second)
    better = [flip for flip in reversed(flipped) if flip.errors[1] < flip.errors[0]]
    worse = [flip for flip in flipped if flip.errors[1] > flip.errors[0]]
    yield escaped_text(
        f"\nutterances: {len(first.lines)}; the second has fewer errors in {len(better)}, more in {len(worse)}"
    )
    for title, selected in (("fewer", better), ("more", worse)):
        if selected[:most]:
            yield escaped_text(f"\n{title} errors in the second, the largest changes first", style="bold")
        for flip in selected[:most]:
            yield _flip(flip, first.summary["metric"], width)


def _name(run: DecodedRun) -> str:
    return f"{run.name} (search: {search_words(run.summary.get('search'))})"


def _setting_values(run: DecodedRun, values: Mapping[str, Any]) -> dict[str, Any]:
    choices = {f"{group} (choice)": choice for group, choice in run.settings.choices.items()}
    return {"seed": run.seed, **choices, **values}


def _configuration(first: DecodedRun, second: DecodedRun) -> Iterator[RenderableType]:
    """The keys that differ; a key at its default equals an absent one."""
    keys = differing([_setting_values(run, run.settings.normal) for run in (first, second)])
    if not keys:
        yield escaped_text("configuration: the same\n")
        return
    settings = [_setting_values(run, run.settings.values) for run in (first, second)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in ("key", "first", "second"):
        table.add_column(header, overflow="fold")
    for key in sorted(keys):
        cells = [shown(values[key]) if key in values else ABSENT for values in settings]
        table.add_row(escaped_text(key), *(escaped_text(cell) for cell in cells))
    yield table
    yield escaped_text("")


def _rates(first: DecodedRun, second: DecodedRun, pair: SystemPair) -> str:
    """Second − first, as a diff reads: from the first to the second."""
    metric = first.summary["metric"].upper()
    texts = [f"{metric}: {first.summary['percent']:.2f} % → {second.summary['percent']:.2f} %"]
    texts.append(f"difference {0.0 - pair.measurement.points:+.2f} points")
    answer = pair.measurement.runs
    if answer is not None and answer.interval.low is not None and answer.interval.high is not None:
        texts.append(f"95 % interval {-answer.interval.high:+.2f} to {-answer.interval.low:+.2f}, p = {answer.p:.3g}")
    words = {"better": "the second is worse", "worse": "the second is better"}
    texts.append(f"of these two runs: {words.get(pair.runs.word, pair.runs.word)}")
    if pair.runs.word == "cannot decide":
        texts[-1] += f" ({pair.runs.reason})"
    return "; ".join(texts)


def _flip(flip: Flip, metric: Any, width: int) -> RenderableType:
    before, after = (aligned_text(flip.reference, text, metric, width) for text in (flip.first, flip.second))
    return escaped_text(
        f"\n{escaped(flip.id)}: {flip.errors[0]} → {flip.errors[1]} errors\nfirst\n{before}\nsecond\n{after}"
    )
