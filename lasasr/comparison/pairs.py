"""Reading the pairs of a comparison from one system's side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

About = Literal["systems", "runs"]
OPPOSITE = {"better": "worse", "worse": "better"}


class Against(NamedTuple):
    """How a system stands to another one, the centre: a negative difference is a lower error rate than the centre's."""

    name: str
    word: str  # "better", "worse", "no difference shown", "cannot decide"
    reason: str
    points: float
    low: float | None
    high: float | None
    p: float | None  # adjusted by Holm
    detectable: float | None


def best(systems: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The system with the lowest error rate."""
    return min(systems, key=lambda one: one["percent"])


def verdict(pair: Mapping[str, Any], about: str) -> dict[str, str]:
    """Word and reason, of the first against the second, about the systems or these runs of them."""
    of = "" if about == "systems" else "_of_runs"
    return {"word": pair[f"verdict{of}"], "reason": pair[f"why{of}"]}


def decides(pair: Mapping[str, Any], about: str) -> bool:
    """Whether the data were enough for a verdict."""
    return verdict(pair, about)["word"] != "cannot decide"


def scope(pairs: Sequence[Mapping[str, Any]]) -> About:
    """What the verdicts shown are about: the systems, or only these runs where no pair can be decided otherwise."""
    return "systems" if not pairs or any(decides(one, "systems") for one in pairs) else "runs"


def centre(made: Mapping[str, Any]) -> str:
    """The system that the others are set against: the baseline, else the one with the lowest rate."""
    return str(made["baseline"] or best(made["systems"])["name"])


def labels(made: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """What the systems differ in, and a label for each name: `attend`, {"attend=dot": "dot", ...}.

    Where they differ in more than one key, labels are the names.
    """
    names = [str(one["name"]) for one in made["systems"]]
    keys = {name.partition("=")[0] for name in names}
    if len(keys) > 1 or any(" " in name or "=" not in name for name in names):
        return "system", {name: name for name in names}
    return keys.pop(), {name: name.partition("=")[2] for name in names}


def against(made: Mapping[str, Any], middle: str) -> list[Against]:
    """Every system that was compared with `middle`, in the order of the systems."""
    found = {}
    for pair in made["pairs"]:
        if middle in (pair["first"], pair["second"]):
            one = _seen(pair, middle, made["about"])
            found[one.name] = one
    return [found[one["name"]] for one in made["systems"] if one["name"] in found]


def _seen(pair: Mapping[str, Any], middle: str, about: str) -> Against:
    turned = pair["first"] == middle  # the other is the second, so signs and words change
    said, answer = verdict(pair, about), pair[about] or pair["runs"]
    low, high = (None, None) if answer is None else (answer["interval"]["low"], answer["interval"]["high"])
    if turned and low is not None and high is not None:
        low, high = 0.0 - high, 0.0 - low
    return Against(
        name=pair["second"] if turned else pair["first"],
        word=OPPOSITE.get(said["word"], said["word"]) if turned else said["word"],
        reason=said["reason"],
        points=0.0 - pair["points"] if turned else pair["points"],
        low=low,
        high=high,
        p=None if answer is None else answer["p_holm"],
        detectable=None if answer is None else answer["detectable_points"],
    )


def signed(points: float) -> str:
    """A difference with its sign; what rounds to nothing has +."""
    return f"{round(points, 2) + 0.0:+.2f}"


def interval_of(system: Mapping[str, Any], about: str) -> dict[str, Any] | None:
    """The interval that goes with verdicts about the systems, over seeds and speakers, or about these runs, over
    speakers; else over utterances; None: there is none."""
    for name in ("mixed", "speakers", "utterances")[about == "runs" :]:
        found: dict[str, Any] = system["intervals"][name]
        if found["low"] is not None:
            return {**found, "over": name}
    return None
