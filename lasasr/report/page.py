"""A comparison as one HTML file: no network, light and dark, for phone and desktop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from lasasr.comparison.card import placeless
from lasasr.comparison.pairs import centre, decides, labels, verdict
from lasasr.comparison.settings import shown
from lasasr.report import charts
from lasasr.report.comparison_columns import columns, searched_with, sorted_systems, test_set

LARGEST: Final = 5_000_000  # bytes of a page for five systems of three seeds


def page(made: Mapping[str, Any], details: Mapping[str, Any], maps: Mapping[str, Any], notes: list[str]) -> str:
    """The page.

    Args:
        made: the contents of comparison.json.
        details: of `comparison.details`.
        maps: utterance id → spectrogram, attention maps and audio, of `evaluation.comparison_maps`; may be empty.
        notes: what has to be said about the maps.
    """
    environment = Environment(
        loader=PackageLoader("lasasr.report", "page_parts"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(placeless=placeless, shown=shown)
    differs, short = labels(made)
    order = [one["name"] for one in sorted_systems(made)]
    systems = {one["name"]: one for one in made["systems"]}
    return environment.get_template("page.html").render(
        made=made,
        differs=differs,
        short=short,
        order=order,
        systems=systems,
        centre=centre(made),
        columns=columns(made),
        test_set=test_set(made),
        searched_with=searched_with(made),
        forest=charts.forest(made),
        curves=charts.curves(details["curves"], order),
        validated_by=details["validated_by"],
        styles={name: charts.style(place) for place, name in enumerate(order)},
        breakdowns=[{**one, "shaded": charts.shades(one)} for one in details["breakdowns"]],
        matrix=charts.matrix(made, order),
        needed=[_needed(one, made) for one in made["pairs"]],
        browser=_browser(made, details, maps, short),
        disputed=details["disputed"],
        notes=notes,
        runs=[{"system": name, **run} for name in order for run in systems[name]["runs"]],
        versions=_versions(made),
    )


def _browser(
    made: Mapping[str, Any], details: Mapping[str, Any], maps: Mapping[str, Any], short: Mapping[str, str]
) -> dict[str, Any]:
    """What the utterance browser's script reads."""
    runs = [
        {"system": short[one["name"]], "seed": run["seed"], "name": one["name"]}
        for one in made["systems"]
        for run in one["runs"]
    ]
    names = [run["name"] for run in runs]
    places = [names.index(one) for one in details["pair"]]
    opening = places if len(places) > 1 else [0, len(runs) - 1]  # of one system: its first seed and its last
    return {
        "metric": made["metric"],
        "runs": runs,
        "opening": opening,
        "utterances": details["utterances"],
        "maps": dict(maps),
    }


def _needed(pair: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    """How many utterances, or seeds, would show the difference that was found, or the one that was asked about."""
    answer = pair[made["about"]] or pair["runs"]
    found = None if answer is None else answer["needed"]
    shows = verdict(pair, made["about"])["word"] in ("better", "worse")
    if shows and made["rules"]["wanted_points"] is None:
        return "enough as it is"
    if found is None or found["utterances"] is None:
        return "–"
    if found["utterances"] <= made["utterances"]:
        return "enough as it is" if decides(pair, made["about"]) else "enough utterances"
    seeds = f" or {' + '.join(map(str, found['seeds']))} seeds" if found["seeds"] else ""
    return f"{found['utterances']:,} utterances{seeds}"


def _versions(made: Mapping[str, Any]) -> list[dict[str, str]]:
    """The distinct sets of versions."""
    found: list[dict[str, str]] = []
    for run in (run for one in made["systems"] for run in one["runs"]):
        versions = run.get("versions")
        if versions and versions not in found:
            found.append(versions)
    return found
