"""From a recognizer and a prepared split to results/ and plots/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lasasr.artifacts import files, results
from lasasr.artifacts.search_identity import model_contents, search_identity
from lasasr.configuration.settings import Recognition
from lasasr.corpora.base import Progress
from lasasr.distributed.ranks import Ranks
from lasasr.evaluation.calibration import of_outcomes
from lasasr.evaluation.decoding import decode_split
from lasasr.evaluation.maps import draw
from lasasr.evaluation.summary import summary
from lasasr.evaluation.vocabulary import outside_vocabulary
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import ALONE, Prepared
from lasasr.report import figures
from lasasr.report.confidence_chart import confidence_chart
from lasasr.report.error_text import error_text
from lasasr.text import transcript
from lasasr.text.transcript import TranscriptRule


def evaluate_split(
    recognizer: Recognizer,
    prepared: Prepared,
    split: str,
    settings: Recognition,
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
    (summarised,) = evaluate_searches([recognizer], prepared, split, [settings], folder, progress, ranks)
    return summarised


def evaluate_searches(
    recognizers: Sequence[Recognizer],
    prepared: Prepared,
    split: str,
    searches: Sequence[Recognition],
    folder: Path | None,
    progress: Progress,
    ranks: Ranks = ALONE,
    names: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The summary of a split under each search of one model; every batch is encoded once for all of them.

    Args:
        recognizers: that differ in their search only (`Recognizer.searching`).
        searches: the settings of each; that of the first says how the split is decoded.
        folder: see `evaluate_split`.
        names: of the results, one for each search (`artifacts.run_results`); none: the split's, which is the run's own.
    """
    decoded = decode_split(recognizers, prepared, split, searches[0], progress, ranks)
    summaries = []
    for number, (recognizer, settings, (done, seconds)) in enumerate(zip(recognizers, searches, decoded, strict=True)):
        summarised = summary(split, done, seconds, metadata(recognizer, prepared, split, settings))
        summaries.append(summarised)
        if folder is not None and ranks.first:
            name = names[number] if names else split
            lines = [outcome.line() for outcome in done]
            results.write(folder / "results", split, summarised, lines, name)
            files.write_text(folder / "results" / f"{name}.txt", error_text(summarised, lines))
            plots = folder / "plots" if name == split else folder / "plots" / name
            draw(recognizer, prepared, split, done[: settings.evaluate.maps], plots)
            confidences, right = of_outcomes(done, recognizer.error_metric)
            if confidences:
                plots.mkdir(parents=True, exist_ok=True)
                figures.save(confidence_chart(confidences, right, name), plots / f"confidence-{split}.png")
    return summaries


def metadata(recognizer: Recognizer, prepared: Prepared, split: str, settings: Recognition) -> dict[str, Any]:
    """What results/<split>.json says beside the numbers."""
    models = model_contents(settings.search)
    return {
        "metric": recognizer.error_metric,
        "search": settings.search,
        "search_id": search_identity(settings.search, models).search_id,
        "search_choice": settings.choices.get("search"),
        "search_models": models,
        "data": prepared.content(split),
        "outside_vocabulary": outside_vocabulary(recognizer.tokenizer, prepared.utterances(split).texts),
        "normalizer": _rule_of(prepared.rule, transcript.from_name(recognizer.normalizer)),
        "protocol": transcript.from_name(recognizer.normalizer).protocol,
        "seed": settings.seed,
        "recipe": settings.recipe,
        "attend": settings.choices.get("attend"),
        "parameters": recognizer.parameter_count,
        "corpus": prepared.fingerprint,
    }


def _rule_of(references: TranscriptRule, trained: TranscriptRule) -> str:
    """The rule that the references went through, on a test set of another corpus that of this corpus.

    Where the two rules count errors otherwise, it is that of the recognizer, which counts them.
    """
    alike = references.scored is trained.scored and references.protocol == trained.protocol
    return str(references if alike else trained)
