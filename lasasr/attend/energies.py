"""Content energies: how well a query fits a frame. Each has `keys`, computed once per utterance, and `forward`."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lasasr.attend.values import split_heads

LARGEST = 2**25  # elements of a broadcast sum (B, K, H, T, A) beyond which it is made in pieces


class DotEnergy(nn.Module):
    """e = ⟨W_k h, W_q q⟩ per head (Luong et al. 2015, §3.1; Chan et al. 2015, eq. 9).

    Keys have no bias: it would add the same to every frame's energy, which a softmax cannot see.

    Args:
        dim: A summed over the heads.
        scaled: divide by √(A / H) (Vaswani et al. 2017, §3.2.1).
        tanh: squash both sides, as ESPnet does.
    """

    def __init__(
        self, *, encoded_dim: int, query_dim: int, dim: int, heads: int = 1, scaled: bool = False, tanh: bool = False
    ) -> None:
        super().__init__()
        self.heads, self.tanh = heads, tanh
        self.gain = 1.0 / math.sqrt(head_width(dim, heads)) if scaled else 1.0
        self.key = nn.Linear(encoded_dim, dim, bias=False)
        self.query = nn.Linear(query_dim, dim)

    def keys(self, encoded: Tensor) -> Tensor:
        """Encoded (B, T, E) → keys (B, H, T, A / H)."""
        keys = self.key(encoded)
        return split_heads(keys.tanh() if self.tanh else keys, self.heads)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Query (B, K, Q) and keys (B, H, T, A / H) → energy (B, K, H, T)."""
        query = self.query(query)
        query = split_heads(query.tanh() if self.tanh else query, self.heads)
        return (torch.matmul(query, keys.transpose(2, 3)) * self.gain).transpose(1, 2)


class GeneralEnergy(nn.Module):
    """e = qᵀ W h (Luong et al. 2015, §3.1)."""

    def __init__(self, *, encoded_dim: int, query_dim: int) -> None:
        super().__init__()
        self.key = nn.Linear(encoded_dim, query_dim, bias=False)

    def keys(self, encoded: Tensor) -> Tensor:
        """Encoded (B, T, E) → keys W h (B, 1, T, Q)."""
        return split_heads(self.key(encoded), 1)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Query (B, K, Q) and keys (B, 1, T, Q) → energy (B, K, 1, T)."""
        return (query[:, None].to(keys.dtype) @ keys.transpose(2, 3)).transpose(1, 2)


class AdditiveEnergy(nn.Module):
    """e = vᵀ tanh(W_k h + b + W_q q [+ W_f f]) per head (Bahdanau et al. 2015, §A.1.2; Chorowski et al. 2015, eq. 9).

    Computed as vᵀ tanh(x) = 2vᵀ σ(2x) − Σv, because a sigmoid costs a fraction of a tanh on CPU; keys are kept doubled.

    Args:
        dim: A summed over the heads.
        features: F, the width of the per-frame features f; 0 for none.
        bias: b (Luong et al. 2015 `concat`: none).
    """

    def __init__(
        self, *, encoded_dim: int, query_dim: int, dim: int, heads: int = 1, features: int = 0, bias: bool = True
    ) -> None:
        super().__init__()
        self.heads = heads
        width = head_width(dim, heads)
        self.key = nn.Linear(encoded_dim, dim, bias=bias)
        self.query = nn.Linear(query_dim, dim, bias=False)
        self.vector = nn.Parameter(torch.empty(heads, width))
        self.feature = nn.Parameter(torch.empty(heads, features, width)) if features else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in ±1/√fan-in, as nn.Linear."""
        nn.init.uniform_(self.vector, -1 / math.sqrt(self.vector.shape[1]), 1 / math.sqrt(self.vector.shape[1]))
        if self.feature is not None:
            nn.init.uniform_(self.feature, -1 / math.sqrt(self.feature.shape[1]), 1 / math.sqrt(self.feature.shape[1]))

    def keys(self, encoded: Tensor) -> Tensor:
        """Encoded (B, T, E) → 2(W_k h + b), (B, H, T, A / H)."""
        return split_heads(2 * self.key(encoded), self.heads)

    def forward(self, query: Tensor, keys: Tensor, features: Tensor | None = None) -> Tensor:
        """Query (B, K, Q), keys (B, H, T, A / H) and features (B, K, H, T, F) or None → energy (B, K, H, T)."""
        query = (2 * self.query(query)).unflatten(-1, (self.heads, 1, -1))  # (B, K, H, 1, A / H)
        frames = max(1, LARGEST // query.numel())
        if frames >= keys.shape[2]:
            return self._energy(query, keys, features)
        pieces = range(0, keys.shape[2], frames)
        return torch.cat(
            [
                self._energy(
                    query, keys[:, :, i : i + frames], None if features is None else features[..., i : i + frames, :]
                )
                for i in pieces
            ],
            dim=-1,
        )

    def _energy(self, query: Tensor, keys: Tensor, features: Tensor | None) -> Tensor:
        total = keys[:, None] + query
        shape = total.shape[:-1]
        if self.feature is not None and features is not None:
            weight = (2 * self.feature).to(total.dtype).expand(*shape[:2], -1, -1, -1).flatten(0, 2)
            total = torch.baddbmm(total.flatten(0, 2), features.to(total.dtype).flatten(0, 2), weight).view_as(total)
        squashed = total.sigmoid_()
        vector = self.vector.to(squashed.dtype)
        if self.heads == 1:
            energy = squashed.flatten(0, -2).mv(2 * vector[0]).view(shape)
        else:
            energy = (squashed @ (2 * vector)[..., None])[..., 0]
        return energy - vector.sum(-1)[:, None]


def head_width(dim: int, heads: int) -> int:
    """A / H.

    Raises:
        ValueError: the heads do not divide the width.
    """
    if heads < 1 or dim % heads:
        raise ValueError(f"dim must be a multiple of heads, got dim {dim} and heads {heads}")
    return dim // heads
