"""Positions of the marks in the page's charts: plain numbers, which its template draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.ticker import MaxNLocator

from lasasr.comparison.pairs import centre, verdict

WIDTH, HEIGHT = 640.0, 320.0  # of the learning curves, units of the drawing
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 10.0, 26.0, 38.0
HUES: Final = 8  # colours there are; lines are told apart by dash and mark, too
DASHES: Final = ("", "7 4", "2 3", "10 3 2 3")
MARKS: Final = ("●", "■", "▲", "◆", "▼", "✚", "✖")  # seven, so that 28 systems differ in dash or mark
MOST_MARKS: Final = 12  # on a line
ROWS: Final = 45  # of a forest plot


def style(index: int) -> dict[str, Any]:
    """Colour, dash and mark of the system with an index."""
    return {"hue": index % HUES, "dash": DASHES[index % len(DASHES)], "mark": MARKS[index % len(MARKS)]}


def forest(document: Mapping[str, Any]) -> dict[str, Any]:
    """Differences with their intervals: all pairs where they are few, else those with the centre.

    Positions are percent of the width.
    """
    pairs = document["pairs"]
    if len(pairs) > ROWS:
        pairs = [pair for pair in pairs if centre(document) in (pair["first"], pair["second"])]
    rows = sorted((_row(pair, document["about"]) for pair in pairs), key=lambda row: float(row["points"]))
    ends = [0.0, *(row[name] for row in rows for name in ("low", "high", "points") if row[name] is not None)]
    ticks = _ticks(min(ends), max(ends), 5)
    low, high = min(ticks[0], *ends), max(ticks[-1], *ends)

    def position(value: float | None) -> float | None:
        return None if value is None else round(100.0 * (value - low) / (high - low), 3)

    for row in rows:
        row["at"] = {name: position(row[name]) for name in ("low", "high", "points")}
    return {
        "rows": rows,
        "all": len(pairs) == len(document["pairs"]),
        "zero": position(0.0),
        "ticks": [{"at": position(tick), "text": f"{tick:g}"} for tick in ticks],
    }


def _row(pair: Mapping[str, Any], scope: str) -> dict[str, Any]:
    answer, outcome = pair[scope], verdict(pair, scope)
    interval = {"low": None, "high": None} if answer is None else answer["interval"]
    return {
        "first": pair["first"],
        "second": pair["second"],
        "points": pair["points"],
        "low": interval["low"],
        "high": interval["high"],
        "word": outcome["word"],
        "reason": outcome["reason"],
        "p": None if answer is None else answer["p_holm"],
    }


def curves(
    points_by_system: Mapping[str, Sequence[Mapping[str, float]]], order: Sequence[str]
) -> dict[str, Any] | None:
    """Lines and bands of error rate over training steps; None where no run was validated."""
    points = [point for system_points in points_by_system.values() for point in system_points]
    if not points:
        return None
    x_ticks = _ticks(0.0, max(point["step"] for point in points), 6)
    y_ticks = _ticks(0.0, max(point["most"] for point in points), 5)

    def at(step: float, value: float) -> str:
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * step / x_ticks[-1]
        y = HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / y_ticks[-1]
        return f"{x:.1f},{y:.1f}"

    lines = []
    for index, name in enumerate(order):
        system_points = points_by_system[name]
        if system_points:
            upper = [at(point["step"], point["most"]) for point in system_points]
            lower = [at(point["step"], point["least"]) for point in reversed(system_points)]
            line = [at(point["step"], point["mean"]) for point in system_points]
            band = " ".join(upper + lower) if any(point["seeds"] > 1 for point in system_points) else ""
            lines.append(
                {
                    "name": name,
                    "line": " ".join(line),
                    "band": band,
                    "marked": [place.split(",") for place in line[:: -(-len(line) // MOST_MARKS)]],
                    **style(index),
                }
            )
    return {
        "lines": lines,
        "width": WIDTH,
        "height": HEIGHT,
        "left": _LEFT,
        "right": WIDTH - _RIGHT,
        "bottom": HEIGHT - _BOTTOM,
        "x": [{"at": at(tick, 0.0).split(",")[0], "text": f"{tick:,.0f}"} for tick in x_ticks],
        "y": [{"at": at(0.0, tick).split(",")[1], "text": f"{tick:g}"} for tick in y_ticks],
    }


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers that enclose both."""
    high = high if high > low else low + 1.0
    return [float(tick) for tick in MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]


def shades(breakdown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a breakdown; `share` is how dark a cell is, of the highest rate."""
    most = max((rate for row in breakdown["rows"].values() for rate in row if rate is not None), default=0.0) or 1.0
    return [
        {
            "name": name,
            "cells": [
                {"text": "–", "share": 0.0}
                if rate is None
                else {"text": f"{rate:.1f}", "share": round(100.0 * rate / most)}
                for rate in row
            ],
        }
        for name, row in breakdown["rows"].items()
    ]


SIGNS: Final = {"better": "▲", "worse": "▼", "no difference shown": "○", "cannot decide": "?"}


def matrix(document: Mapping[str, Any], order: Sequence[str]) -> list[dict[str, Any]]:
    """Verdict of every row's system against every column's; None where a pair was not compared."""
    words: dict[tuple[str, str], Mapping[str, Any]] = {}
    turned = {"better": "worse", "worse": "better"}
    for pair in document["pairs"]:
        outcome = verdict(pair, document["about"])
        words[pair["first"], pair["second"]] = {**outcome, "points": pair["points"]}
        opposite = turned.get(outcome["word"], outcome["word"])
        words[pair["second"], pair["first"]] = {
            "word": opposite,
            "reason": outcome["reason"],
            "points": -pair["points"],
        }
    return [{"name": row, "cells": [_cell(words.get((row, column))) for column in order]} for row in order]


def _cell(outcome: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if outcome is None else {**outcome, "sign": SIGNS[outcome["word"]]}
