"""wav2vec 2.0, HuBERT, WavLM and UniSpeech-SAT: convolutions on the waveform, then self-attentive layers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import transformers
from torch import Tensor, nn
from torch.nn import functional

from lasasr.listen.pretrained.body import OWN_MASKING, Body, without_own_mask
from lasasr.listen.pretrained.group_norm import masked_group_norm
from lasasr.nn import host_mirror
from lasasr.nn import lengths as length

# what would have to be masked, too, and what no published model of these types has below its heads
_UNKNOWN = ("add_adapter", "conv_pos_batch_norm")


class Wav2Vec2Body(Body):
    """See `Body`; features are those of `WaveformFrontend`, one for each sample.

    The base models normalise the lowest convolution over time, which is done over each utterance alone here
    (`group_norm.py`); of the others every frame is normalised by itself. A waveform too short for one frame is followed
    by silence.

    Args:
        config: config.json.

    Raises:
        ValueError: it has a part that no published model has.
    """

    family: ClassVar[str] = "Wav2Vec2"
    prefixes: ClassVar[tuple[str, ...]] = ("wav2vec2.", "")
    attention: ClassVar[str] = "sdpa"
    unit = 160

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        if unknown := [key for key in _UNKNOWN if config.get(key)]:
            raise ValueError(f"{unknown[0]}={config[unknown[0]]} is not known here")
        settings = getattr(transformers, f"{self.family}Config")(
            **{**config, **OWN_MASKING}, attn_implementation=self.attention
        )
        self.net = without_own_mask(getattr(transformers, f"{self.family}Model")(settings))
        self.layers, self.width = self.net.encoder.layers, int(settings.hidden_size)
        self.stable = bool(settings.do_stable_layer_norm)
        self.strides = list(zip(settings.conv_kernel, settings.conv_stride, strict=True))
        self.factor, self.shortest = 1, 1
        for kernel, stride in reversed(self.strides):
            self.shortest = (self.shortest - 1) * stride + kernel
            self.factor *= stride

    @property
    def features(self) -> tuple[nn.Module, ...]:
        """See the contract."""
        return (self.net.feature_extractor,)

    @property
    def ending(self) -> tuple[nn.Module, ...]:
        """See the contract."""
        return (self.net.encoder.layer_norm,) if self.stable else ()

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """What the convolutions leave of them."""
        lengths = _at_least(lengths, self.shortest)
        for kernel, stride in self.strides:
            lengths = length.convolved(lengths, kernel, stride, padding=0, least=1)
        return lengths

    def begin(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the contract."""
        short = max(0, self.shortest - features.shape[1])
        hidden = functional.pad(features.transpose(1, 2), (0, short))
        lengths = _at_least(lengths, self.shortest)
        for layer, (kernel, stride) in zip(self.net.feature_extractor.conv_layers, self.strides, strict=True):
            lengths = length.convolved(lengths, kernel, stride, padding=0, least=1)
            if isinstance(getattr(layer, "layer_norm", None), nn.GroupNorm):
                hidden = layer.activation(masked_group_norm(layer.layer_norm, layer.conv(hidden), lengths))
            else:
                hidden = layer(hidden)
        projected = self.net.feature_projection(hidden.transpose(1, 2))
        hidden = projected[0] if isinstance(projected, tuple) else projected
        real = length.mask(lengths, hidden.shape[1])[..., None]
        hidden = hidden * real
        hidden = hidden + self.net.encoder.pos_conv_embed(hidden)
        hidden = hidden if self.stable else self.net.encoder.layer_norm(hidden)
        return self.net.encoder.dropout(hidden), lengths

    def context(self, hidden: Tensor, real: Tensor) -> Mapping[str, Any]:
        """See the contract."""
        return {"attention_mask": real[:, None, None]}

    def end(self, hidden: Tensor) -> Tensor:
        """See the contract."""
        return self.net.encoder.layer_norm(hidden) if self.stable else hidden


class HubertBody(Wav2Vec2Body):
    """HuBERT (Hsu et al. 2021)."""

    family = "Hubert"
    prefixes = ("hubert.", "")


class UniSpeechSatBody(Wav2Vec2Body):
    """UniSpeech-SAT (Chen et al. 2022)."""

    family = "UniSpeechSat"
    prefixes = ("unispeech_sat.", "")


class WavLMBody(Wav2Vec2Body):
    """WavLM (Chen et al. 2022): the lowest layer has biases of relative positions, which all layers share."""

    family = "WavLM"
    prefixes = ("wavlm.", "")
    attention = "eager"

    def context(self, hidden: Tensor, real: Tensor) -> Mapping[str, Any]:
        """See the contract."""
        lowest: Any = self.layers[0]
        bias = lowest.attention.compute_bias(hidden.shape[1], hidden.shape[1])
        return {"attention_mask": real.long(), "position_bias": bias.repeat(len(hidden), 1, 1)}

    def layer(self, number: int, hidden: Tensor, context: Mapping[str, Any]) -> Tensor:
        """See the contract."""
        with warnings.catch_warnings():  # of a mask of truth values beside one of numbers
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
            above: Tensor = self.layers[number](hidden, **context)[0]
        return above


@host_mirror.mirrored
def _at_least(lengths: Tensor, least: int) -> Tensor:
    return lengths.clamp(min=least)
