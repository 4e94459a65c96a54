"""Gain against loss: one point per method, with its intervals."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from matplotlib.figure import Figure

from lasasr.report import figures, paper_figures
from lasasr.report.paper_figures import MARKERS, PALETTE, bare, styled

_SIZE_IN = (6.0, 4.5)
_LABEL = 90  # characters of a line of the legend


def draw(document: Mapping[str, Any]) -> Figure:
    """The picture: to the right more is lost on the source, upwards more is gained on the target."""
    figure = figures.blank(*_SIZE_IN)
    axes = figure.subplots()
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.axvline(0.0, color="black", linewidth=0.8)
    for index, method in enumerate(document["methods"]):
        target, source = method["target"], method["source"]
        lost, gained = source["points"], 0.0 - target["points"]
        colour = PALETTE[index % len(PALETTE)]
        across, upwards = _ends(source), _ends(target)
        if across is not None:
            axes.plot(across, [gained, gained], color=colour, linewidth=1.2)
        if upwards is not None:
            axes.plot([lost, lost], [-upwards[1], -upwards[0]], color=colour, linewidth=1.2)
        axes.plot(
            lost,
            gained,
            MARKERS[index % len(MARKERS)],
            color=colour,
            markersize=6,
            markerfacecolor=colour if target["word"] == "gained" else "white",
            label=_plain(f"{method['name']}: {target['word']}; {source['word']}"),
        )
    metric = document["metric"].upper()
    axes.set_xlabel(_plain(f"loss on {document['source']['split']}: {metric} after − before, points"))
    axes.set_ylabel(_plain(f"gain on {document['target']['split']}: {metric} before − after, points"))
    figure.legend(loc="outside upper left", frameon=False, fontsize=7)
    bare(axes)
    return figure


def svg(document: Mapping[str, Any], to: Path | BinaryIO) -> None:
    """Write the picture, the same bytes each time."""
    with styled():
        figure = draw(document)
        if isinstance(to, Path):
            paper_figures.save(figure, to, "svg")
        else:
            figure.savefig(to, format="svg", metadata=dict(paper_figures.FORMATS["svg"]))


def _ends(change: Mapping[str, Any]) -> tuple[float, float] | None:
    """The interval of a difference, where there is one."""
    interval = change["interval"]
    return None if interval is None or interval["low"] is None else (interval["low"], interval["high"])


def _plain(text: str) -> str:
    """A text in which matplotlib finds no formula, in lines that fit."""
    return "\n".join(textwrap.wrap(text, _LABEL)).replace("$", r"\$")
