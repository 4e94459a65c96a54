"""vᵀ tanh(x) with a backward pass of its own, for a loop over steps with one hypothesis per utterance (K = 1).

As in `AdditiveEnergy` x comes doubled, and vᵀ tanh(x / 2) = 2vᵀ σ(x) − Σv. The gradient of x is r · 2v with
r = ∂e · σ(1 − σ): the steps add up r alone, and 2v, which they share, is multiplied in after the loop.

σ, the one large tensor of a step, (B, H, T, A), is not kept but computed again in the backward pass: the memory of a
batch does not grow with U · T · A, and on a CPU it is faster too, because all steps work in the same warm buffer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from lasasr.nn.shared_steps import Shared, Sum, begin, cached


class _Frames(NamedTuple):
    """What the steps share of keys (B, H, T, A) and v (H, A)."""

    keys: Shared[Sum]
    vector: Shared[Sum]
    column: Tensor  # 2v (H, A, 1)
    row: Tensor  # 2v (H, 1, A)
    offset: Tensor  # Σv (H, 1)
    buffer: Tensor  # (B, H, T, A), where a step works


class _Filters(NamedTuple):
    """What the steps share of 2W_f (H, F, A)."""

    weight: Shared[Sum]
    forward: Tensor  # of every utterance and head (B·H, F, A)
    backward: Tensor  # the same times 2v


def squashed_energy(
    query: Tensor, keys: Tensor, vector: Tensor, features: Tensor | None, weight: Tensor | None
) -> Tensor:
    """Energy (B, 1, H, T), within `shared_steps.loop()`.

    Args:
        query: W_q q, (B, 1, H, 1, A).
        keys: doubled, (B, H, T, A).
        vector: v (H, A).
        features: (B, 1, H, T, F), or None.
        weight: 2W_f (H, F, A), or None; like `keys` and `vector` the same object in every step.
    """
    frames = cached(_frames, keys, vector)
    handles = [frames.keys.handle, frames.vector.handle]
    filters = None
    if features is not None and weight is not None:
        filters = cached(_filters, keys, vector, weight)
        handles.append(filters.weight.handle)
    energy: Tensor = _Energy.apply(frames, filters, query, features, *handles)
    return energy


def _frames(keys: Tensor, vector: Tensor) -> _Frames:
    keys = keys.to(_precision(keys))
    vector = vector.to(keys.dtype)
    row = 2 * vector.detach()[:, None]
    return _Frames(
        keys=begin(Sum(keys, lambda total: total * row), keys),
        vector=begin(Sum(vector, lambda total: total.sum(0)), vector),
        column=row.transpose(1, 2),
        row=row,
        offset=vector.detach().sum(-1, keepdim=True),
        buffer=torch.empty_like(keys),
    )


def _precision(keys: Tensor) -> torch.dtype:
    """That of the keys; on a CPU at least float32, in which sums and sigmoids are faster than in half precision."""
    return torch.promote_types(keys.dtype, torch.float32) if keys.device.type == "cpu" else keys.dtype


def _filters(keys: Tensor, vector: Tensor, weight: Tensor) -> _Filters:
    weight = weight.to(_precision(keys))
    row = 2 * vector.detach().to(weight.dtype)[:, None]
    accumulator = Sum(weight, lambda total: total.sum(0) * row)
    forward, backward = (
        matrix.expand(len(keys), *matrix.shape).flatten(0, 1) for matrix in (weight.detach(), weight.detach() * row)
    )
    return _Filters(begin(accumulator, weight), forward, backward)


def _squash(frames: _Frames, filters: _Filters | None, query: Tensor, features: Tensor | None) -> Tensor:
    """σ (B·H, T, A) for query (B, H, 1, A) and features (B·H, T, F), in `frames.buffer`."""
    torch.add(frames.keys.accumulator.tensor, query, alpha=2, out=frames.buffer)
    rows = frames.buffer.flatten(0, 1)
    if filters is not None and features is not None:
        rows.baddbmm_(features, filters.forward)
    return rows.sigmoid_()


class _Energy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, frames: _Frames, filters: _Filters | None, query: Tensor, features: Tensor | None, *handles: Tensor
    ) -> Tensor:
        keys = frames.keys.accumulator.tensor
        query = query[:, 0].to(keys.dtype)
        features = None if features is None else features[:, 0].flatten(0, 1).to(keys.dtype)
        ctx.frames, ctx.filters = frames, filters
        ctx.save_for_backward(keys, query, features)
        squashed = _squash(frames, filters, query, features)
        if keys.shape[1] == 1:  # a product of matrices, several times faster than a batch of them
            energy = (squashed.flatten(0, 1) @ frames.column[0]).view(keys.shape[:3])
        else:
            energy = (squashed.view_as(keys) @ frames.column)[..., 0]
        return (energy - frames.offset)[:, None]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        keys, query, features = ctx.saved_tensors
        frames, filters = ctx.frames, ctx.filters
        batch, heads, length, width = keys.shape
        squashed = _squash(frames, filters, query, features)
        energy_gradient = gradient.reshape(batch * heads, length, 1).to(keys.dtype)
        if frames.vector.accumulator.needs_gradient:
            spread = torch.bmm(energy_gradient.transpose(1, 2), squashed) * 2 - energy_gradient.sum(1, keepdim=True)
            frames.vector.accumulator.add(spread.view(batch, heads, width))
        # r, in place of σ
        slope = torch.ops.aten.sigmoid_backward.grad_input(energy_gradient, squashed, grad_input=squashed)
        into_query = slope.sum(1).view(batch, 1, heads, 1, width) * (2 * frames.row)
        if frames.keys.accumulator.needs_gradient:
            frames.keys.accumulator.add(slope.view_as(keys))
        if filters is None:
            return None, None, into_query, None, None, None
        if filters.weight.accumulator.needs_gradient:
            filters.weight.accumulator.add(torch.bmm(features.transpose(1, 2), slope).view(batch, heads, -1, width))
        # (B·H, F, T), as the filters make them
        into_features = torch.bmm(filters.backward, slope.transpose(1, 2)).view(batch, 1, heads, -1, length)
        return None, None, into_query, into_features.transpose(3, 4), None, None, None
