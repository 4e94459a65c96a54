"""A comparison as one HTML file: no network, light and dark, for phone and desktop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from lasasr.comparison.pairs import centre, labels
from lasasr.report import charts
from lasasr.report.comparison_columns import columns, sorted_systems, test_set

LARGEST: Final = 5_000_000  # bytes of a page for five systems of three seeds


def page(made: Mapping[str, Any], details: Mapping[str, Any], maps: Mapping[str, Any], notes: list[str]) -> str:
    """The page.

    Args:
        made: the contents of comparison.json.
        details: of `comparison.details`.
        maps: utterance id → spectrogram, attention maps and audio, of `lasasr.comparison_maps`; may be empty.
        notes: what has to be said about the maps.
    """
    environment = Environment(
        loader=PackageLoader("lasasr.report", "page_parts"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
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
        forest=charts.forest(made),
        curves=charts.curves(details["curves"], order),
        styles={name: charts.style(place) for place, name in enumerate(order)},
        breakdowns=[{**one, "shaded": charts.shades(one)} for one in details["breakdowns"]],
        matrix=charts.matrix(made, order),
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
    return {"metric": made["metric"], "runs": runs, "utterances": details["utterances"], "maps": dict(maps)}


def _versions(made: Mapping[str, Any]) -> list[dict[str, str]]:
    """The distinct sets of versions."""
    found: list[dict[str, str]] = []
    for run in (run for one in made["systems"] for run in one["runs"]):
        versions = run.get("versions")
        if versions and versions not in found:
            found.append(versions)
    return found
