"""A comparison as one HTML file: no network, light and dark, for phone and desktop."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from lasasr.artifacts.provenance import placeless
from lasasr.comparison.budget import budget_words
from lasasr.comparison.facts import OF_CARD
from lasasr.comparison.pairs import centre, decides, labels, verdict
from lasasr.comparison.seed_order import seed_order
from lasasr.comparison.settings import shown
from lasasr.escaping import lines_escaped
from lasasr.report import charts
from lasasr.report.comparison_columns import columns, searched_with, sorted_systems, test_set
from lasasr.report.part_tables import part_cell

LARGEST: Final = 5_000_000  # bytes of a page for five systems of three seeds


NO_DETAILS: Final[Mapping[str, Any]] = {
    "curves": {},
    **dict.fromkeys(("breakdowns", "validated_by", "pair", "utterances"), ()),
    "watched": "",
    "disputed": 0,
}


def page(
    document: Mapping[str, Any], details: Mapping[str, Any] | None, maps: Mapping[str, Any], notes: list[str]
) -> str:
    """The page.

    Args:
        document: the contents of comparison.json.
        details: of `comparison.details`; None: a card does not hold them, and the page has fewer sections.
        maps: utterance id → spectrogram, attention maps and audio, of `evaluation.comparison_maps`; may be empty.
        notes: remarks on the maps.
    """
    complete = details is not None
    details = NO_DETAILS if details is None else details
    environment = Environment(
        loader=PackageLoader("lasasr.report", "page_parts"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(placeless=placeless, shown=shown)
    differs, short_names = labels(document)
    order = [system["name"] for system in sorted_systems(document)]
    systems = {system["name"]: system for system in document["systems"]}
    html = environment.get_template("page.html").render(
        document=document,
        complete=complete,
        part_cell=partial(part_cell, about=document["about"]),
        differs=differs,
        short_names=short_names,
        order=order,
        systems=systems,
        centre=centre(document),
        budgets=budget_words(document["budgets"]),
        columns=columns(document),
        test_set=test_set(document),
        searched_with=searched_with(document),
        forest=charts.forest(document),
        curves=charts.curves(details["curves"], order) if complete else None,
        watched=details["watched"],
        validated_by=details["validated_by"],
        styles={name: charts.style(index) for index, name in enumerate(order)},
        breakdowns=[{**breakdown, "shaded": charts.shades(breakdown)} for breakdown in details["breakdowns"]],
        matrix=charts.matrix(document, order),
        needed=[_needed(pair, document) for pair in document["pairs"]],
        browser=_browser(document, details, maps, short_names) if complete else None,
        disputed=details["disputed"],
        notes=notes,
        runs=[{**dict.fromkeys(OF_CARD), "system": name, **run} for name in order for run in _by_seed(systems[name])],
        versions=_versions(document),
    )
    return lines_escaped(html)  # the data that page.js reads are ASCII: it escapes them where it shows them


def _by_seed(system: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The runs of a system; cards of older versions have them in the order of the command line."""
    return sorted(system["runs"], key=lambda run: seed_order(str(run["seed"])))


def _browser(
    document: Mapping[str, Any], details: Mapping[str, Any], maps: Mapping[str, Any], short_names: Mapping[str, str]
) -> dict[str, Any]:
    """The data that the script of the utterance browser reads."""
    runs = [
        {"system": short_names[system["name"]], "seed": run["seed"], "name": system["name"]}
        for system in document["systems"]
        for run in system["runs"]
    ]
    names = [run["name"] for run in runs]
    indices = [names.index(name) for name in details["pair"]]
    opening = indices if len(indices) > 1 else [0, len(runs) - 1]  # of one system: its first seed and its last
    return {
        "metric": document["metric"],
        "runs": runs,
        "opening": opening,
        "utterances": details["utterances"],
        "maps": dict(maps),
    }


def _needed(pair: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """How many utterances, or seeds, would show the observed difference, or the wanted one."""
    answer = pair[document["about"]]
    required = None if answer is None else answer["needed"]
    shows = verdict(pair, document["about"])["word"] in ("better", "worse")
    if shows and document["rules"]["wanted_points"] is None:
        return "enough as it is"
    if required is None or required["utterances"] is None:
        return "–"
    if required["utterances"] <= document["utterances"]:
        return "enough as it is" if decides(pair, document["about"]) else "enough utterances"
    seeds = f" or {' + '.join(map(str, required['seeds']))} seeds" if required["seeds"] else ""
    return f"{required['utterances']:,} utterances{seeds}"


def _versions(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """The distinct sets of versions."""
    distinct: list[dict[str, str]] = []
    for run in (run for system in document["systems"] for run in system["runs"]):
        versions = run.get("versions")
        if versions and versions not in distinct:
            distinct.append(versions)
    return distinct
