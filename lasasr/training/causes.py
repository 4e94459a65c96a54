"""Why attention may not align: each cause is named with the fact, seen in this run, that speaks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import fmean

MISFITS = 0.1  # share of utterances without a CTC path from which labels are called too long
TIGHT = 1.2  # frames per token below which subsampling is called too strong
PLATEAU = 0.97  # of the loss of token frequencies alone: a decoder above it has learnt nothing else
CLIPPED = 0.5  # share of updates with clipped gradients from which the learning rate is suspected
RISEN = 1.05  # times its lowest value: the loss has gone up again
LOW = 0.25  # of the peak learning rate, below which the schedule is suspected
RECENT = 10  # looks whose mean is the loss of that time


@dataclass
class Seen:
    """Counted at every look at a training batch; plain values, for the checkpoint."""

    utterances: int = 0
    infeasible: int = 0  # utterances whose labels are longer than CTC can place on their frames
    tokens: int = 0
    frames: int = 0  # encoded
    clipped: int = 0  # looks at which the gradient norm was above its limit
    highest_rate: float = 0.0  # learning rate
    losses: list[float] = field(default_factory=list)  # attention's, nats per target token, one per look

    def loss(self, place: int = -1) -> float:
        """The mean of `RECENT` looks, of the last (−1) or the first (0) ones."""
        return fmean(self.losses[:RECENT] if place == 0 else self.losses[-RECENT:])

    def lowest_loss(self) -> float:
        """The lowest mean of `RECENT` looks in a row."""
        starts = range(max(1, len(self.losses) - RECENT + 1))
        return min(fmean(self.losses[start : start + RECENT]) for start in starts)


@dataclass(frozen=True)
class Setting:
    """What the run is set to, at the time of the alarm."""

    ctc_weight: float
    learning_rate: float
    peak_rate: float  # where the schedule's warm-up ends
    subsampling_factor: int
    of_token_frequencies: float | None  # nats per target token, `Loss.plateau`; None: not known


def likely_causes(seen: Seen, setting: Setting) -> list[str]:
    """What speaks for what, the most telling first; never empty.

    Args:
        seen: of at least one look.
    """
    causes = [*_too_long(seen, setting), *_nothing_learnt(seen, setting)]
    if setting.ctc_weight == 0.0:
        causes.append(
            "ctc_weight is 0, so nothing but the decoder's own loss teaches the alignment: try loss=joint, or "
            "attend.half_window=10 attend.alpha_0=first batching.shortest_first=1 (docs/alignment.md)"
        )
    return causes or [
        f"the decoder writes without listening ({_fact(seen, setting)}): more updates, more data or more CTC "
        f"(ctc_weight is {setting.ctc_weight:g})"
    ]


def _too_long(seen: Seen, setting: Setting) -> Iterator[str]:
    per_token = seen.frames / max(1, seen.tokens)
    misfits = seen.infeasible / seen.utterances
    fact = f"{per_token:.2g} encoded frames per token at subsampling {setting.subsampling_factor}"
    remedy = "subsample less (listen) or take a tokenizer of longer pieces"
    if misfits >= MISFITS:
        yield f"labels are longer than their frames in {misfits:.0%} of the utterances ({fact}): {remedy}"
    elif per_token < TIGHT:
        yield f"subsampling is too strong ({fact}): {remedy}"


def _nothing_learnt(seen: Seen, setting: Setting) -> Iterator[str]:
    """What a loss on the plateau of token frequencies says about the learning rate."""
    now, first, lowest = seen.loss(), seen.loss(0), seen.lowest_loss()
    if setting.of_token_frequencies is None or now < PLATEAU * setting.of_token_frequencies:
        return
    rate, fact, clipped = _rate(setting), _fact(seen, setting), seen.clipped / len(seen.losses)
    if setting.learning_rate < LOW * setting.peak_rate:
        warming = setting.learning_rate >= seen.highest_rate
        yield f"the learning rate {'is still warming up' if warming else 'has fallen too early'}: {rate}; {fact}"
    elif now > RISEN * lowest:
        yield f"the learning rate {rate} is too high: {fact}, and it was {lowest:.2f}"
    elif clipped >= CLIPPED:
        yield f"the learning rate {rate} is too high: {fact}; gradients clipped in {clipped:.0%} of updates"
    elif now < first - 0.1:
        yield f"too few updates, or the learning rate {rate} is too low: {fact}, falling from {first:.2f}"
    else:
        yield f"nothing is learnt at the learning rate {rate}, too high or far too low: {fact}"


def _fact(seen: Seen, setting: Setting) -> str:
    loss = f"loss {seen.loss():.2f} nats per token"
    if setting.of_token_frequencies is None:
        return loss
    return f"{loss}, token frequencies alone have {setting.of_token_frequencies:.2f}"


def _rate(setting: Setting) -> str:
    return f"{setting.learning_rate:.2g} (peak {setting.peak_rate:.2g})"
