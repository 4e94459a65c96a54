"""Decoding utterances and counting their errors: one line per utterance, and one summary."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lasasr import results, special
from lasasr.corpora.base import Progress
from lasasr.data.batch import Batch
from lasasr.metrics.alignment import measure, summarised
from lasasr.metrics.bootstrap import interval
from lasasr.metrics.error_rates import Counts, compare, pooled
from lasasr.prepare import Prepared
from lasasr.recognizer import Recognizer
from lasasr.report import attention_map, figures
from lasasr.search.hypothesis import Hypothesis


@dataclass(frozen=True)
class Outcome:
    """What became of one utterance."""

    id: str
    speaker: str
    duration_s: float
    reference: str
    nbest: Sequence[Hypothesis]
    counts: Counts  # words or phones
    characters: Counts

    @property
    def best(self) -> Hypothesis:
        """The hypothesis that is scored."""
        return self.nbest[0]

    def line(self) -> dict[str, Any]:
        """As it stands in results/<split>.jsonl."""
        return {
            "id": self.id,
            "speaker": self.speaker,
            "duration_s": round(self.duration_s, 3),
            "reference": self.reference,
            "hypothesis": self.best.text,
            "substitutions": self.counts.substitutions,
            "deletions": self.counts.deletions,
            "insertions": self.counts.insertions,
            "score": self.best.score,
            "nbest": [{"text": one.text, "score": one.score, "scores": one.scores} for one in self.nbest],
            "flags": list(self.best.flags),
            "words": [asdict(word) for word in self.best.words],
        }


def outcomes(recognizer: Recognizer, batch: Batch) -> list[Outcome]:
    """Decode one batch and count the errors of the best hypotheses."""
    found = recognizer.recognize(batch.waveforms, batch.waveform_lengths, batch.ids)
    durations = (batch.waveform_lengths / recognizer.frontend.sample_rate_hz).tolist()
    rows = zip(batch.ids, batch.speakers, durations, batch.texts, found, strict=True)
    metric = recognizer.error_metric
    return [
        Outcome(*row, counts=compare(row[3], row[4][0].text, metric), characters=compare(row[3], row[4][0].text, "cer"))
        for row in rows
    ]


def evaluate_split(
    recognizer: Recognizer,
    prepared: Prepared,
    split: str,
    config: Mapping[str, Any],
    folder: Path | None,
    progress: Progress,
) -> dict[str, Any]:
    """Decode a split, count its errors, and write results/ and plots/ below `folder` (None writes nothing).

    Returns:
        The summary, as it stands in results/<split>.json.
    """
    batches = prepared.batches(split, recognizer.frontend.sample_rate_hz, config["evaluate"]["batch_s"])
    about = {
        "metric": recognizer.error_metric,
        "search": config["search"],
        "normalizer": recognizer.normalizer,
        "seed": config["seed"],
        "recipe": config["recipe"],
        "attend": config["choices"].get("attend"),
        "parameters": sum(p.numel() for p in recognizer.model.parameters()),
        "corpus": prepared.fingerprint,
    }
    done, seconds = decode(recognizer, _counted(batches, f"decoding {split}", progress))
    summarised = summary(split, done, seconds, about)
    if folder is not None:
        results.write(folder / "results", split, summarised, [one.line() for one in done])
        draw(recognizer, prepared, split, done[: config["evaluate"]["maps"]], folder / "plots")
    return summarised


def _counted(batches: Any, task: str, progress: Progress) -> Iterable[Batch]:
    for finished, batch in enumerate(batches, start=1):
        yield batch
        progress(task, finished, len(batches))


def decode(recognizer: Recognizer, batches: Iterable[Batch]) -> tuple[list[Outcome], float]:
    """Decode every batch; also the seconds spent on it (loading audio not counted)."""
    recognizer.eval()
    done: list[Outcome] = []
    seconds = 0.0
    for batch in batches:
        start = time.perf_counter()
        done.extend(outcomes(recognizer, batch))
        seconds += time.perf_counter() - start
    return sorted(done, key=lambda outcome: outcome.id), seconds


def draw(recognizer: Recognizer, prepared: Prepared, split: str, shown: Sequence[Outcome], folder: Path) -> None:
    """Save the attention maps of some outcomes as pictures."""
    dataset = prepared.dataset(split, recognizer.frontend.sample_rate_hz)
    places = {one: index for index, one in enumerate(dataset.utterances.ids)}
    for one in shown:
        if one.best.weights is not None:
            figure = attention_figure(recognizer, dataset.waveform(places[one.id]), one)
            figures.save(figure, folder / f"attention-{split}-{one.id.replace('/', '_')}.png")


def summary(split: str, done: Sequence[Outcome], decode_s: float, about: Mapping[str, Any]) -> dict[str, Any]:
    """results/<split>.json of docs: pooled counts, interval, cost; `about` adds seed, recipe, search, ..."""
    total, characters = pooled(one.counts for one in done), pooled(one.characters for one in done)
    spread = interval([one.counts for one in done])
    audio_s = sum(one.duration_s for one in done)
    return {
        "split": split,
        "percent": total.percent,
        "ci95": spread.bounds,
        "ci_method": spread.method,
        "errors": total.errors,
        "substitutions": total.substitutions,
        "deletions": total.deletions,
        "insertions": total.insertions,
        "reference_length": total.reference_length,
        "utterances": len(done),
        "cer_percent": characters.percent,
        "audio_s": round(audio_s, 3),
        "decode_s": round(decode_s, 3),
        "rtf": round(decode_s / audio_s, 6) if audio_s else None,
        "alignment": alignment(done),
        **about,
    }


def alignment(done: Sequence[Outcome]) -> dict[str, float] | None:
    """How well the attention of the best hypotheses aligns, the mean over utterances; None without attention."""
    measured = [
        measure(one.best.weights.float().cpu().numpy())
        for one in done
        if one.best.weights is not None and one.best.tokens
    ]
    return summarised(measured) if measured else None


def attention_figure(recognizer: Recognizer, waveform: Tensor, outcome: Outcome) -> Figure:
    """The attention map of the best hypothesis over the spectrogram of waveform (S,).

    Raises:
        ValueError: the hypothesis carries no attention weights.
    """
    if outcome.best.weights is None:
        raise ValueError(f"the hypothesis of {outcome.id} carries no attention weights")
    device = next(recognizer.parameters()).device
    features, _ = recognizer.frontend(waveform[None].to(device), torch.tensor([len(waveform)], device=device))
    return attention_map.attention_map(
        weights=outcome.best.weights.float().cpu().numpy(),
        tokens=[recognizer.tokenizer.tokens[token] for token in (*outcome.best.tokens, special.EOS)],
        features=features[0].cpu().numpy(),
        encoded_frame_s=recognizer.encoded_frame_s,
        feature_frame_s=recognizer.frontend.frame_shift_ms / 1000.0,
        title=outcome.id,
        reference=outcome.reference,
        hypothesis=outcome.best.text,
    )
