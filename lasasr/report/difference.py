"""Two runs for the terminal: which keys, how many points, which utterances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lasasr.artifacts.search_identity import search_words
from lasasr.comparison.entries import Entry
from lasasr.comparison.flips import Flip, flips
from lasasr.comparison.settings import differing, shown
from lasasr.metrics.significance.comparison import Pair
from lasasr.report.aligned_text import aligned_text

ABSENT = "–"


def difference(
    first: Entry, second: Entry, pair: Pair, notes: Sequence[str], most: int, width: int
) -> Iterator[RenderableType]:
    """The parts to print, one after the other.

    Args:
        pair: the first against the second.
        notes: what has to be said about comparing them.
        most: utterances to show of those that became better, and of those that became worse.
        width: characters of a line.
    """
    yield Text(f"first:  {_name(first)}\nsecond: {_name(second)}\n")
    yield from _configuration(first, second)
    yield Text(_rates(first, second, pair))
    yield from (Text(f"note: {note}") for note in notes)
    found = flips(first, second)
    better = [one for one in reversed(found) if one.errors[1] < one.errors[0]]
    worse = [one for one in found if one.errors[1] > one.errors[0]]
    yield Text(f"\nutterances: {len(first.lines)}; the second has fewer errors in {len(better)}, more in {len(worse)}")
    for title, some in (("fewer", better), ("more", worse)):
        if some[:most]:
            yield Text(f"\n{title} errors in the second, the largest changes first", style="bold")
        for one in some[:most]:
            yield _flip(one, first.summary["metric"], width)


def _name(entry: Entry) -> str:
    return f"{entry.name} (search: {search_words(entry.summary.get('search'))})"


def _told(entry: Entry, values: Mapping[str, Any]) -> dict[str, Any]:
    choices = {f"{group} (choice)": choice for group, choice in entry.settings.choices.items()}
    return {"seed": entry.seed, **choices, **values}


def _configuration(first: Entry, second: Entry) -> Iterator[RenderableType]:
    """The keys that differ; a key at its default is not told from one that is absent."""
    keys = differing([_told(entry, entry.settings.normal) for entry in (first, second)])
    if not keys:
        yield Text("configuration: the same\n")
        return
    told = [_told(entry, entry.settings.values) for entry in (first, second)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in ("key", "first", "second"):
        table.add_column(header, overflow="fold")
    for key in sorted(keys):
        cells = [shown(one[key]) if key in one else ABSENT for one in told]
        table.add_row(Text(key), *(Text(cell) for cell in cells))
    yield table
    yield Text("")


def _rates(first: Entry, second: Entry, pair: Pair) -> str:
    """Second − first, as a diff reads: from the first to the second."""
    metric = first.summary["metric"].upper()
    told = [f"{metric}: {first.summary['percent']:.2f} % → {second.summary['percent']:.2f} %"]
    told.append(f"difference {0.0 - pair.measured.points:+.2f} points")
    answer = pair.measured.runs
    if answer is not None and answer.interval.low is not None and answer.interval.high is not None:
        told.append(f"95 % interval {-answer.interval.high:+.2f} to {-answer.interval.low:+.2f}, p = {answer.p:.3g}")
    words = {"better": "the second is worse", "worse": "the second is better"}
    told.append(f"of these two runs: {words.get(pair.runs.word, pair.runs.word)}")
    if pair.runs.word == "cannot decide":
        told[-1] += f" ({pair.runs.reason})"
    return "; ".join(told)


def _flip(one: Flip, metric: Any, width: int) -> Text:
    before, after = (aligned_text(one.reference, text, metric, width) for text in (one.first, one.second))
    return Text(f"\n{one.id}: {one.errors[0]} → {one.errors[1]} errors\nfirst\n{before}\nsecond\n{after}")
