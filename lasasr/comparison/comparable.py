"""Refuses runs that cannot be compared: another metric, normalizer, search or test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lasasr.comparison.entries import DecodedRun
from lasasr.comparison.settings import Settings, differing, search_settings, shown
from lasasr.errors import LasasrError

LINE_KEYS: Final = ("reference", "speaker", "duration_s")  # in which utterances of all runs must be the same


def refuse(
    runs: Sequence[DecodedRun], any_search: bool = False, any_corpus: bool = False, renormalized: bool = False
) -> list[str]:
    """Refuse runs that cannot be compared; the notes name differences that the caller allowed.

    Args:
        any_search, any_corpus, renormalized: as `grouping.groups` takes them.

    Raises:
        LasasrError: another metric, normalizer, search, corpus, or other utterances, references, speakers, durations.
    """
    first, notes = runs[0], []
    for run in runs[1:]:
        _refuse_other("metric", first, run)
        if not renormalized:
            _refuse_other("normalizer", first, run, "; --normalizer NAME scores the texts of both alike")
        _refuse_other_audio(first, run, ("speaker", "duration_s") if renormalized else LINE_KEYS)
    normalizers = list(dict.fromkeys(str(run.summary.get("normalizer")) for run in runs))
    if len(normalizers) > 1:
        notes.append(f"the texts of the runs had passed different normalizers before: {', '.join(normalizers)}")
    searches = _searches(runs)
    if keys := differing([search.normal for search in searches]):
        differences = _spread(keys, [search.values for search in searches])
        if not any_search:
            raise LasasrError(
                f"the runs were decoded by different searches ({differences}); --any-search compares them so"
            )
        notes.append(f"decoded by different searches: {differences}")
    if (differ := _other_data(runs)) is not None:
        if not any_corpus:
            raise LasasrError(
                f"the runs' {differ}, so that even utterances of the same name may sound different; --any-corpus "
                f"compares them so"
            )
        notes.append(differ)
    return notes


def _searches(runs: Sequence[DecodedRun]) -> list[Settings]:
    """The searches of the runs; language models by their content, where all results say it, else by their paths."""
    searches = [search_settings(run.summary.get("search")) for run in runs]
    contents = [run.summary.get("search_models") for run in runs]
    if any(content is None for content in contents):
        return searches
    named = [{f"search.{key}": value for key, value in (content or {}).items()} for content in contents]
    return [
        search._replace(values=search.values | models, normal=search.normal | models)
        for search, models in zip(searches, named, strict=True)
    ]


def _other_data(runs: Sequence[DecodedRun]) -> str | None:
    """How the data of the runs differ: by content where all results hold its fingerprint, else by configuration."""
    if all("data" in run.summary for run in runs):
        contents = sorted({str(run.summary["data"]) for run in runs})
        return f"recordings differ (contents {', '.join(contents)})" if len(contents) > 1 else None
    corpora = sorted({str(run.summary.get("corpus")) for run in runs})
    return f"corpora are configured differently (fingerprints {', '.join(corpora)})" if len(corpora) > 1 else None


def _refuse_other(key: str, first: DecodedRun, other: DecodedRun, way_out: str = "") -> None:
    if first.summary.get(key) != other.summary.get(key):
        raise LasasrError(
            f"{first.name} and {other.name} cannot be compared: their {key} is {first.summary.get(key)} and "
            f"{other.summary.get(key)}{way_out}"
        )


def _refuse_other_audio(first: DecodedRun, other: DecodedRun, keys: Sequence[str]) -> None:
    """Refuse other utterances, references, speakers or durations; the message names the first difference."""
    theirs = {line["id"]: line for line in other.lines}
    ours = {line["id"] for line in first.lines}
    alone = sorted(ours ^ set(theirs))
    if alone:
        raise LasasrError(
            f"{first.name} and {other.name} were not decoded on the same utterances: {len(alone)} are in one only "
            f"({alone[0]}, ...); evaluate both on the same split"
        )
    for line in first.lines:
        for key in keys:
            if line.get(key) != theirs[line["id"]].get(key):
                raise LasasrError(
                    f"{first.name} and {other.name} cannot be compared: the {key} of utterance {line['id']} is "
                    f"{line.get(key)!r} and {theirs[line['id']].get(key)!r}"
                )


def _spread(keys: Sequence[str], values: Sequence[Mapping[str, Any]]) -> str:
    """`beam: 4 / 10`, of the first few keys."""
    each = {key: dict.fromkeys(shown(search.get(key)) for search in values) for key in keys[:4]}
    words = [f"{key.removeprefix('search.')}: {' / '.join(shown_values)}" for key, shown_values in each.items()]
    return "; ".join(words) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")
