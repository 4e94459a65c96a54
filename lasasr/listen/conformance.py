"""What every encoder promises (`lasasr.listen.base`), tried on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lasasr.listen.base import Encoder
from lasasr.nn import conformance
from lasasr.nn import lengths as length
from lasasr.nn.conformance import Finding, Measured, largest, with_padding, within

TOLERANCE = 1e-4  # relative to the largest value: float32 sums in another order
FRAMES = (61, 1, 40, 17, 60)  # of the utterances tried


@dataclass(frozen=True)
class Trial:
    """An encoder to try and what to try it on; everything is drawn from fixed seeds.

    Args:
        make: builds the encoder from the keyword `input_dim`.
        device: where to try it.
        input_dim: F.
    """

    make: Callable[..., Encoder]
    device: str = "cpu"
    input_dim: int = 80

    def encoder(self, training: bool = False) -> Encoder:
        """The encoder, as at initialisation."""
        torch.manual_seed(5)
        return self.make(input_dim=self.input_dim).to(self.device).train(training)

    def features(self, unit: int) -> tuple[Tensor, Tensor]:
        """(B, T, F), 0 on padding, and lengths (B,), where so many features stand for a frame."""
        torch.manual_seed(2)
        lengths = torch.tensor([_scaled(frames, unit) for frames in FRAMES], device=self.device)
        longest = _scaled(max(FRAMES), unit)
        drawn = torch.randn(len(FRAMES), longest, self.input_dim).to(self.device)
        return drawn * length.mask(lengths, longest)[..., None], lengths


def _scaled(frames: int, unit: int) -> int:
    """So many features as stand for `frames`, and some; one for one."""
    return frames if frames == 1 else frames * unit + frames % unit


@torch.no_grad()
def lengths_are_exact(trial: Trial) -> Measured:
    """`output_lengths` against the frames that come out, alone, for the lengths 1 to 80, or some of as many samples."""
    encoder, wrong = trial.encoder(), []
    for frames in (_scaled(frames, encoder.unit) for frames in range(1, 81, 1 if encoder.unit == 1 else 11)):
        alone = torch.tensor([frames], device=trial.device)
        encoded, lengths = encoder(torch.ones(1, frames, trial.input_dim, device=trial.device), alone)
        if encoded.shape[2] != encoder.output_dim:
            return Measured(False, f"encoded is {encoded.shape[2]} wide, and output_dim is {encoder.output_dim}")
        expected = int(encoder.output_lengths(alone)[0])
        if not expected == int(lengths[0]) == encoded.shape[1] >= 1:
            wrong.append(frames)
    return Measured(not wrong, f"{len(wrong)} lengths are wrong" + (f", first {wrong[0]} frames" if wrong else ""))


@torch.no_grad()
def alone_as_in_a_batch(trial: Trial) -> Measured:
    """Each utterance alone against its row of a batch."""
    encoder = trial.encoder()
    features, lengths = trial.features(encoder.unit)
    together = encoder(features, lengths)
    differences = []
    for row, frames in enumerate(lengths.tolist()):
        alone = encoder(features[row : row + 1, :frames], lengths[row : row + 1])
        if alone.lengths.tolist() != [int(together.lengths[row])]:
            return Measured(False, f"{alone.lengths.tolist()} frames alone, {together.lengths[row]} in a batch")
        differences.append(alone.encoded[0] - together.encoded[row, : alone.lengths[0]])
    return within(largest(differences) / max(largest([together.encoded]), 1e-12), TOLERANCE)


@torch.no_grad()
def padding_changes_nothing(trial: Trial) -> Measured:
    """What stands in the padding, and how much of it there is."""
    encoder = trial.encoder()
    features, lengths = trial.features(encoder.unit)
    reference = encoder(features, lengths)
    differences = []
    for filling in (1e3, float("nan")):
        longer, _ = with_padding(features, length.mask(lengths, features.shape[1]), 13 * encoder.unit, filling)
        padded = encoder(longer, lengths)
        if not torch.equal(padded.lengths, reference.lengths):
            return Measured(False, f"lengths {padded.lengths.tolist()}, not {reference.lengths.tolist()}")
        differences.append(padded.encoded[:, : reference.encoded.shape[1]] - reference.encoded)
    return within(largest(differences) / max(largest([reference.encoded]), 1e-12), TOLERANCE)


@torch.no_grad()
def zero_on_padding(trial: Trial) -> Measured:
    """The largest encoded value beyond an utterance's frames."""
    encoder = trial.encoder()
    encoded, lengths = encoder(*trial.features(encoder.unit))
    return within(largest([encoded[~length.mask(lengths, encoded.shape[1])]]), 0.0)


@torch.no_grad()
def deterministic(trial: Trial) -> Measured:
    """The same features twice, in evaluation."""
    encoder = trial.encoder()
    first, second = (encoder(*trial.features(encoder.unit)).encoded for _ in range(2))
    return within(largest([first - second]), 0.0)


def gradients(trial: Trial) -> Measured:
    """Every parameter that is trained gets a finite gradient, and padding none."""
    encoder = trial.encoder(training=True)
    features, lengths = trial.features(encoder.unit)
    features.requires_grad_()
    encoder(features, lengths).encoded.float().square().sum().backward()
    trained = {name: value for name, value in encoder.named_parameters() if value.requires_grad}
    bad = [name for name, value in trained.items() if value.grad is None or not bool(value.grad.isfinite().all())]
    if bad:
        return Measured(False, f"{len(bad)} parameters without a finite gradient, first {bad[0]}")
    if features.grad is None:
        return Measured(not trained, "no gradient reaches the features")
    return within(largest([features.grad[~length.mask(lengths, features.shape[1])]]), 0.0)


@torch.no_grad()
def half_precision(trial: Trial) -> Measured:
    """bfloat16 by autocast against float32."""
    encoder = trial.encoder()
    features, lengths = trial.features(encoder.unit)
    exact = encoder(features, lengths).encoded.float()
    with torch.autocast(trial.device.partition(":")[0], torch.bfloat16):
        rounded = encoder(features, lengths).encoded.float()
    return within(largest([rounded - exact]) / max(largest([exact]), 1e-12), 0.1)


PROMISES: dict[str, Callable[[Trial], Measured]] = {
    "output_lengths are the frames produced, at least 1": lengths_are_exact,
    "alone is as in a batch": alone_as_in_a_batch,
    "more padding, filled with 1e3 or NaN, changes nothing": padding_changes_nothing,
    "encoded is exactly 0 on padding": zero_on_padding,
    "deterministic in evaluation": deterministic,
    "gradients are finite, and none reaches padding": gradients,
    "bfloat16 is nearly the same": half_precision,
}


def check(make: Callable[..., Encoder], device: str = "cpu", input_dim: int = 80) -> Iterator[Finding]:
    """Try every promise on the encoder that `make(input_dim=)` builds; one finding each, in order."""
    return conformance.findings(PROMISES, lambda: Trial(make, device, input_dim), device)
