"""`search.hotwords`, which is short for the entry `search.scorers.hotwords`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from lasasr.configuration.sections import Part
from lasasr.errors import UsageError

KEY: Final = "hotwords"
PATIENCE: Final = 10  # steps without a new one among the n best, after which a search with hot words ends
_SCORER: Final = {"_target_": "lasasr.search.hotwords.HotWords", "_partial_": True, "weight": 1.0}
_PRUNING: Final = {"_target_": "lasasr.search.pruning.Pruning"}


def expanded(search: Part) -> Part:
    """A search's configuration with the entry of `scorers` in the place of the key that is short for it.

    A boost that might still come would keep every search going to its length limit: where `pruning.end_patience` is not
    set, the search ends after `PATIENCE` steps without a new hypothesis among the n best.

    Raises:
        UsageError: both are given and differ, the key holds no phrases, or a boost is no finite number.
    """
    phrases = search.get(KEY)
    if phrases is not None and not isinstance(phrases, list | tuple | Mapping):
        raise UsageError(f"search.{KEY} is {phrases!r}, no list of phrases: write search.{KEY}=[ada lovelace]")
    if not phrases:
        return search
    for phrase, boost in phrases.items() if isinstance(phrases, Mapping) else ():
        if isinstance(boost, bool) or not isinstance(boost, int | float) or not math.isfinite(boost):
            raise UsageError(f"search.{KEY}: the boost of {phrase!r} must be a finite number, got {boost!r}")
    scorers = search.get("scorers") or {}
    entry: dict[str, Any] = {**_SCORER, "phrases": phrases}
    if KEY in scorers and _without_defaults(scorers[KEY]) != entry:
        raise UsageError(
            f"search.{KEY} is {_shown(phrases)}, but search.scorers.{KEY} is given too and differs; give one of them"
        )
    pruning = {**_PRUNING, **(search.get("pruning") or {})}
    if pruning.get("end_patience") is None:
        pruning["end_patience"] = PATIENCE
    rest = {key: value for key, value in search.items() if key != KEY}
    return {**rest, "scorers": {**scorers, KEY: entry}, "pruning": pruning}


def _without_defaults(entry: Any) -> Any:
    """An entry without the options that say nothing: no file, and a boost that every phrase without its own has."""
    if not isinstance(entry, Mapping):
        return entry
    idle = {"file": None, "boost": 1.0}
    return {key: value for key, value in entry.items() if key not in idle or value != idle[key]}


def _shown(phrases: Any) -> str:
    return str(phrases if isinstance(phrases, Mapping) else list(phrases))[:60]
