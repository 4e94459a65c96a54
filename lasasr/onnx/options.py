"""The options of a search in metadata.json, and those that a caller sets in their place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from lasasr.errors import UsageError

GREEDY, BEAM, CTC_GREEDY = "greedy", "beam", "ctc_greedy"
_LIMITS: Final = ("min_ratio", "max_ratio", "min_length", "max_length")
_NEEDED: Final = {
    GREEDY: ("limits",),
    BEAM: ("beam", "ctc_weight", "length_bonus", "temperature", "limits"),
    CTC_GREEDY: (),
}


def merged(
    stored: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path, has_decoder: bool = True
) -> dict[str, Any]:
    """The options of `stored` with those of `wanted` in their place; of limits some may be given.

    Args:
        folder: in errors.
        has_decoder: False of a model that is a CTC head alone.

    Raises:
        UsageError: the search has no such option, or one has a value that it cannot have.
    """
    if unknown := sorted(wanted.keys() - stored.keys()):
        raise UsageError(f"the search of {folder} has no option {unknown[0]}: {', '.join(stored)}")
    options = {**stored, **wanted}
    limits = wanted.get("limits")
    if isinstance(limits, Mapping):
        if unknown := sorted(limits.keys() - set(_LIMITS)):
            raise UsageError(f"limits have no {unknown[0]}: {', '.join(_LIMITS)}")
        options["limits"] = {**stored["limits"], **limits}
    _check(options, folder)
    if options["kind"] == BEAM and not has_decoder and options["ctc_weight"] < 1.0:
        raise UsageError(f"{folder} has a CTC head alone: ctc_weight must be 1, got {options['ctc_weight']}")
    return options


def needs_ctc(options: Mapping[str, Any], has_decoder: bool) -> bool:
    """Whether the search reads the CTC head."""
    kind = options["kind"]
    return kind == CTC_GREEDY or not has_decoder or (kind == BEAM and options["ctc_weight"] > 0.0)


def _check(options: Mapping[str, Any], folder: Path) -> None:
    kind = options.get("kind")
    if kind not in _NEEDED:
        raise UsageError(f"search {kind!r} is none that lasasr.onnx has: {', '.join(_NEEDED)}")
    if missing := [name for name in _NEEDED[kind] if name not in options]:
        raise UsageError(f"{folder} holds no {missing[0]} for the search {kind}; export it with that search")
    for name in _NEEDED[kind]:
        words, fits = _VALUES[name]
        if not fits(options[name]):
            raise UsageError(f"{name} of the search must be {words}, got {options[name]!r}")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _limits(value: Any) -> bool:
    if not isinstance(value, Mapping) or set(value) != set(_LIMITS):
        return False
    ratios = all(_number(value[name]) and value[name] >= 0.0 for name in ("min_ratio", "max_ratio"))
    longest = value["max_length"]
    return ratios and _count(value["min_length"], 0) and (longest is None or _count(longest, 1))


_VALUES: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "beam": ("a whole number from 1", lambda value: _count(value, 1)),
    "ctc_weight": ("in [0, 1]", lambda value: _number(value) and 0.0 <= value <= 1.0),
    "length_bonus": ("a finite number", _number),
    "temperature": ("above 0", lambda value: _number(value) and value > 0.0),
    "limits": (f"{', '.join(_LIMITS)}, none below 0", _limits),
}
