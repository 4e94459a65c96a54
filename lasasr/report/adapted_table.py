"""What adapting gained and what was forgotten, for the terminal and as a page."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.console import Group, RenderableType
from rich.table import Table

from lasasr.escaping import lines_escaped
from lasasr.report.adapted_chart import svg
from lasasr.report.escaped_text import escaped_text

SIDES: Final = ("target", "source")


def adapted_table(document: Mapping[str, Any]) -> RenderableType:
    """The sentences and the table.

    Args:
        document: the contents of adapted.json.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    headers = {"method": "left", "seeds": "right", "on": "left", "before": "right", "after": "right"}
    for header, justify in (headers | {"points": "right", "verdict": "left"}).items():
        table.add_column(header, justify=justify, no_wrap=header != "method", overflow="fold")  # type: ignore[arg-type]
    for method in document["methods"]:
        for side in SIDES:
            change, first = method[side], side == "target"
            cells = [method["name"] if first else "", str(len(method["runs"])) if first else ""]
            cells += [side, f"{change['before']:.2f}", f"{change['after']:.2f}"]
            table.add_row(*(escaped_text(cell) for cell in (*cells, points(change), change["word"])))
    several = len(document["methods"]) > 1
    sentences = [
        f"{method['name'] + ', ' if several else ''}{side}: {method[side]['sentence']}"
        for method in document["methods"]
        for side in SIDES
    ]
    return Group(
        *(escaped_text(line, style="bold") for line in sentences),
        escaped_text(""),
        table,
        escaped_text(legend(document)),
    )


def points(change: Mapping[str, Any]) -> str:
    """A difference with its interval."""
    interval = change["interval"]
    bounds = (
        "" if interval is None or interval["low"] is None else f" ({interval['low']:+.2f} to {interval['high']:+.2f})"
    )
    return f"{change['points']:+.2f}{bounds}"


def legend(document: Mapping[str, Any]) -> str:
    """What the numbers are."""
    sets = "; ".join(
        f"{side}: {document[side]['split']}, {document[side]['utterances']:,} utterances of "
        f"{document[side]['speakers']:,} speakers"
        for side in SIDES
    )
    rules, of_each = document["rules"], ", two of each method" if len(document["methods"]) > 1 else ""
    return (
        f"{document['metric'].upper()} in percent, mean over seeds; points: after − before, {1.0 - rules['level']:.0%} "
        f"interval; verdicts at the {rules['level']:.0%} level after Holm for {rules['questions']} questions{of_each}. "
        f"{sets}. "
        f"search: {document['search']}"
    )


def adapted_page(document: Mapping[str, Any]) -> str:
    """One HTML file that needs no network."""
    environment = Environment(
        loader=PackageLoader("lasasr.report", "page_parts"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(points=points)
    stream = io.BytesIO()
    svg(document, stream)
    picture = stream.getvalue().decode()
    html = environment.get_template("adapted.html").render(
        document=document, sides=SIDES, legend=legend(document), picture=picture[picture.index("<svg") :]
    )
    return lines_escaped(html)
