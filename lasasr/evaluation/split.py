"""From a recognizer and a prepared split to results/ and plots/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lasasr.artifacts import files, results
from lasasr.artifacts.search_identity import model_contents, search_identity
from lasasr.corpora.base import Progress
from lasasr.distributed.ranks import Ranks
from lasasr.evaluation.decoding import decode_split
from lasasr.evaluation.maps import draw
from lasasr.evaluation.summary import summary
from lasasr.evaluation.vocabulary import outside_vocabulary
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import ALONE, Prepared
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
    """Decode a split as the run's own result: count its errors, and write results/ and plots/ below `folder`.

    Args:
        folder: of the run; None writes nothing.
        ranks: that share the split; the first one writes, all return the same.

    Returns:
        The summary, as it stands in results/<split>.json.
    """
    (made,) = evaluate_searches([recognizer], prepared, split, [config], folder, progress, ranks)
    return made


def evaluate_searches(
    recognizers: Sequence[Recognizer],
    prepared: Prepared,
    split: str,
    configs: Sequence[Mapping[str, Any]],
    folder: Path | None,
    progress: Progress,
    ranks: Ranks = ALONE,
    names: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The summary of a split under each search of one model; every batch is heard once for all of them.

    Args:
        recognizers: that differ in their search only (`Recognizer.searching`).
        configs: theirs; that of the first says how the split is decoded.
        folder: see `evaluate_split`.
        names: of the results, one for each search (`artifacts.run_results`); none: the split's, which is the run's own.
    """
    decoded = decode_split(recognizers, prepared, split, configs[0], progress, ranks)
    summaries = []
    for place, (recognizer, config, (done, seconds)) in enumerate(zip(recognizers, configs, decoded, strict=True)):
        summarised = summary(split, done, seconds, about(recognizer, prepared, split, config))
        summaries.append(summarised)
        if folder is not None and ranks.first:
            name = names[place] if names else split
            lines = [outcome.line() for outcome in done]
            results.write(folder / "results", split, summarised, lines, name)
            files.write_text(folder / "results" / f"{name}.txt", error_text(summarised, lines))
            plots = folder / "plots" if name == split else folder / "plots" / name
            draw(recognizer, prepared, split, done[: config["evaluate"]["maps"]], plots)
    return summaries


def about(recognizer: Recognizer, prepared: Prepared, split: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What results/<split>.json says beside the numbers."""
    search = config["search"]
    models = model_contents(search)
    return {
        "metric": recognizer.error_metric,
        "search": search,
        "search_id": search_identity(search, models).search_id,
        "search_choice": config["choices"].get("search"),
        "search_models": models,
        "data": prepared.content(split),
        "outside_vocabulary": outside_vocabulary(recognizer.tokenizer, prepared.utterances(split).texts),
        "normalizer": recognizer.normalizer,
        "protocol": transcript.from_name(recognizer.normalizer).protocol,
        "seed": config["seed"],
        "recipe": config["recipe"],
        "attend": config["choices"].get("attend"),
        "parameters": recognizer.parameter_count,
        "corpus": prepared.fingerprint,
    }
