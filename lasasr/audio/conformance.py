"""What every front end promises (`lasasr.audio.base`), tried on one of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lasasr.audio.base import Frontend
from lasasr.nn import conformance
from lasasr.nn import lengths as length
from lasasr.nn.conformance import Finding, Measured, largest, with_padding, within

TOLERANCE = 1e-4  # of features, relative to their largest value: float32 sums in another order
CLOCK_MS = 5.0  # between where a burst is and where features say it is, at most (or half a frame shift)
LENGTHS = (4000, 1, 2500, 399)  # samples of the utterances tried


@dataclass(frozen=True)
class Trial:
    """A front end to try and what to try it on; everything is drawn from fixed seeds."""

    make: Callable[[], Frontend]
    device: str = "cpu"

    def frontend(self) -> Frontend:
        """The front end, fitted to noise where it has to be, in evaluation."""
        torch.manual_seed(5)
        frontend = self.make().to(self.device).eval()
        if not frontend.ready:
            frontend.fit([self.waveforms()])
        return frontend

    def waveforms(self) -> tuple[Tensor, Tensor]:
        """(B, S) noise, 0 on padding, and its lengths (B,)."""
        torch.manual_seed(2)
        lengths = torch.tensor(LENGTHS, device=self.device)
        drawn = 0.1 * torch.randn(len(LENGTHS), max(LENGTHS))
        return drawn.to(self.device) * length.mask(lengths, max(LENGTHS)), lengths


def lengths_are_exact(trial: Trial) -> Measured:
    """`output_lengths` against the frames that come out, alone, for some 120 lengths."""
    frontend, wrong = trial.frontend(), []
    for samples in [*range(1, 40), *range(390, 420), *range(700, 2000, 25)]:
        alone = torch.tensor([samples], device=trial.device)
        features, lengths = frontend(torch.zeros(1, samples, device=trial.device), alone)
        if features.shape[2] != frontend.output_dim:
            return Measured(False, f"features are {features.shape[2]} wide, and output_dim is {frontend.output_dim}")
        expected = int(frontend.output_lengths(alone)[0])
        if not expected == int(lengths[0]) == features.shape[1] >= 1:
            wrong.append(samples)
    return Measured(not wrong, f"{len(wrong)} lengths are wrong" + (f", first {wrong[0]} samples" if wrong else ""))


def alone_as_in_a_batch(trial: Trial) -> Measured:
    """Each utterance alone against its row of a batch."""
    frontend, (waveforms, lengths) = trial.frontend(), trial.waveforms()
    together, frames = frontend(waveforms, lengths)
    differences, scale = [], largest([together])
    for row, samples in enumerate(lengths.tolist()):
        alone, produced = frontend(waveforms[row : row + 1, :samples], lengths[row : row + 1])
        if produced.tolist() != [int(frames[row])]:
            return Measured(False, f"{int(produced[0])} frames alone, {int(frames[row])} in a batch")
        differences.append(alone[0] - together[row, : frames[row]])
    return within(largest(differences) / max(scale, 1e-12), TOLERANCE)


def padding_changes_nothing(trial: Trial) -> Measured:
    """What stands in the padding, and how much of it there is."""
    frontend, (waveforms, lengths) = trial.frontend(), trial.waveforms()
    reference, frames = frontend(waveforms, lengths)
    differences, scale = [], largest([reference])
    for filling in (1e3, float("nan")):
        longer, _ = with_padding(waveforms, length.mask(lengths, waveforms.shape[1]), 777, filling)
        features, produced = frontend(longer, lengths)
        if not torch.equal(produced, frames):
            return Measured(False, f"frames {produced.tolist()}, not {frames.tolist()}")
        differences.append(features[:, : reference.shape[1]] - reference)
    return within(largest(differences) / max(scale, 1e-12), TOLERANCE)


def zero_on_padding(trial: Trial) -> Measured:
    """The largest feature beyond an utterance's frames."""
    features, frames = trial.frontend()(*trial.waveforms())
    return within(largest([features[~length.mask(frames, features.shape[1])]]), 0.0)


def finite(trial: Trial) -> Measured:
    """Silence, one sample, full scale, a constant."""
    frontend = trial.frontend()
    inputs = [torch.zeros(1, 1600), torch.zeros(1, 1), torch.ones(1, 1600), (-1.0) ** torch.arange(1600.0)[None]]
    lengths = [torch.tensor([waveforms.shape[1]], device=trial.device) for waveforms in inputs]
    outputs = [
        frontend(waveforms.to(trial.device), samples)[0] for waveforms, samples in zip(inputs, lengths, strict=True)
    ]
    bad = sum(int((~features.isfinite()).sum()) for features in outputs)
    return Measured(bad == 0, f"{bad} values are not finite")


def deterministic(trial: Trial) -> Measured:
    """The same waveforms twice."""
    frontend = trial.frontend()
    return within(largest([frontend(*trial.waveforms())[0] - frontend(*trial.waveforms())[0]]), 0.0)


def state_travels(trial: Trial) -> Measured:
    """A new one with the state dict of a fitted one is ready, and gives the same features."""
    fitted = trial.frontend()
    state = copy.deepcopy(fitted.state_dict())
    torch.manual_seed(6)
    other = trial.make().to(trial.device).eval()
    other.load_state_dict(state)
    if not other.ready:
        return Measured(False, "not ready after load_state_dict")
    return within(largest([fitted(*trial.waveforms())[0] - other(*trial.waveforms())[0]]), 0.0)


def frames_keep_time(trial: Trial) -> Measured:
    """A burst of noise in silence: where features change most is where it was, to half a shift or 5 ms."""
    frontend = trial.frontend()
    rate, at_s = frontend.sample_rate_hz, 0.5
    torch.manual_seed(3)
    silence = 1e-4 * torch.randn(1, rate)
    burst = silence.clone()
    begin, size = round(at_s * rate), rate // 100
    burst[:, begin : begin + size] += 0.5 * torch.randn(1, size)
    samples = torch.tensor([rate], device=trial.device)
    with torch.no_grad():
        quiet, frames = frontend(silence.to(trial.device), samples)
        loud, _ = frontend(burst.to(trial.device), samples)
    change = (loud - quiet)[0, : frames[0]].float().square().sum(-1).sqrt().cpu()
    change = (change - 0.5 * change.max()).clamp(min=0)  # normalisation moves all frames a little
    times_s = (frontend.first_centre_ms + frontend.frame_shift_ms * torch.arange(len(change))) / 1000.0
    measured_s = float((times_s * change).sum() / change.sum())
    error_ms = abs(measured_s - (at_s + size / rate / 2)) * 1000.0
    return within(error_ms, max(CLOCK_MS, frontend.frame_shift_ms / 2.0))


PROMISES: dict[str, Callable[[Trial], Measured]] = {
    "output_lengths are the frames produced, at least 1": lengths_are_exact,
    "alone is as in a batch": alone_as_in_a_batch,
    "more padding, filled with 1e3 or NaN, changes nothing": padding_changes_nothing,
    "features are exactly 0 on padding": zero_on_padding,
    "silence, one sample and full scale give finite features": finite,
    "deterministic in evaluation": deterministic,
    "the state dict holds what was fitted": state_travels,
    "frames stand where first_centre_ms and frame_shift_ms say": frames_keep_time,
}


def check(make: Callable[[], Frontend], device: str = "cpu") -> Iterator[Finding]:
    """Try every promise on the front end that `make()` builds; one finding each, in order."""
    return conformance.findings(PROMISES, lambda: Trial(make, device), device)
