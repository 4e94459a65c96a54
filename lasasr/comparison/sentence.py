"""The verdict of a comparison in a few sentences, the first of which stands alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lasasr.comparison.pairs import Against, against, centre, interval_of, labels, signed

MANY = 6  # names in a list, from which on they are counted


def sentences(made: dict[str, Any]) -> list[str]:
    """What a comparison says, the most important first."""
    systems = made["systems"]
    if len(systems) == 1:
        return [*_alone(systems[0], made), *_caveats(made)]
    middle, (_, short) = centre(made), labels(made)
    found = [one._replace(name=short[one.name]) for one in against(made, middle)]
    told = [_headline(made, middle, found)]
    if made["about"] == "runs" and any(one.word != "cannot decide" for one in found):
        told.append(_not_about_systems(made))
    return [*told, *_detectable(found), *_needed(made), *_caveats(made)]


def _alone(system: dict[str, Any], made: dict[str, Any]) -> list[str]:
    seeds = len(system["seeds"])
    where = interval_of(system, made["about"])
    told = f"{system['name']}: {made['metric'].upper()} {system['percent']:.2f} %{_bounds(where)}"
    told += f" with seed {system['seeds'][0]}" if seeds == 1 else f", the mean of {seeds} seeds"
    if system["seed_sd"] is not None:
        told += f" (standard deviation between seeds {system['seed_sd']:.2f} points)"
    if seeds == 1:
        return [f"{told}; there is nothing to compare it with."]
    return [f"{told}; runs that differ by their seed only are one system, so there is no difference to judge."]


def _bounds(where: dict[str, Any] | None) -> str:
    return "" if where is None else f" ({where['low']:.2f} to {where['high']:.2f})"


def _headline(made: dict[str, Any], centre: str, found: Sequence[Against]) -> str:
    """Which are better, worse, and neither, seen from the baseline or from the lowest rate."""
    system = next(one for one in made["systems"] if one["name"] == centre)
    rate = f"{made['metric'].upper()} {system['percent']:.2f} %"
    what = "" if made["about"] == "systems" else "these runs of "
    words = {word: [one for one in found if one.word == word] for word in ("better", "worse", "no difference shown")}
    if made["baseline"]:
        parts = [_listed(words["better"], "better: ", _points), _listed(words["worse"], "worse: ", _points)]
        parts.append(_listed(words["no difference shown"], "no difference shown: ", _unshown(len(made["pairs"]))))
        undecided = [one for one in found if one.word == "cannot decide"]
        parts.append(_listed(undecided, "cannot be decided: ", lambda _: ""))
        return f"Against {what}{centre} ({rate}): {'; '.join(part for part in parts if part)}."
    if len({one["percent"] for one in made["systems"]}) == 1:
        return f"No difference: {_named(one['name'] for one in made['systems'])} have the same {rate}."
    undecided = [one for one in found if one.word == "cannot decide"]
    lowest = f"the lowest is {centre}, {rate}"
    if len(undecided) == len(found):
        return f"The data cannot decide between {what}{_any(found, centre)} ({undecided[0].reason}); {lowest}."
    if not words["worse"]:
        told = f"No difference is shown between {what}{_any(found, centre)}; {lowest}"
    else:
        subject = f"{what[:1].upper()}{what[1:]}{centre} ({rate})"
        told = f"{subject} {'are' if what else 'is'} better than {_named(one.name for one in words['worse'])}"
        if rest := words["no difference shown"]:
            told += f"; {_listed(rest, 'no difference is shown to ', _unshown(len(made['pairs'])))}"
    if undecided:
        told += f"; {_listed(undecided, 'cannot be decided: ', lambda _: '')}"
    return f"{told}."


def _any(found: Sequence[Against], centre: str) -> str:
    return f"{centre} and {found[0].name}" if len(found) == 1 else f"the {len(found) + 1} systems"


def _listed(some: Sequence[Against], words: str, told: Callable[[Against], str]) -> str:
    """The words and the names, each with what is told of it where there are few; nothing where there are none."""
    if len(some) > MANY:
        return f"{words}{_named(one.name for one in some)}"
    return words + ", ".join(f"{one.name}{told(one)}" for one in some) if some else ""


def _points(one: Against) -> str:
    return f" ({signed(one.points)} points)"


def _unshown(pairs: int) -> Callable[[Against], str]:
    """Of a difference that is not shown also what would have been, lest a wide spread is read as no difference."""
    return lambda one: f" ({signed(one.points)} points{_why_not(one, pairs)})"


def _why_not(one: Against, pairs: int) -> str:
    if one.detectable is None:
        return ""
    if one.detectable > abs(one.points):
        return f", {one.detectable:.2f} would show"
    return f", not enough for {pairs} pairs at once" if pairs > 1 else ""


def _named(names: Iterable[str]) -> str:
    listed = list(names)
    if len(listed) > MANY:
        return f"{', '.join(listed[:MANY])} and {len(listed) - MANY} others"
    return " and ".join([", ".join(listed[:-1]), listed[-1]]) if len(listed) > 1 else "".join(listed)


def _not_about_systems(made: dict[str, Any]) -> str:
    reasons = {one["why"] for one in made["pairs"]}
    why = f": {reasons.pop()}" if len(reasons) == 1 else ""
    return f"That is about these trained models; whether other seeds would agree cannot be decided{why}."


def _detectable(found: Sequence[Against]) -> list[str]:
    """The smallest difference that would have been found."""
    points = [one.detectable for one in found if one.detectable is not None]
    if not points:
        return []
    span = f"{min(points):.2f}" if max(points) - min(points) < 0.005 else f"{min(points):.2f} to {max(points):.2f}"
    return [f"Smallest difference that this test set can show with 80 % power: {span} points."]


def _needed(made: dict[str, Any]) -> list[str]:
    """What would show the difference that was asked for."""
    points = made["rules"]["wanted_points"]
    answers = [pair[made["about"]] or pair["runs"] for pair in made["pairs"]] if points is not None else []
    asked = [one["needed"] for one in answers if one is not None and one["needed"] is not None]
    if not asked:
        return []
    utterances = [one["utterances"] for one in asked]
    told = f"{_most(utterances)} utterances of as many more speakers"
    if made["about"] == "systems":
        told += f" or {_most([one['seeds'] and max(one['seeds']) for one in asked])} seeds of each"
    return [f"To show {points:g} points between every pair with 80 % power: {told}."]


def _most(counts: Sequence[int | None]) -> str:
    return "no number of" if None in counts else f"{max(one for one in counts if one is not None):,}"


def _caveats(made: dict[str, Any]) -> list[str]:
    told = []
    gone = {one["name"]: one["diverged"] for one in made["systems"] if one["diverged"]}
    if gone:
        listed = ", ".join(f"{name} (seed {', '.join(seeds)})" for name, seeds in gone.items())
        told.append(f"Diverged, and counted in: {listed}.")
    if missing := made["missing"]:
        listed = ", ".join(f"{one['name']} ({one['status']})" for one in missing[:MANY])
        more = f" and {len(missing) - MANY} more" if len(missing) > MANY else ""
        told.append(f"{len(missing)} run{'s' * (len(missing) > 1)} of the sweep without a result: {listed}{more}.")
    return [*told, *(f"Note: {note}." for note in made["notes"])]
