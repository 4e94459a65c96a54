"""A Conformer with BLSTM layers on top."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lasasr.listen.base import Encoded
from lasasr.listen.bilstm import BiLSTM, Lstm
from lasasr.listen.conformer import ConformerEncoder
from lasasr.listen.dropout import SequenceDropout


class ConformerBLSTMEncoder(ConformerEncoder):
    """The frames of a Conformer, read once more in both directions before anyone attends to them.

    Args:
        blstm_dim: cells per direction and BLSTM layer.
        blstm_layers: >= 1.
        projection_dim: see `BiLSTM`.
        lstm: see `BiLSTM`.
        dropout: see `ConformerEncoder`; also of what goes into each BLSTM layer.
        options: of `ConformerEncoder`.

    Raises:
        ValueError: as there, or `blstm_layers` is below 1.
    """

    self_attentive = False  # what reads the frames once more in order keeps them at their places

    def __init__(
        self,
        blstm_dim: int,
        blstm_layers: int = 1,
        projection_dim: int = 0,
        lstm: Lstm = "auto",
        dropout: float = 0.1,
        **options: Any,
    ) -> None:
        if options.get("intermediate_layers"):
            raise ValueError("intermediate_layers: the CTC head reads frames of the BLSTM's width here, not a layer's")
        super().__init__(dropout=dropout, **options)
        if blstm_layers < 1:
            raise ValueError(f"blstm_layers must be >= 1, got {blstm_layers}")
        self.blstm = nn.ModuleList()
        for _ in range(blstm_layers):
            layer = BiLSTM(self.output_dim, blstm_dim, projection_dim, lstm)
            self.blstm.append(layer)
            self.output_dim = layer.output_dim
        self.sequence_dropout = SequenceDropout(dropout)

    def forward(self, features: Tensor, lengths: Tensor) -> Encoded:
        """Features (B, T, F) and lengths (B,) → encoded (B, ⌈T / subsampling_factor⌉, E)."""
        frames, lengths = super().forward(features, lengths)
        for layer in self.blstm:
            frames = layer(self.sequence_dropout(frames), lengths)
        return Encoded(frames, lengths)
