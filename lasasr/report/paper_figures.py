"""Figures of a comparison for print: told apart by mark and dash as well as by colour, one column wide."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from lasasr.artifacts.files import replacing
from lasasr.comparison.pairs import labels
from lasasr.report import charts, figures

WIDTH_IN: Final = 3.25  # one column of most conferences
PALETTE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
"""Okabe and Ito's colours, which people who see few colours tell apart."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
DASHES: Final = ("-", "--", ":", "-.")
VERDICT_COLOURS: Final = {"better": "#0072B2", "worse": "#D55E00"}
_STYLE: Final = {"font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "lasasr", "pdf.fonttype": 42}
FORMATS: Final[Mapping[str, Mapping[str, None]]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


@contextmanager
def styled() -> Iterator[None]:
    with matplotlib.rc_context(_STYLE):
        yield


def draw(
    document: Mapping[str, Any], details: Mapping[str, Any] | None, maps: Mapping[str, Any], folder: Path
) -> list[Path]:
    """Write every figure that there are numbers for as SVG and PDF; their paths.

    Args:
        document: the contents of comparison.json or of a card.
        details: of `comparison.details`; None: they are not known (from a card).
        maps: of `evaluation.comparison_maps`.
    """
    with styled():
        drawn = {"differences": differences(document) if document["pairs"] else None}
        if details is not None:
            order = [row["name"] for row in sorted(document["systems"], key=lambda row: (row["percent"], row["name"]))]
            short_names = labels(document)[1]
            drawn["learning-curves"] = learning_curves(details, order, short_names)
            for breakdown in details["breakdowns"]:
                name = f"by-{breakdown['title'].replace(' ', '-')}"
                drawn[name] = by_part(breakdown, order, short_names, document["metric"])
        drawn |= {f"alignment-{_plain(key)}": alignment(content) for key, content in maps.items()}
        return [path for name, figure in drawn.items() if figure is not None for path in _save(figure, folder, name)]


def save(figure: Figure, path: Path, kind: str) -> None:
    """Write a figure in one of `FORMATS`, the same bytes each time; to be called inside `styled`."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, metadata=dict(FORMATS[kind]))


def _save(figure: Figure, folder: Path, name: str) -> list[Path]:
    paths = [folder / f"{name}.{kind}" for kind in FORMATS]
    for path in paths:
        save(figure, path, path.suffix[1:])
    return paths


def _plain(key: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in key)


def _line_style(index: int) -> dict[str, Any]:
    """Colour, dash and marker of the system with an index."""
    return {
        "color": PALETTE[index % len(PALETTE)],
        "linestyle": DASHES[index % len(DASHES)],
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": 3.5,
        "linewidth": 1.2,
    }


def differences(document: Mapping[str, Any]) -> Figure:
    """Differences with their intervals; filled where a difference is shown."""
    rows = charts.forest(document)["rows"][::-1]
    short_names = labels(document)[1]
    figure = figures.blank(WIDTH_IN, 0.8 + 0.17 * len(rows))
    axes = figure.subplots()
    axes.axvline(0.0, color="black", linewidth=0.8)
    for height, row in enumerate(rows):
        colour = VERDICT_COLOURS.get(row["word"], "black")
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [height, height], color=colour, linewidth=1.2)
        filled = row["word"] in VERDICT_COLOURS
        axes.plot(row["points"], height, "o", color=colour, markersize=4, markerfacecolor=colour if filled else "white")
    axes.set_yticks(range(len(rows)), [f"{short_names[row['first']]} − {short_names[row['second']]}" for row in rows])
    axes.set_xlabel(f"difference of {document['metric'].upper()}, points\n(left: the first is better)")
    bare(axes)
    return figure


def learning_curves(details: Mapping[str, Any], order: Sequence[str], short_names: Mapping[str, str]) -> Figure | None:
    """Dev error rate over steps: mean over seeds, band from the lowest to the highest; None: no run was validated."""
    if not any(details["curves"].values()):
        return None
    figure = figures.blank(WIDTH_IN, 2.4)
    axes = figure.subplots()
    for index, name in enumerate(order):
        points = details["curves"][name]
        steps = [point["step"] for point in points]
        style = _line_style(index)
        every = max(1, len(points) // 8)
        axes.plot(steps, [point["mean"] for point in points], label=short_names[name], markevery=every, **style)
        least, most = ([point[end] for point in points] for end in ("least", "most"))
        axes.fill_between(steps, least, most, color=style["color"], alpha=0.15, linewidth=0)
    axes.set_xlabel("training step")
    axes.set_ylabel(f"dev {details['watched'].upper()}, %")
    axes.set_ylim(bottom=0.0)
    _legend(figure, len(order))
    bare(axes)
    return figure


def by_part(breakdown: Mapping[str, Any], order: Sequence[str], short_names: Mapping[str, str], metric: str) -> Figure:
    """Error rate of each part of the test set."""
    figure = figures.blank(WIDTH_IN, 2.4)
    axes = figure.subplots()
    for index, name in enumerate(order):
        rates = [np.nan if rate is None else rate for rate in breakdown["rows"][name]]
        axes.plot(range(len(rates)), rates, label=short_names[name], **_line_style(index))
    crowded = len(breakdown["parts"]) > 6
    axes.set_xticks(range(len(breakdown["parts"])), breakdown["parts"], rotation=60 if crowded else 0)
    axes.set_xlabel(breakdown["title"])
    axes.set_ylabel(f"{metric.upper()}, %")
    axes.set_ylim(bottom=0.0)
    _legend(figure, len(order))
    bare(axes)
    return figure


def alignment(content: Mapping[str, Any]) -> Figure:
    """The spectrogram of an utterance and what each system attends to, on one time axis."""
    maps = content["maps"]
    figure = figures.blank(WIDTH_IN, 0.8 + 0.9 * len(maps))
    axes = figure.subplots(1 + len(maps), 1, sharex=True, squeeze=False)[:, 0]
    axes[0].imshow(_pixels(content["spectrogram"]), aspect="auto", extent=(0.0, content["duration_s"], 0.0, 1.0))
    axes[0].set_yticks([])
    axes[0].set_title("log-mel energies", fontsize=7, loc="left")
    for axis, (name, drawn) in zip(axes[1:], maps.items(), strict=True):
        extent = (drawn["begin_s"], drawn["end_s"], float(drawn["tokens"]), 0.0)
        axis.imshow(_pixels(drawn["image"]), aspect="auto", extent=extent)
        axis.set_title(name, fontsize=7, loc="left")
        axis.set_ylabel("token")
    axes[-1].set_xlabel("time, s")
    axes[0].set_xlim(0.0, content["duration_s"])
    return figure


def _pixels(address: str) -> NDArray[np.uint8]:
    """The picture of a data URL (rows, columns, 3)."""
    content = base64.b64decode(address.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def _legend(figure: Figure, systems: int) -> None:
    figure.legend(loc="outside upper center", ncols=min(3, systems), frameon=False, fontsize=7, handlelength=3.0)


def bare(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="both", color="0.9", linewidth=0.5)
    axes.set_axisbelow(True)
