"""A Transformer language model without positions (Irie et al. 2019: causal layers find them by themselves)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.lm.base import LanguageModel, LMStep, without_never_emitted
from lasasr.nn.shared_layers import floating
from lasasr.nn.sizes import check_depth, check_widths


class TransformerState(NamedTuple):
    """Keys and values of the tokens read so far, u of them; reordering copies them."""

    keys: Tensor  # (B, K, L, u, D)
    values: Tensor  # (B, K, L, u, D)


class TransformerLanguageModel(LanguageModel):
    """Embedding, causal self-attention layers with normalisation before each half, softmax with the embedding matrix.

    Args:
        vocabulary_size: V.
        layers: L.
        dim: D.
        heads: of the self-attention; D is a multiple.
        feedforward_dim: inner width of the second half of a layer.
        dropout: of embeddings and of each half, in training.

    Raises:
        ValueError: no layer, or D is not a multiple of `heads`.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        layers: int = 6,
        dim: int = 512,
        heads: int = 8,
        feedforward_dim: int = 2048,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_depth(layers=layers)
        check_widths(dim=dim, feedforward_dim=feedforward_dim)
        if heads < 1 or dim % heads:
            raise ValueError(f"dim must be a multiple of heads, got {dim} and {heads}")
        self.vocabulary_size, self.dim = vocabulary_size, dim
        self.embedding = nn.Embedding(vocabulary_size, dim)
        self.layers = nn.ModuleList(Layer(dim, heads, feedforward_dim, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Embeddings of variance 1 / D, so that the first logits are of order 1."""
        nn.init.normal_(self.embedding.weight, std=1.0 / math.sqrt(self.dim))

    def initial(self, utterances: int, hypotheses: int) -> TransformerState:
        none = floating(self).new_zeros(utterances, hypotheses, len(self.layers), 0, self.dim)
        return TransformerState(none, none)

    def step(self, tokens: Tensor, state: TransformerState) -> LMStep:
        values = self._embedded(tokens.flatten())[:, None]
        rows = TransformerState(*(leaf.flatten(0, 1) for leaf in state))
        read_keys, read_values = [], []
        for number, layer in enumerate(self.layers):
            values, key, value = layer(values, rows.keys[:, number], rows.values[:, number])
            read_keys.append(key)
            read_values.append(value)
        after = (torch.stack(leaves, 1) for leaves in (read_keys, read_values))
        state = TransformerState(*(leaf.view(*tokens.shape, *leaf.shape[1:]) for leaf in after))
        return LMStep(self._read(values[:, 0]).view(*tokens.shape, -1), state)

    def unroll(self, tokens: Tensor) -> Tensor:
        values = self._embedded(tokens)
        for layer in self.layers:
            values, *_ = layer(values)
        return self._read(values)

    def _embedded(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.dropout(self.embedding(tokens) * math.sqrt(self.dim))
        return embedded

    def _read(self, top: Tensor) -> Tensor:
        return without_never_emitted(functional.linear(self.norm(top), self.embedding.weight))


class Layer(nn.Module):
    """Self-attention to what was read before and now, then two linear layers; each half is added to its input."""

    def __init__(self, dim: int, heads: int, feedforward_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feedforward_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.project = nn.Linear(dim, 3 * dim)
        self.join = nn.Linear(dim, dim)
        self.feedforward = nn.Sequential(nn.Linear(dim, feedforward_dim), nn.GELU(), nn.Linear(feedforward_dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, values: Tensor, keys_before: Tensor | None = None, values_before: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """values (N, U, D) of U new tokens → the same, and keys and values (N, u + U, D) of all that were read.

        Without anything before, a token sees itself and those on its left; with something before, U is 1.
        """
        query, key, value = self.project(self.attention_norm(values)).chunk(3, -1)
        if keys_before is not None and values_before is not None:
            key, value = torch.cat((keys_before, key), 1), torch.cat((values_before, value), 1)
        query, first, second = (
            part.view(*part.shape[:2], self.heads, -1).transpose(1, 2) for part in (query, key, value)
        )
        attended = functional.scaled_dot_product_attention(query, first, second, is_causal=keys_before is None)
        values = values + self.dropout(self.join(attended.transpose(1, 2).flatten(2)))
        return values + self.dropout(self.feedforward(self.feedforward_norm(values))), key, value
