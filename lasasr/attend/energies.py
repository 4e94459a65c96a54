"""Content energies: how well a query fits a frame. Each has `keys`, computed once per utterance, and `forward`."""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor, nn

from lasasr.attend.squashed import squashed_energy
from lasasr.attend.values import split_heads
from lasasr.nn import shared_steps, tracing
from lasasr.nn.shared_layers import SharedLinear, parameter

# Elements of a broadcast sum (B, K, H, T, A) beyond which it is made in pieces where no gradient needs it whole: on a
# CPU a piece of 4 MB stays in the cache, and 8 utterances take a quarter of the time; elsewhere launches count: 32 MB.
LARGEST = {"cpu": 2**20}
LARGEST_ELSEWHERE = 2**23


class DotEnergy(nn.Module):
    """e = ⟨W_k h, W_q q⟩ per head (Luong et al. 2015, §3.1; Chan et al. 2015, eq. 9).

    Without tanh keys have no bias: it would add the same to every frame's energy, which leaves a softmax unchanged.

    Args:
        dim: A summed over the heads.
        scaled: divide by √(A / H) (Vaswani et al. 2017, §3.2.1).
        tanh: squash both sides, as ESPnet does.
        key_bias: a bias on the keys, inside the tanh (ESPnet, `dot`).

    Raises:
        ValueError: `key_bias` without `tanh`.
    """

    def __init__(
        self,
        *,
        encoded_dim: int,
        query_dim: int,
        dim: int,
        heads: int = 1,
        scaled: bool = False,
        tanh: bool = False,
        key_bias: bool = False,
    ) -> None:
        super().__init__()
        if key_bias and not tanh:
            raise ValueError(
                "key_bias needs tanh: without it a bias on the keys leaves a softmax unchanged, got tanh False"
            )
        self.heads, self.tanh = heads, tanh
        self.gain = 1.0 / math.sqrt(head_width(dim, heads)) if scaled else 1.0
        self.key = nn.Linear(encoded_dim, dim, bias=key_bias)
        self.query = SharedLinear(query_dim, dim)

    def keys(self, encoded: Tensor) -> Tensor:
        """Encoded (B, T, E) → keys (B, H, T, A / H)."""
        keys = self.key(encoded)
        return split_heads(keys.tanh() if self.tanh else keys, self.heads)

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Query (B, K, Q) and keys (B, H, T, A / H) → energy (B, K, H, T)."""
        query = self.query(query)
        query = split_heads(query.tanh() if self.tanh else query, self.heads)
        return (shared_steps.product(query, keys, transposed=True) * self.gain).transpose(1, 2)


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
        return shared_steps.product(query[:, None].to(keys.dtype), keys, transposed=True).transpose(1, 2)


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
        self.query = SharedLinear(query_dim, dim, bias=False)
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
        query = self.query(query)
        query = query.view(*query.shape[:2], self.heads, 1, -1)  # (B, K, H, 1, A / H)
        if shared_steps.recording() and query.shape[1] == 1:
            weight = None if self.feature is None or features is None else self._doubled("feature")
            return squashed_energy(query, keys, parameter(self, "vector"), features, weight)
        if torch.is_grad_enabled() or tracing.active():
            return self._energy(query, keys, features)
        return self._in_pieces(query, keys, features)

    def _in_pieces(self, query: Tensor, keys: Tensor, features: Tensor | None) -> Tensor:
        """Some utterances, and some frames, after others, in one buffer."""
        largest = LARGEST.get(keys.device.type, LARGEST_ELSEWHERE)
        (B, *hypotheses, _, _), T, size = query.shape, keys.shape[2], query[0].numel()
        count, width = max(1, largest // (size * T)), max(1, min(T, largest // size))
        dtype = torch.promote_types(query.dtype, keys.dtype)
        energy = query.new_empty((B, *hypotheses, T), dtype=dtype)
        buffer = energy.new_empty(min(count, B) * size * width)
        for i, j in product(range(0, B, count), range(0, T, width)):
            rows, frames = slice(i, i + count), slice(j, j + width)
            some = None if features is None else features[rows, ..., frames, :]
            energy[rows, ..., frames] = self._energy(query[rows], keys[rows, :, frames], some, buffer)
        return energy

    def _energy(self, query: Tensor, keys: Tensor, features: Tensor | None, buffer: Tensor | None = None) -> Tensor:
        """The energy of all frames of `keys`; `buffer` (N,) holds intermediate values that no gradient needs."""
        out = None
        if buffer is not None:
            size = (*query.shape[:3], *keys.shape[2:])
            out = buffer[: math.prod(size)].view(size)
        total = torch.add(keys[:, None], query, alpha=2, out=out)
        shape = total.shape[:-1]
        if self.feature is not None and features is not None:
            weight = self._doubled("feature").to(total.dtype).expand(*shape[:2], -1, -1, -1).flatten(0, 2)
            rows = total.flatten(0, 2)
            into = None if out is None else rows
            total = torch.baddbmm(rows, features.to(total.dtype).flatten(0, 2), weight, out=into).view_as(total)
        squashed = total.sigmoid_()
        vector = self._doubled("vector").to(squashed.dtype)
        if self.heads == 1:
            energy = squashed.flatten(0, -2).mv(vector[0]).view(shape)
        else:
            energy = (squashed @ vector[..., None])[..., 0]
        return energy - vector.sum(-1)[:, None] / 2

    def _doubled(self, name: str) -> Tensor:
        return shared_steps.cached(_doubled, parameter(self, name))


def _doubled(weight: Tensor) -> Tensor:
    return 2 * weight


def head_width(dim: int, heads: int) -> int:
    """A / H.

    Raises:
        ValueError: the heads do not divide the width.
    """
    if heads < 1 or dim % heads:
        raise ValueError(f"dim must be a multiple of heads, got dim {dim} and heads {heads}")
    return dim // heads
