"""What a beam search leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lasasr.text import special


@dataclass(frozen=True)
class Pruning:
    """Rules that drop hypotheses before their score does; all are off by default.

    Raises:
        ValueError: a value is out of range.
    """

    # eos only where log p(eos) > eos_threshold · max log p(token); 1.5 in Hannun et al. 2019, §3.2; null: always
    eos_threshold: float | None = None
    # encoded frames that the attention's peak may move between two tokens (Hannun et al. 2019, §3.2); null: any.
    # Where it would drop every hypothesis of an utterance, it drops none.
    max_shift: int | None = None
    pre_beam: int | None = None  # tokens per hypothesis, best by the complete scorers, that go on; null: all
    ctc_window: int = 0  # encoded frames around the attention's peak in which CTC may start a token; 0: all
    # log; the search of an utterance ends when what its unfinished hypotheses can still reach is this much worse than
    # the last of its n best finished ones. At 0 nothing better is missed: bonuses, rewards and normalisation count with
    # the most that they can give until the length limit. Only what weights below 0 may give is not foreseen.
    end_margin: float = 0.0
    # steps in a row in which no finished hypothesis enters the n best, after which the search of an utterance ends;
    # against loops, where a bonus pays more than a repeated token costs; null: never
    end_patience: int | None = None

    def __post_init__(self) -> None:
        if self.eos_threshold is not None and self.eos_threshold < 0:
            raise ValueError(f"eos_threshold must be >= 0, got {self.eos_threshold}")
        if self.max_shift is not None and self.max_shift < 0:
            raise ValueError(f"max_shift must be >= 0, got {self.max_shift}")
        if self.pre_beam is not None and self.pre_beam < 1:
            raise ValueError(f"pre_beam must be >= 1, got {self.pre_beam}")
        if self.end_patience is not None and self.end_patience < 1:
            raise ValueError(f"end_patience must be >= 1, got {self.end_patience}")
        if self.ctc_window < 0 or not self.end_margin >= 0:
            raise ValueError(f"ctc_window and end_margin must be >= 0, got {self.ctc_window} and {self.end_margin}")


def unsure_of_eos(log_probs: Tensor, threshold: float) -> Tensor:
    """(B, K) bool, True where log_probs (B, K, V) favour some token too much for eos to be believed."""
    return log_probs[..., special.EOS] <= threshold * log_probs[..., special.FIRST_TEXT :].amax(-1)


def peaks(weights: Tensor) -> Tensor:
    """(B, K) int64, the frame with the largest of weights (B, K, H, T), heads averaged."""
    return weights.mean(2).argmax(-1)


def shifted(totals: Tensor, before: Tensor, now: Tensor, most: int) -> Tensor:
    """`totals` (B, K), -inf where the peak moved more than `most` frames, unless that is so of all that are alive.

    Args:
        before: (B, K) int64, the peaks at the last step, -1 at the first.
        now: (B, K) int64.
    """
    kept = totals.masked_fill((before >= 0) & ((now - before).abs() > most), -torch.inf)
    return torch.where(kept.isneginf().all(1, keepdim=True), totals, kept)
