"""From a recognizer and a prepared split to results/ and plots/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lasasr import files, results
from lasasr.corpora.base import Progress
from lasasr.evaluation.decoding import decode_split
from lasasr.evaluation.maps import draw
from lasasr.evaluation.summary import summary
from lasasr.prepare import ALONE, Prepared
from lasasr.ranks import Ranks
from lasasr.recognizer import Recognizer
from lasasr.report.error_text import error_text
from lasasr.text import transcript


def evaluate_split(
    recognizer: Recognizer,
    prepared: Prepared,
    split: str,
    config: Mapping[str, Any],
    folder: Path | None,
    progress: Progress,
    ranks: Ranks = ALONE,
) -> dict[str, Any]:
    """Decode a split, count its errors, and write results/ and plots/ below `folder` (None writes nothing).

    Args:
        ranks: that share the split; the first one writes, all return the same.

    Returns:
        The summary, as it stands in results/<split>.json.
    """
    ((done, seconds),) = decode_split([recognizer], prepared, split, config, progress, ranks)
    summarised = summary(split, done, seconds, about(recognizer, prepared, config))
    if folder is not None and ranks.first:
        lines = [one.line() for one in done]
        results.write(folder / "results", split, summarised, lines)
        files.write_text(folder / "results" / f"{split}.txt", error_text(summarised, lines))
        draw(recognizer, prepared, split, done[: config["evaluate"]["maps"]], folder / "plots")
    return summarised


def evaluate_searches(
    recognizers: Sequence[Recognizer],
    prepared: Prepared,
    split: str,
    configs: Sequence[Mapping[str, Any]],
    progress: Progress,
    ranks: Ranks = ALONE,
) -> list[dict[str, Any]]:
    """The summary of a split under each search of one model; every batch is heard once for all of them.

    Args:
        recognizers: that differ in their search only (`Recognizer.searching`).
        configs: theirs; that of the first says how the split is decoded.
    """
    decoded = decode_split(recognizers, prepared, split, configs[0], progress, ranks)
    return [
        summary(split, done, seconds, about(recognizer, prepared, config))
        for recognizer, config, (done, seconds) in zip(recognizers, configs, decoded, strict=True)
    ]


def about(recognizer: Recognizer, prepared: Prepared, config: Mapping[str, Any]) -> dict[str, Any]:
    """What results/<split>.json says beside the numbers."""
    return {
        "metric": recognizer.error_metric,
        "search": config["search"],
        "normalizer": recognizer.normalizer,
        "protocol": transcript.of(recognizer.normalizer).protocol,
        "seed": config["seed"],
        "recipe": config["recipe"],
        "attend": config["choices"].get("attend"),
        "parameters": recognizer.parameter_count,
        "corpus": prepared.fingerprint,
    }
