"""Layers that training leaves out at random."""

from __future__ import annotations

from torch import Tensor, nn

from lasasr.listen.dropout import checked, factors


class StochasticDepth(nn.Module):
    """Leave what a layer adds out of some utterances, in training (Huang et al. 2016, §3).

    It is drawn for each utterance, as all dropout by what `TokenNormalizedModule.on_train_batch_start` seeds: (seed,
    epoch, batch). What stays is scaled by 1 / (1 − probability), and evaluation needs no factor.

    Raises:
        ValueError: `probability` is outside [0, 1).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = checked("stochastic_depth", probability)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Before (B, T, D) the layer and after it → before + what it added, scaled, or before alone."""
        if not self.training or self.probability == 0.0:
            return after
        return before + (after - before) * factors(before[:, :1, :1], self.probability)
