"""A recurrent language model (Mikolov et al. 2010; with LSTM layers Sundermeyer et al. 2012)."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor, nn

from lasasr.lm.base import LanguageModel, LMStep, check_widths, without_never_emitted
from lasasr.nn import sizes
from lasasr.nn.lstm import LSTM
from lasasr.nn.shared_layers import floating
from lasasr.nn.sizes import check_depth


class LSTMState(NamedTuple):
    """The state of the layers."""

    hidden: Tensor  # (B, K, L, D)
    cell: Tensor  # (B, K, L, D)


class LSTMLanguageModel(LanguageModel):
    """Embedding, LSTM layers, softmax.

    Args:
        vocabulary_size: V.
        layers: L.
        hidden_dim: D.
        embedding_dim: width of a token's embedding.
        dropout: of embeddings, between layers and before the softmax, in training (Zaremba et al. 2014).
        tied_embeddings: the softmax uses the embedding matrix (Press & Wolf 2017).

    Raises:
        ValueError: no layer, or tied embeddings of another width than D.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        layers: int = 1,
        hidden_dim: int = 256,
        embedding_dim: int = 128,
        dropout: float = 0.0,
        tied_embeddings: bool = False,
    ) -> None:
        super().__init__()
        check_depth(layers=layers)
        sizes.check_widths(hidden_dim=hidden_dim, embedding_dim=embedding_dim)
        check_widths(tied_embeddings, embedding_dim, hidden_dim)
        self.vocabulary_size, self.depth, self.hidden_dim = vocabulary_size, layers, hidden_dim
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim)
        self.layers = LSTM(embedding_dim, hidden_dim, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_dim, vocabulary_size)
        if tied_embeddings:
            self.output.weight = self.embedding.weight
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Tied embeddings start with variance 1 / width, so that the first logits are of order 1; the rest as drawn."""
        if self.output.weight is self.embedding.weight:
            nn.init.normal_(self.embedding.weight, std=1.0 / math.sqrt(self.embedding.embedding_dim))

    def initial(self, utterances: int, hypotheses: int) -> LSTMState:
        zeros = floating(self).new_zeros(utterances, hypotheses, self.depth, self.hidden_dim)
        return LSTMState(zeros, zeros)

    def step(self, tokens: Tensor, state: LSTMState) -> LMStep:
        before = tuple(leaf.flatten(0, 1).transpose(0, 1).contiguous() for leaf in state)
        top, after = self.layers(self.embedding(tokens.flatten())[:, None], before)
        hidden, cell = (leaf.transpose(0, 1).reshape(*tokens.shape, *leaf.shape[::2]) for leaf in after)
        return LMStep(self._read(top[:, 0]).view(*tokens.shape, -1), LSTMState(hidden, cell))

    def unroll(self, tokens: Tensor) -> Tensor:
        top, _ = self.layers(self.dropout(self.embedding(tokens)))
        return self._read(top)

    def _read(self, top: Tensor) -> Tensor:
        return without_never_emitted(self.output(self.dropout(top)))
