"""Where the marks of the page's charts stand: plain numbers, which its template draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.ticker import MaxNLocator

from lasasr.comparison.pairs import centre, verdict

WIDTH, HEIGHT = 640.0, 320.0  # of the learning curves, units of the drawing
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 10.0, 26.0, 38.0
HUES: Final = 8  # colours there are; further systems repeat them with another dash
DASHES: Final = ("", "7 4", "2 3", "10 3 2 3")
ROWS: Final = 45  # of a forest plot


def style(place: int) -> dict[str, Any]:
    """Colour and dash of the system at a place."""
    return {"hue": place % HUES, "dash": DASHES[place // HUES % len(DASHES)]}


def forest(made: Mapping[str, Any]) -> dict[str, Any]:
    """Differences with their intervals: all pairs where they are few, else those with the centre.

    Positions are percent of the width.
    """
    pairs = made["pairs"]
    if len(pairs) > ROWS:
        pairs = [one for one in pairs if centre(made) in (one["first"], one["second"])]
    rows = sorted((_row(one, made["about"]) for one in pairs), key=lambda one: float(one["points"]))
    ends = [0.0, *(one[name] for one in rows for name in ("low", "high", "points") if one[name] is not None)]
    ticks = _ticks(min(ends), max(ends), 5)
    low, high = min(ticks[0], *ends), max(ticks[-1], *ends)

    def place(value: float | None) -> float | None:
        return None if value is None else round(100.0 * (value - low) / (high - low), 3)

    for row in rows:
        row["at"] = {name: place(row[name]) for name in ("low", "high", "points")}
    return {
        "rows": rows,
        "all": len(pairs) == len(made["pairs"]),
        "zero": place(0.0),
        "ticks": [{"at": place(one), "text": f"{one:g}"} for one in ticks],
    }


def _row(pair: Mapping[str, Any], about: str) -> dict[str, Any]:
    answer, said = pair[about] or pair["runs"], verdict(pair, about)
    found = {"low": None, "high": None} if answer is None else answer["interval"]
    return {
        "first": pair["first"],
        "second": pair["second"],
        "points": pair["points"],
        "low": found["low"],
        "high": found["high"],
        "word": said["word"],
        "reason": said["reason"],
        "p": None if answer is None else answer["p_holm"],
    }


def curves(found: Mapping[str, Sequence[Mapping[str, float]]], order: Sequence[str]) -> dict[str, Any] | None:
    """Lines and bands of error rate over training steps; None where no run was validated."""
    points = [one for some in found.values() for one in some]
    if not points:
        return None
    x_ticks = _ticks(0.0, max(one["step"] for one in points), 6)
    y_ticks = _ticks(0.0, max(one["most"] for one in points), 5)

    def at(step: float, value: float) -> str:
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * step / x_ticks[-1]
        y = HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / y_ticks[-1]
        return f"{x:.1f},{y:.1f}"

    lines = []
    for place, name in enumerate(order):
        some = found[name]
        if some:
            upper = [at(one["step"], one["most"]) for one in some]
            lower = [at(one["step"], one["least"]) for one in reversed(some)]
            line = [at(one["step"], one["mean"]) for one in some]
            band = " ".join(upper + lower) if any(one["seeds"] > 1 for one in some) else ""
            lines.append(
                {"name": name, "line": " ".join(line), "band": band, "last": line[-1].split(","), **style(place)}
            )
    return {
        "lines": lines,
        "width": WIDTH,
        "height": HEIGHT,
        "left": _LEFT,
        "right": WIDTH - _RIGHT,
        "bottom": HEIGHT - _BOTTOM,
        "x": [{"at": at(one, 0.0).split(",")[0], "text": f"{one:,.0f}"} for one in x_ticks],
        "y": [{"at": at(0.0, one).split(",")[1], "text": f"{one:g}"} for one in y_ticks],
    }


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers that enclose both."""
    high = high if high > low else low + 1.0
    return [float(one) for one in MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]


def shades(breakdown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a breakdown; `share` is how dark a cell is, of the highest rate."""
    most = max((one for row in breakdown["rows"].values() for one in row if one is not None), default=0.0) or 1.0
    return [
        {
            "name": name,
            "cells": [
                {"text": "–", "share": 0.0}
                if one is None
                else {"text": f"{one:.1f}", "share": round(100.0 * one / most)}
                for one in row
            ],
        }
        for name, row in breakdown["rows"].items()
    ]


SIGNS: Final = {"better": "▲", "worse": "▼", "no difference shown": "=", "cannot decide": "?"}


def matrix(made: Mapping[str, Any], order: Sequence[str]) -> list[dict[str, Any]]:
    """Verdict of every row's system against every column's; None where a pair was not asked."""
    words: dict[tuple[str, str], Mapping[str, Any]] = {}
    turned = {"better": "worse", "worse": "better"}
    for pair in made["pairs"]:
        said = verdict(pair, made["about"])
        words[pair["first"], pair["second"]] = {**said, "points": pair["points"]}
        other = turned.get(said["word"], said["word"])
        words[pair["second"], pair["first"]] = {"word": other, "reason": said["reason"], "points": -pair["points"]}
    return [{"name": row, "cells": [_cell(words.get((row, column))) for column in order]} for row in order]


def _cell(said: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if said is None else {**said, "sign": SIGNS[said["word"]]}
