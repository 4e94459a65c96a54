"""A search whose beam favours hot words, made of one that does not."""

from __future__ import annotations

from collections.abc import Mapping

from lasasr.configuration.sections import Plain
from lasasr.errors import UsageError
from lasasr.text import transcript


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
    for key, entries in (("hotwords", search.get("hotwords")), ("scorers.hotwords", search.get("scorers"))):
        if entries and (key == "hotwords" or "hotwords" in entries):
            raise UsageError(f"{place} and search.{key} are both given; give one of them")


def with_phrases(search: Plain, phrases: Mapping[str, float], normalizer: str) -> Plain:
    """A beam search with phrases, which pass through the transcript rule, beside what scores already.

    Args:
        search: as configured; see `refuse_unfit`.
        phrases: with their boosts.
        normalizer: name/version of the transcript rule.

    Raises:
        UsageError: the rule leaves nothing of a phrase.
    """
    rule = transcript.from_name(normalizer)
    ruled = {rule(phrase): boost for phrase, boost in phrases.items()}
    if "" in ruled:
        empty = next(phrase for phrase in phrases if not rule(phrase))
        raise UsageError(f"hot word {empty!r}: nothing is left of it as transcripts are written ({normalizer})")
    return {**search, "hotwords": ruled}
