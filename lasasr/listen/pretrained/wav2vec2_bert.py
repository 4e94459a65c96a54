"""w2v-BERT 2.0 (Seamless Communication 2023): a Conformer with causal convolutions and relative positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel

from lasasr.listen.pretrained.body import OWN_MASKING, Body, without_own_mask
from lasasr.nn import lengths as length

_UNKNOWN = ("add_adapter", "use_intermediate_ffn_before_adapter")
_POSITIONS = "relative_key"


class Wav2Vec2BertBody(Body):
    """See `Body`; features are those of `StackedFbankFrontend`.

    Args:
        config: config.json.

    Raises:
        ValueError: it has a part that the published model does not have.
    """

    prefixes: ClassVar[tuple[str, ...]] = ("wav2vec2_bert.", "")
    factor = 1

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        if unknown := [key for key in _UNKNOWN if config.get(key)]:
            raise ValueError(f"{unknown[0]}={config[unknown[0]]} is not known here")
        settings = Wav2Vec2BertConfig(**{**config, **OWN_MASKING}, attn_implementation="eager")
        if settings.position_embeddings_type != _POSITIONS:
            raise ValueError(f"position_embeddings_type={settings.position_embeddings_type} is not {_POSITIONS}")
        self.net = without_own_mask(Wav2Vec2BertModel(settings))
        self.layers, self.width = self.net.encoder.layers, int(settings.hidden_size)

    @property
    def features(self) -> tuple[nn.Module, ...]:
        """See the contract."""
        return (self.net.feature_projection,)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """As many."""
        return lengths

    def begin(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the contract."""
        projected, _ = self.net.feature_projection(features)
        return self.net.encoder.dropout(projected * length.mask(lengths, projected.shape[1])[..., None]), lengths

    def context(self, hidden: Tensor, real: Tensor) -> Mapping[str, Any]:
        """See the contract."""
        mask = torch.zeros_like(real, dtype=hidden.dtype).masked_fill(~real, torch.finfo(hidden.dtype).min)
        return {"attention_mask": mask[:, None, None], "conv_attention_mask": real}
