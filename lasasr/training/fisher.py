"""The diagonal of the Fisher information of a trained recognizer, estimated on its own training data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from lasasr.adapt.ewc import FILE, OF_WEIGHTS
from lasasr.artifacts import delta
from lasasr.artifacts.bundle import write_tensors
from lasasr.configuration.settings import Recognition
from lasasr.corpora.base import Progress
from lasasr.data.batch import Batch
from lasasr.data.sampler import Request
from lasasr.errors import LasasrError, UsageError
from lasasr.losses.base import Loss
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.nn.parametrized import plain_name
from lasasr.preparation.speech import Prepared
from lasasr.training.step import RecognizerStep


def estimate(
    settings: Recognition, folder: Path, prepared: Prepared, utterances: int, progress: Progress, device: str = "cpu"
) -> Path:
    """Estimate it, and keep it beside the weights.

    Args:
        folder: of the bundle.
        utterances: of train, drawn by the run's seed.

    Raises:
        LasasrError: the bundle is a delta, or a loss is not finite.
    """
    base, recognizer = delta.base_at(folder), Recognizer.load(folder, device)
    dataset = prepared.dataset("train", recognizer.frontend.sample_rate_hz)
    if utterances < 1:
        raise UsageError(f"--utterances must be at least 1, got {utterances}")
    drawn = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(settings.seed))[:utterances].tolist()
    loss = factory.loss(settings.loss, settings.seed)
    loss.prepare(prepared.token_counts())

    def batches() -> Iterable[Batch]:
        for done, index in enumerate(drawn, start=1):
            yield dataset[Request(0, (index,))].to(device)
            progress("Fisher information", done, len(drawn))

    tensors = fisher(recognizer, loss.to(device), batches())
    write_tensors(folder / FILE, tensors, {OF_WEIGHTS: base.sha256, "utterances": str(len(drawn))})
    return folder / FILE


def fisher(recognizer: Recognizer, loss: Loss, utterances: Iterable[Batch]) -> dict[str, Tensor]:
    """The mean over utterances of the squared gradient of each one's loss, by name of the weight.

    The loss stands for -log p(reference | audio), so that this is the empirical Fisher information.

    Args:
        utterances: batches of one.

    Raises:
        LasasrError: a loss is not finite.
    """
    recognizer.eval().requires_grad_(True)
    loss.eval()
    sums = {name: torch.zeros_like(parameter) for name, parameter in recognizer.named_parameters()}
    count = 0
    for batch in utterances:
        features, frames = recognizer.encoder_input(batch.waveforms, batch.waveform_lengths)
        total = loss.terms(RecognizerStep(recognizer, batch, features, frames, update=1 << 30)).total
        if not bool(total.isfinite()):
            raise LasasrError(f"utterance {batch.ids[0]} has a loss that is not finite")
        recognizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        for name, parameter in recognizer.named_parameters():
            if parameter.grad is not None:
                sums[name] += parameter.grad.square()
        count += 1
    return {plain_name(name): (value / max(1, count)).cpu() for name, value in sums.items()}
