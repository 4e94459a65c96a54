"""The pairs of a comparison as differences to one system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Scope = Literal["systems", "runs"]
OPPOSITE = {"better": "worse", "worse": "better"}

# a note of a comparison of texts
NO_SPEAKERS = (
    "no speakers are known, so each utterance counts as a speaker of its own: where a speaker says several, intervals "
    "are too narrow and p too small; --speaker or --utt2spk names them"
)


class CentreDifference(NamedTuple):
    """The difference of a system to another one, the centre; negative points: a lower error rate than the centre's."""

    name: str
    word: str  # "better", "worse", "no difference shown", "cannot decide"
    reason: str
    points: float
    low: float | None
    high: float | None
    p: float | None  # adjusted by Holm
    detectable: float | None
    superiority: float | None = None  # share of pairs of seeds in which it has the lower rate


def best(systems: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The system with the lowest error rate."""
    return min(systems, key=lambda system: system["percent"])


def verdict(pair: Mapping[str, Any], scope: str) -> dict[str, str]:
    """Word and reason, of the first against the second, about the systems or these runs of them."""
    suffix = "" if scope == "systems" else "_of_runs"
    return {"word": pair[f"verdict{suffix}"], "reason": pair[f"why{suffix}"]}


def decides(pair: Mapping[str, Any], scope: str) -> bool:
    """Whether the data were enough for a verdict."""
    return verdict(pair, scope)["word"] != "cannot decide"


def speakers_unknown(document: Mapping[str, Any]) -> bool:
    """Whether each utterance counts as a speaker of its own, as where nobody says who spoke."""
    return bool(document["speakers"] == document["utterances"])


def verdict_scope(pairs: Sequence[Mapping[str, Any]]) -> Scope:
    """What the verdicts shown are about: the systems, or only these runs where no pair can be decided otherwise."""
    return "systems" if not pairs or any(decides(pair, "systems") for pair in pairs) else "runs"


def centre(document: Mapping[str, Any]) -> str:
    """The system that the others are compared with: the baseline, else the one with the lowest rate."""
    return str(document["baseline"] or best(document["systems"])["name"])


def labels(document: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """What the systems differ in, and a label for each name: `attend`, {"attend=dot": "dot", ...}.

    Where they differ in more than one key, labels are the names.
    """
    names = [str(system["name"]) for system in document["systems"]]
    keys = {name.partition("=")[0] for name in names}
    if len(keys) > 1 or any(" " in name or "=" not in name for name in names):
        return "system", {name: name for name in names}
    return keys.pop(), {name: name.partition("=")[2] for name in names}


def against(document: Mapping[str, Any], centre_name: str) -> list[CentreDifference]:
    """Every system that was compared with `centre_name`, in the order of the systems."""
    differences = {}
    for pair in document["pairs"]:
        if centre_name in (pair["first"], pair["second"]):
            difference = _difference_to(pair, centre_name, document["about"])
            differences[difference.name] = difference
    return [differences[system["name"]] for system in document["systems"] if system["name"] in differences]


def _difference_to(pair: Mapping[str, Any], centre_name: str, scope: str) -> CentreDifference:
    turned = pair["first"] == centre_name  # the other is the second, so signs and words change
    outcome, answer = verdict(pair, scope), pair[scope]
    superiority = pair.get("superiority")  # older documents have none
    low, high = (None, None) if answer is None else (answer["interval"]["low"], answer["interval"]["high"])
    if turned and low is not None and high is not None:
        low, high = 0.0 - high, 0.0 - low
    return CentreDifference(
        name=pair["second"] if turned else pair["first"],
        word=OPPOSITE.get(outcome["word"], outcome["word"]) if turned else outcome["word"],
        reason=outcome["reason"],
        points=0.0 - pair["points"] if turned else pair["points"],
        low=low,
        high=high,
        p=None if answer is None else answer["p_holm"],
        detectable=None if answer is None else answer["detectable_points"],
        superiority=1.0 - superiority if turned and superiority is not None else superiority,
    )


def signed(points: float) -> str:
    """A difference with its sign; what rounds to 0 has +."""
    return f"{round(points, 2) + 0.0:+.2f}"


def interval_of(system: Mapping[str, Any], scope: str) -> dict[str, Any] | None:
    """The interval that goes with verdicts about the systems, over seeds and speakers, or about these runs, over
    speakers; else over utterances; None: there is none."""
    for name in ("mixed", "speakers", "utterances")[scope == "runs" :]:
        interval: dict[str, Any] = system["intervals"][name]
        if interval["low"] is not None:
            return {**interval, "over": name}
    return None
