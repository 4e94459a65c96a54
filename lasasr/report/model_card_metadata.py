"""The metadata of a model card, as huggingface_hub writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lasasr.errors import LasasrError
from lasasr.report.described_model import Described

TASK: Final = "automatic-speech-recognition"
# class of a corpus → its data set on the hub
DATASETS: Final = {
    "LibriSpeechCorpus": "openslr/librispeech_asr",
    "LibriSpeechSpeakersCorpus": "openslr/librispeech_asr",
    "Speechocean762Corpus": "mispeech/speechocean762",
}
_ON_HUB: Final = re.compile(r"[\w.-]+/[\w.-]+")


def metadata(described: Described) -> str:
    """YAML: licence, language, tags, data sets, and the results as a model index.

    Raises:
        LasasrError: huggingface_hub is not installed, or refuses it.
    """
    try:
        from huggingface_hub import EvalResult, ModelCardData
    except ImportError:
        raise LasasrError("a model card needs huggingface_hub: pip install 'lasasr[hub]'") from None
    dataset, chosen = _dataset(described), described.config.get("choices") or {}
    pretrained = described.card.pretrained
    base_model = pretrained.weights if pretrained and _ON_HUB.fullmatch(pretrained.weights or "") else None
    results = [
        EvalResult(
            task_type=TASK,
            dataset_type=dataset or described.corpus,
            dataset_name=described.corpus,
            dataset_split=str(summary["split"]),
            metric_type=metric,
            metric_name=name,
            metric_value=value,
        )
        for summary in described.results
        for metric, name, value in _measured(summary)
    ]
    try:
        data = ModelCardData(
            license=described.license,
            language=described.language,
            library_name="lasasr",
            pipeline_tag=TASK,
            tags=[TASK, "speech", "listen-attend-spell", *_tags(chosen)],
            datasets=dataset,
            metrics=sorted({result.metric_type for result in results}),
            base_model=base_model,
            model_name=described.name.rpartition("/")[2],
            eval_results=results,
        )
        return str(data.to_yaml())
    except Exception as error:  # of huggingface_hub
        reason = " ".join(str(error).split())[:200]
        raise LasasrError(f"the metadata of the model card is refused ({type(error).__name__}: {reason})") from None


def _measured(summary: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(metric, name with its interval, value) of a result."""
    bounds, metric = summary.get("ci95"), str(summary["metric"])
    interval = f" (95 %: {bounds[0]:.2f} to {bounds[1]:.2f})" if bounds else ""
    measured = [(metric, f"{metric.upper()} %{interval}", round(float(summary["percent"]), 2))]
    if metric == "wer" and summary.get("cer_percent") is not None:
        measured.append(("cer", "CER %", round(float(summary["cer_percent"]), 2)))
    return measured


def _dataset(described: Described) -> str | None:
    """What the corpus is called on the hub; None: it is not there."""
    corpus = described.config["corpus"]
    named = str(corpus.get("dataset") or "")
    if _ON_HUB.fullmatch(named):
        return named
    return DATASETS.get(corpus["_target_"].rpartition(".")[2])


def _tags(chosen: Mapping[str, Any]) -> list[str]:
    return [f"{part}-{chosen[part]}".replace("_", "-") for part in ("listen", "attend") if chosen.get(part)]
