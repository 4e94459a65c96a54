"""The encoder of Parakeet: a Conformer on frames of 80 ms (Rekesh et al. 2023, Fast Conformer)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional
from transformers import ParakeetEncoder, ParakeetEncoderConfig

from lasasr.listen.pretrained.body import Body
from lasasr.nn import lengths as length

KERNEL = 3  # of the convolutions that subsample, with stride 2


class ParakeetBody(Body):
    """See `Body`; features are those of `ParakeetLogMelFrontend`.

    Its batch normalisations keep the statistics that they came with.

    Args:
        config: config.json of the encoder, or of the model with it in `encoder_config`.

    Raises:
        ValueError: its convolutions are other ones than those of the published models.
    """

    prefixes: ClassVar[tuple[str, ...]] = ("encoder.", "model.encoder.", "")

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        own = dict(config.get("encoder_config") or config)
        own.pop("model_type", None)
        settings = ParakeetEncoderConfig(**own, attn_implementation="sdpa")
        if (settings.subsampling_conv_kernel_size, settings.subsampling_conv_stride) != (KERNEL, 2):
            raise ValueError(f"subsampling is not by convolutions of {KERNEL} frames every 2")
        self.net = ParakeetEncoder(settings)
        self.layers, self.width = self.net.layers, int(settings.hidden_size)
        self.factor = int(settings.subsampling_factor)

    @property
    def features(self) -> tuple[nn.Module, ...]:
        """See the contract."""
        return (self.net.subsampling,)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """⌈lengths / factor⌉."""
        return length.ceil_div(lengths, self.factor)

    def begin(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the contract."""
        hidden = self.net.subsampling(features, length.mask(lengths, features.shape[1])) * self.net.input_scale
        return functional.dropout(hidden, self.net.dropout, self.net.subsampling.training), self.output_lengths(lengths)

    def context(self, hidden: Tensor, real: Tensor) -> Mapping[str, Any]:
        """See the contract."""
        pairs = real[:, None] & real[:, :, None]
        return {"attention_mask": pairs[:, None], "position_embeddings": self.net.encode_positions(hidden)}
