"""What became of each utterance: its hypotheses and their errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lasasr.data.batch import Batch
from lasasr.metrics.alignment_reference import TimedLabel
from lasasr.metrics.error_rates import Counts, compare
from lasasr.models.recognizer import Recognizer
from lasasr.search.acoustics import Acoustics
from lasasr.search.hypothesis import Hypothesis, Word
from lasasr.text import transcript


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
    spoken: tuple[TimedLabel, ...] = ()  # when the reference's words or phones were said, where that is known ...
    spoken_by: str = ""  # ... "corpus", or "ctc" where the model itself aligned them
    flags: tuple[str, ...] = ()  # of metrics/triage.py
    reference_score: float | None = None  # what the search gives the reference, where it was asked

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
            "reference_score": self.reference_score,
            "nbest": [
                {"text": hypothesis.text, "score": hypothesis.score, "scores": hypothesis.scores}
                for hypothesis in self.nbest
            ],
            "flags": list(self.flags),
            "words": [word.plain() for word in self.best.words],
        }


def outcomes(
    recognizer: Recognizer, batch: Batch, timestamps: bool = False, acoustics: Acoustics | None = None
) -> list[Outcome]:
    """Decode one batch and count the errors of the best hypotheses; with the times of their words if asked.

    Args:
        acoustics: what the recognizer makes of the waveforms, where that is known.
    """
    decoded = recognizer.recognize(batch.waveforms, batch.waveform_lengths, batch.ids, timestamps, acoustics)
    durations = (batch.waveform_lengths / recognizer.frontend.sample_rate_hz).tolist()
    scored = transcript.from_name(recognizer.normalizer).scored  # both sides alike
    references = [scored(text) for text in batch.texts]
    nbests = [[replace(hypothesis, text=scored(hypothesis.text)) for hypothesis in nbest] for nbest in decoded]
    rows = zip(batch.ids, batch.speakers, durations, references, nbests, strict=True)
    metric = recognizer.error_metric
    return [
        Outcome(*row, counts=compare(row[3], row[4][0].text, metric), characters=compare(row[3], row[4][0].text, "cer"))
        for row in rows
    ]


def as_timed(words: Iterable[Word]) -> tuple[TimedLabel, ...]:
    """Words of a hypothesis as metrics take them."""
    return tuple(TimedLabel(word.word, word.start_s, word.end_s) for word in words)
