"""A search whose beam favours hot words, made of one that does not."""

from __future__ import annotations

from collections.abc import Mapping

from lasasr.configuration.sections import Plain
from lasasr.errors import UsageError
from lasasr.text import transcript

PATIENCE = 10  # steps without a new one among the n best, after which a search with hot words ends


def is_beam(search: Plain) -> bool:
    """Whether it is the beam search of the toolkit."""
    return str(search["_target_"]).endswith(".BeamSearch")


def refuse_unfit(search: Plain, place: str) -> None:
    """Refuse a search that cannot take hot words, or has its own.

    Args:
        search: as configured.
        place: where the hot words come from.

    Raises:
        UsageError: it is no beam search, or has hot words.
    """
    if not is_beam(search):
        raise UsageError(f"{place} needs a beam search: add search=beam or search=beam_ctc")
    if "hotwords" in (search.get("scorers") or {}):
        raise UsageError(f"{place} and search.scorers.hotwords are both given; give one of them")


def with_phrases(search: Plain, phrases: Mapping[str, float], normalizer: str) -> Plain:
    """A beam search with phrases, which pass through the transcript rule, beside what scores already.

    Args:
        search: as configured; see `refuse_unfit`.
        phrases: with their boosts.
        normalizer: name/version of the transcript rule.

    Raises:
        UsageError: the rule leaves nothing of a phrase.
    """
    scorers = search.get("scorers") or {}
    rule = transcript.from_name(normalizer)
    ruled = {rule(phrase): boost for phrase, boost in phrases.items()}
    if "" in ruled:
        empty = next(phrase for phrase in phrases if not rule(phrase))
        raise UsageError(f"hot word {empty!r}: nothing is left of it as transcripts are written ({normalizer})")
    entry = {"_target_": "lasasr.search.hotwords.HotWords", "_partial_": True, "weight": 1.0, "phrases": ruled}
    pruning = {"_target_": "lasasr.search.pruning.Pruning", **(search.get("pruning") or {})}
    if pruning.get("end_patience") is None:  # a boost that might still come would keep every search going to its limit
        pruning["end_patience"] = PATIENCE
    return {**search, "scorers": {**scorers, "hotwords": entry}, "pruning": pruning}
