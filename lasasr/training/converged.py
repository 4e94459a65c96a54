"""Whether a model recognizes already, where a loss needs that."""

from __future__ import annotations

from collections.abc import Iterator

from lasasr.data.sampler import Request
from lasasr.evaluation.outcome import outcomes
from lasasr.losses.base import Loss
from lasasr.metrics.error_rates import pooled
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import Prepared

UTTERANCES = 16  # of dev that are decoded, the shortest
UNCONVERGED = 50.0  # percent of errors from which a model does not recognize yet


def warnings(loss: Loss, recognizer: Recognizer, prepared: Prepared) -> Iterator[str]:
    """A line where the loss is for a model that recognizes, and this one does not."""
    if not loss.begins_converged:
        return
    dataset = prepared.dataset("dev", recognizer.frontend.sample_rate_hz)
    shortest = dataset.durations_s.argsort(kind="stable")[:UTTERANCES]
    training = recognizer.training
    decoded = outcomes(recognizer.eval(), dataset[Request(0, tuple(map(int, shortest)))])
    recognizer.train(training)
    counts = pooled(outcome.counts for outcome in decoded)
    if counts.reference_length and counts.percent > UNCONVERGED:
        metric = recognizer.error_metric.upper()
        yield (
            f"{type(loss).__name__} is for a model that recognizes already, and this one has {counts.percent:.0f} % "
            f"{metric} on the {len(decoded)} shortest utterances of dev: train it with loss=joint first, and begin "
            "with its weights: warm_start.run=RUN warm_start.parts=[encoder,decoder,ctc]"
        )
