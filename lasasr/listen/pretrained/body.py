"""What all pretrained encoders share: a beginning, layers, an end; and the loop over the layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lasasr.nn import lengths as length
from lasasr.nn import tracing

# the model's own masking of its input, off
OWN_MASKING: Final = {"apply_spec_augment": False, "mask_time_prob": 0.0, "mask_feature_prob": 0.0}


class Body(nn.Module, ABC):
    """Features (B, T, F) → hidden frames (B, T', D) below the first layer, between layers, and above the last.

    Attributes of subclasses:
        net: the module of transformers, whose weights are those of the folder.
        layers: of `net`, from the lowest on.
        features: the modules of `net` that compute features of the waveform (`freeze=features`).
        ending: those above the layers.
        width: D.
        factor: T / T', rounded up.
        constants: the names of parameters that no one trains: they are computed, as Whisper's sinusoidal positions.
        unit: features that stand for one frame of some 10 ms (see `Encoder`).
        prefixes: what may stand before the names of the weights in a folder; the first that fits is taken.
    """

    prefixes: ClassVar[tuple[str, ...]]
    net: Any
    layers: nn.ModuleList
    width: int
    factor: int
    constants: frozenset[str] = frozenset()
    unit: int = 1

    pretrained = True
    stored_elsewhere = False  # whether a bundle leaves its weights out

    @property
    def longest(self) -> int | None:
        """See `Encoder`."""
        return None

    @property
    @abstractmethod
    def features(self) -> tuple[nn.Module, ...]:
        """See above."""

    @property
    def ending(self) -> tuple[nn.Module, ...]:
        """See above."""
        return ()

    @abstractmethod
    def output_lengths(self, lengths: Tensor) -> Tensor:
        """T' (B,) of T (B,); at least 1."""

    @abstractmethod
    def begin(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden frames (B, T', D) that the first layer reads, and their lengths (B,).

        Args:
            features: (B, T, F), 0 on padding.
            lengths: (B,) int64.
        """

    @abstractmethod
    def context(self, hidden: Tensor, real: Tensor) -> Mapping[str, Any]:
        """What every layer is called with beside the frames.

        Args:
            hidden: (B, T', D).
            real: (B, T') bool.
        """

    def layer(self, number: int, hidden: Tensor, context: Mapping[str, Any]) -> Tensor:
        """Frames (B, T', D) above layer `number`, counted from 0."""
        passed: Tensor = self.layers[number](hidden, **context)
        return passed

    def end(self, hidden: Tensor) -> Tensor:
        """What is done to the frames (B, T', D) above the last layer."""
        return hidden

    def inner_lengths(self, lengths: Tensor) -> Tensor:
        """Frames (B,) that the layers see of `lengths` (B,) encoded ones."""
        return lengths

    def run(
        self,
        states: list[Tensor],
        lengths: Tensor,
        first: int,
        last: int,
        layer_drop: float = 0.0,
        recompute: bool = False,
    ) -> list[Tensor]:
        """The frames below layer `first`, and above each layer up to `last` (not included): the newest at the end.

        Args:
            states: those that are there already; the last one (B, T', D) stands below layer `first`.
            lengths: (B,) of the encoded frames.
            first, last: numbers of layers, counted from 0.
            layer_drop: probability that a trained layer is skipped, in training (Fan et al. 2020, LayerDrop).
            recompute: keep only what goes into each layer, and run it once more in the backward pass.
        """
        real = length.mask(self.inner_lengths(lengths), states[-1].shape[1])
        context = self.context(states[-1], real) if first < last else {}
        for number in range(first, last):
            dropped = self.layers[number].training and layer_drop > 0.0 and float(torch.rand(())) < layer_drop
            hidden = states[-1] if dropped else self._passed(number, states[-1], context, recompute)
            states = [*states, self.end(hidden) if number + 1 == len(self.layers) else hidden]
        return states

    def _passed(self, number: int, hidden: Tensor, context: Mapping[str, Any], recompute: bool) -> Tensor:
        if recompute and torch.is_grad_enabled() and not tracing.active():
            recomputed: Tensor = checkpoint(self.layer, number, hidden, context, use_reentrant=False)
            return recomputed
        return self.layer(number, hidden, context)


def without_own_mask(net: Any) -> Any:
    """A model without the weight that its own masking puts in the place of frames: some have it though that is off."""
    if hasattr(net, "masked_spec_embed"):
        del net.masked_spec_embed
    return net
