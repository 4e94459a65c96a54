"""The verdict of a comparison in a few sentences; the first one can be read without the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lasasr.comparison.pairs import (
    NO_SPEAKERS,
    CentreDifference,
    against,
    centre,
    decides,
    interval_of,
    labels,
    signed,
    speakers_unknown,
)

MANY = 6  # names in a list, from which on they are counted


def sentences(document: dict[str, Any]) -> list[str]:
    """The results of a comparison in words, the most important first."""
    systems = document["systems"]
    if len(systems) == 1:
        return [*_alone(systems[0], document), *_caveats(document)]
    centre_name, (_, short_names) = centre(document), labels(document)
    differences = [
        difference._replace(name=short_names[difference.name]) for difference in against(document, centre_name)
    ]
    if (plain := _nothing_shown(document, short_names[centre_name], differences)) is not None:
        return [plain, *_assumed(document), *_needed(document), *_caveats(document)]
    headline = _headline(document, centre_name, differences)
    detectable = _detectable(document, short_names[centre_name], differences)
    return [headline, *_assumed(document), *detectable, *_needed(document), *_caveats(document)]


def _alone(system: dict[str, Any], document: dict[str, Any]) -> list[str]:
    seeds = len(system["seeds"])
    interval = interval_of(system, document["about"])
    text = f"{system['name']}: {document['metric'].upper()} {system['percent']:.2f} %{_bounds(interval)}"
    text += f" with seed {system['seeds'][0]}" if seeds == 1 else f", the mean of {seeds} seeds"
    if system["seed_sd"] is not None:
        text += f" (standard deviation between seeds {system['seed_sd']:.2f} points)"
    if seeds == 1:
        return [f"{text}; there is nothing to compare it with."]
    return [f"{text}; runs that differ by their seed only are one system, so there is no difference to judge."]


def _bounds(interval: dict[str, Any] | None) -> str:
    return "" if interval is None else f" ({interval['low']:.2f} to {interval['high']:.2f})"


def _headline(document: dict[str, Any], centre_name: str, differences: Sequence[CentreDifference]) -> str:
    """Which systems are better, worse and neither than the baseline, or than the lowest rate, and what is undecided.

    Where nothing can be decided about the systems, the differences are about their runs, and that is said, too.
    """
    system = next(system for system in document["systems"] if system["name"] == centre_name)
    rate = f"{document['metric'].upper()} {system['percent']:.2f} %"
    of_runs = "" if document["about"] == "systems" else "these runs of "
    groups = {
        word: [difference for difference in differences if difference.word == word]
        for word in ("better", "worse", "no difference shown", "cannot decide")
    }
    undecided, decided = groups["cannot decide"], len(groups["cannot decide"]) < len(differences)
    other_seeds = _about_other_seeds(document) if of_runs and decided else ""
    if document["baseline"]:
        if not decided:
            return f"Against {of_runs}{centre_name} ({rate}) {_undecided(undecided)}."
        parts = [_listed(groups["better"], "better: ", _points), _listed(groups["worse"], "worse: ", _points)]
        parts.append(_listed(groups["no difference shown"], "no difference shown: ", _unshown(len(document["pairs"]))))
        parts += [_undecided(undecided), other_seeds]
        return f"Against {of_runs}{centre_name} ({rate}): {'; '.join(part for part in parts if part)}."
    lowest = f"the lowest is {centre_name}, {rate}"
    if len({system["percent"] for system in document["systems"]}) == 1:
        lowest = f"all have {rate}"
    if not decided:
        between = f"{of_runs}{_any(differences, centre_name)}"
        return f"The data cannot decide between {between} ({_reasons(undecided)}); {lowest}."
    if groups["worse"]:
        subject = f"{of_runs[:1].upper()}{of_runs[1:]}{centre_name} ({rate})"
        beaten = _named(difference.name for difference in groups["worse"])
        text = f"{subject} {'are' if of_runs else 'is'} better than {beaten}"
        if rest := groups["no difference shown"]:
            text += f"; {_listed(rest, 'no difference is shown to ', _unshown(len(document['pairs'])))}"
        parts = [text, _undecided(undecided), other_seeds]
    else:
        unshown = f"o difference is shown between {of_runs}{_any(groups['no difference shown'], centre_name)}"
        parts = [f"{other_seeds[:1].upper()}{other_seeds[1:]}; n{unshown}" if other_seeds else f"N{unshown}"]
        parts += [lowest, _undecided(undecided)]
    return f"{'; '.join(part for part in parts if part)}."


def _nothing_shown(document: dict[str, Any], name: str, differences: Sequence[CentreDifference]) -> str | None:
    """What would have been seen and what was, where no difference at all is shown; None: there is more to say."""
    points = [abs(difference.points) for difference in differences]
    detectable = [difference.detectable or 0.0 for difference in differences]  # without a spread none is
    shown = any(difference.word != "no difference shown" for difference in differences)
    # a difference that one pair would have shown is too small for many at once, which takes more words
    if shown or document["about"] != "systems" or any(x >= y for x, y in zip(points, detectable, strict=True)):
        return None
    others = _named(difference.name for difference in differences)
    between = f"{name} and {others}" if len(differences) == 1 else f"{name} and each of {others}"
    lowest = "" if document["baseline"] else f" Lowest is {name}, {document['metric'].upper()} {_rate(document):.2f} %."
    seen = f"between {between} we saw {_span(points)}, so no difference is shown"
    return f"{_would_have_seen(document, name, differences)}; {seen}.{lowest}"


def _rate(document: dict[str, Any]) -> float:
    return min(float(system["percent"]) for system in document["systems"])


def _would_have_seen(document: dict[str, Any], centre_name: str, differences: Sequence[CentreDifference]) -> str:
    """The smallest difference that would have been found, and by how many seeds of the systems that it is of."""
    points = [difference.detectable for difference in differences if difference.detectable is not None]
    named = {centre_name, *(difference.name for difference in differences)}
    short_names = labels(document)[1]
    counts = sorted({len(system["seeds"]) for system in document["systems"] if short_names[system["name"]] in named})
    seeds = f" and {counts[0]}" + (f" to {counts[-1]}" if len(counts) > 1 else "") + " seed" + "s" * (counts[-1] > 1)
    what = f"this test set{seeds if document['about'] == 'systems' else ''}"
    alone = " in one pair alone" if len(document["pairs"]) > 1 else ""  # Holm's adjustment for many asks for more
    return f"With {what} we would have seen a difference of {_span(points)} points or more{alone}"


def _span(points: Sequence[float]) -> str:
    return f"{min(points):.2f}" if max(points) - min(points) < 0.005 else f"{min(points):.2f} to {max(points):.2f}"


def _about_other_seeds(document: dict[str, Any]) -> str:
    reasons = dict.fromkeys(pair["why"] for pair in document["pairs"])
    return f"the data cannot decide about other seeds ({', or '.join(reasons)})"


def _undecided(differences: Sequence[CentreDifference]) -> str:
    """What the data cannot decide, and why; an empty text without any."""
    reasons: dict[str, list[str]] = {}
    for difference in differences:
        reasons.setdefault(difference.reason, []).append(difference.name)
    listed = ", ".join(f"{_named(names)} ({reason})" for reason, names in reasons.items())
    return f"the data cannot decide about {listed}" if listed else ""


def _reasons(differences: Sequence[CentreDifference]) -> str:
    return ", or ".join(dict.fromkeys(difference.reason for difference in differences))


def _any(differences: Sequence[CentreDifference], centre_name: str) -> str:
    if len(differences) < MANY:
        return _named([centre_name, *(difference.name for difference in differences)])
    return f"the {len(differences) + 1} systems"


def _listed(differences: Sequence[CentreDifference], words: str, detail: Callable[[CentreDifference], str]) -> str:
    """The words and the names, each with its detail where the names are few; an empty text without names."""
    if len(differences) > MANY:
        return f"{words}{_named(difference.name for difference in differences)}"
    return (
        words + ", ".join(f"{difference.name}{detail(difference)}" for difference in differences) if differences else ""
    )


def _points(difference: CentreDifference) -> str:
    return f" ({signed(difference.points)} points)"


def _unshown(pairs: int) -> Callable[[CentreDifference], str]:
    """For a difference that is not shown, add what would be shown: a wide spread must not read as no difference."""
    return lambda difference: f" ({signed(difference.points)} points{_why_not(difference, pairs)})"


def _why_not(difference: CentreDifference, pairs: int) -> str:
    if difference.detectable is None:
        return ""
    if difference.detectable > abs(difference.points):
        return f", {difference.detectable:.2f} would show" + (" alone" if pairs > 1 else "")
    return f", not enough for {pairs} pairs at once" if pairs > 1 else ""


def _named(names: Iterable[str]) -> str:
    listed = list(names)
    if len(listed) > MANY:
        return f"{', '.join(listed[:MANY])} and {len(listed) - MANY} others"
    return " and ".join([", ".join(listed[:-1]), listed[-1]]) if len(listed) > 1 else "".join(listed)


def _assumed(document: dict[str, Any]) -> list[str]:
    """What the verdict takes for granted, where it is a verdict."""
    if not any(decides(pair, document["about"]) for pair in document["pairs"]):
        return []
    assumed = []
    if speakers_unknown(document) and NO_SPEAKERS not in document["notes"]:  # said once
        assumed.append("Every utterance counts as a speaker of its own; if some share a speaker, this is too certain.")
    if document["rules"]["trust_normal_seeds"]:
        assumed.append("Seeds are taken as normally distributed.")
    return assumed


def _detectable(document: dict[str, Any], centre_name: str, differences: Sequence[CentreDifference]) -> list[str]:
    """The smallest difference that would have been found: of those pairs whose data can decide anything."""
    decided = [one for one in differences if one.word != "cannot decide" and one.detectable is not None]
    return [f"{_would_have_seen(document, centre_name, decided)} (80 % power)."] if decided else []


def _needed(document: dict[str, Any]) -> list[str]:
    """The utterances or seeds that would show the wanted difference."""
    points = document["rules"]["wanted_points"]
    answers = [pair[document["about"]] for pair in document["pairs"]] if points is not None else []
    required = [answer["needed"] for answer in answers if answer is not None and answer["needed"] is not None]
    if not required:
        return []
    utterances = [data["utterances"] for data in required]
    text = f"{_most(utterances)} utterances, from correspondingly more speakers"
    if document["about"] == "systems":
        text += f" or {_most([data['seeds'] and max(data['seeds']) for data in required])} seeds of each"
    pairs = "this pair" if len(answers) == 1 else "any one pair alone"
    unknown = len(answers) - len(required)
    but = f"; of {unknown} of the {len(answers)} pairs too little is known to say" if unknown else ""
    return [f"To show {points:g} points between {pairs} with 80 % power: {text}{but}."]


def _most(counts: Sequence[int | None]) -> str:
    return "no number of" if None in counts else f"{max(count for count in counts if count is not None):,}"


def _caveats(document: dict[str, Any]) -> list[str]:
    texts = []
    gone = {system["name"]: system["diverged"] for system in document["systems"] if system["diverged"]}
    if gone:
        listed = ", ".join(f"{name} (seed {', '.join(seeds)})" for name, seeds in gone.items())
        texts.append(f"Diverged, and counted in: {listed}.")
    young = {system["name"]: system["young"] for system in document["systems"] if system.get("young")}
    if young:
        listed = ", ".join(f"{name} (seed {', '.join(seeds)})" for name, seeds in young.items())
        texts.append(f"Young, still learning when training ended, and counted in: {listed}.")
    if missing := document["missing"]:
        listed = ", ".join(f"{run['name']} ({run['status']})" for run in missing[:MANY])
        more = f" and {len(missing) - MANY} more" if len(missing) > MANY else ""
        texts.append(f"{len(missing)} run{'s' * (len(missing) > 1)} without a result: {listed}{more}.")
    return [*texts, *(f"Note: {note}." for note in document["notes"])]
