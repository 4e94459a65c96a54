"""Promises about gradients, precision, extreme lengths and compilation, each tried by a function of a `Trial`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lasasr.attend.base import Attended
from lasasr.attend.trial import HYPOTHESES, LENGTHS, TOLERANCE, Trial, difference, run
from lasasr.nn import tree
from lasasr.nn.conformance import Measured, largest, within


def gradients(trial: Trial) -> Measured:
    """After three training steps every parameter has a finite gradient that is not 0."""
    attention, queries = trial.attention(training=True), trial.queries(len(LENGTHS))
    named = dict(attention.named_parameters())
    contexts = torch.stack([step.context for step in run(attention, *trial.encoded(), queries)])
    torch.manual_seed(6)
    if named:
        torch.autograd.backward((contexts * torch.randn(contexts.shape).to(contexts)).sum())
    bad = [name for name, p in named.items() if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()]
    return Measured(not bad, f"missing, 0 or not finite: {', '.join(bad)}" if bad else f"{len(named)} parameters")


def gradients_by_differences(trial: Trial) -> Measured:
    """Slopes of a training step along random directions, one per input and parameter, in float64.

    The step is the third: what flows through the state may be cut on purpose (`detach`). A share `hard` of steps whose
    gradient is that of another function by design (Bengio et al. 2013, straight-through) is set to 0.
    """
    attention = trial.attention(training=True, dtype=torch.float64)
    for module in attention.modules():
        if hasattr(module, "hard"):
            module.hard = 0.0
    encoded, mask = trial.encoded((5, 3), dtype=torch.float64)
    queries = trial.queries(2, dtype=torch.float64)
    with torch.no_grad():
        state = run(attention, encoded, mask, queries[:2])[-1].state
    inputs = [queries[2].requires_grad_(), encoded.requires_grad_(), *attention.parameters()]

    def attended() -> Attended[Any]:
        torch.manual_seed(7)  # the same noise and the same projection each time
        step: Attended[Any] = attention(inputs[0], attention.memory(encoded, mask), state)
        return step

    def value() -> Tensor:
        context = attended().context
        return (context * torch.randn(context.shape).to(context)).sum()

    def worst(step: float) -> float:
        slopes = torch.autograd.grad(value(), inputs, allow_unused=True)
        pairs = zip(inputs, slopes, strict=True)
        return largest([torch.tensor([_slope_error(value, tensor, slope, step) for tensor, slope in pairs])])

    exact = within(worst(1e-6), 1e-6)
    if exact.kept or not any(map(_is_rounded, attended()[:2])):
        return exact
    coarse = within(worst(1e-2), 1e-2)  # a step that float32 can see
    return Measured(coarse.kept, f"{coarse.number}, in float32, to which it casts")


def _is_rounded(values: Tensor) -> bool:
    """Whether all of some values that should be float64 are numbers that float32 has."""
    return torch.equal(values.double(), values.float().double())


def _slope_error(value: Callable[[], Tensor], tensor: Tensor, slope: Tensor | None, step: float) -> float:
    """Difference of `slope` and the central difference along a random direction of `one`; relative above 1."""
    torch.manual_seed(8)
    direction = torch.randn(tensor.shape).to(tensor)
    direction /= direction.norm()
    values = []
    with torch.no_grad():
        for sign in (1, -1):
            original = tensor.clone()
            tensor.add_(direction, alpha=sign * step)
            values.append(float(value()))
            tensor.copy_(original)
    measured = (values[0] - values[1]) / (2 * step)
    stated = 0.0 if slope is None else float((slope * direction).sum())
    return abs(measured - stated) / max(1.0, abs(measured))


def finite_in_half_precision(trial: Trial) -> Measured:
    """Each input and each parameter in turn 1e4 times larger in bfloat16, 1e3 times in float16."""
    bad = []
    for dtype, factor in ((torch.bfloat16, 1e4), (torch.float16, 1e3)):
        names = ["query", "encoded", *(name for name, _ in trial.attention().named_parameters())]
        for name in names:
            attention, (encoded, mask) = trial.attention(moved=False, dtype=dtype), trial.encoded(dtype=dtype)
            queries = trial.queries(len(LENGTHS), steps=2, dtype=dtype)
            with torch.no_grad():
                if name in ("query", "encoded"):
                    (queries if name == "query" else encoded).mul_(factor)
                else:
                    attention.get_parameter(name).mul_(factor)
                attended = run(attention, encoded, mask, queries)
            if not all(leaf.isfinite().all() for step in attended for leaf in tree.leaves(step)):
                bad.append(f"{name} in {dtype}")
    return Measured(not bad, f"not finite: {', '.join(bad)}" if bad else "finite")


def one_frame(trial: Trial) -> Measured:
    """An utterance of one frame."""
    attention, queries = trial.attention(), trial.queries(1)
    attended = run(attention, *trial.encoded((1,)), queries)
    finite = all(bool(leaf.isfinite().all()) for step in attended for leaf in tree.leaves(step))
    worst = largest(step.weights - 1 for step in attended)
    if attention.sums_to_one:
        return Measured(finite and worst <= TOLERANCE, f"weight off 1 by {worst:.1e}")
    return Measured(finite, "finite" if finite else "not finite")


def long_utterance(trial: Trial) -> Measured:
    """5,000 frames, one hypothesis, while training (where monotonic variants sum over all alignments)."""
    attention = trial.attention(training=True)
    with torch.no_grad():
        attended = run(attention, *trial.encoded((5000,)), trial.queries(1)[:, :, :1])
    finite = all(bool(leaf.isfinite().all()) for step in attended for leaf in tree.leaves(step))
    excess = torch.stack([step.weights.sum(-1) for step in attended]) - 1
    worst = float(excess.abs().max() if attention.sums_to_one else excess.max())
    return Measured(finite and worst <= 1e-4, f"{'finite' if finite else 'not finite'}, sum off 1 by {worst:.1e}")


def steady_pace(trial: Trial) -> Measured:
    """The same query on the same frame again and again: the centre of the weights does not move faster and faster."""
    attention = trial.attention(moved=False)
    encoded, mask = trial.encoded((400,))
    encoded = encoded[:, :1].repeat(1, 400, 1)
    queries = trial.queries(1, steps=1).repeat(7, 1, 1, 1)
    with torch.no_grad():
        weights = torch.stack([step.weights for step in run(attention, encoded, mask, queries)])
    frames = torch.arange(400, device=weights.device)
    pace = ((weights * frames).sum(-1) / weights.sum(-1).clamp(min=1e-9)).diff(dim=0)
    early, late = pace[:2].amax(0).clamp(min=1.0), pace[-1]
    return within(float((late / early).max()), 2.0)


def compiles(trial: Trial) -> Measured:
    """The same under torch.compile(fullgraph=True, backend="aot_eager"), forward and backward."""
    return compiled(trial, "aot_eager")


def compiled(trial: Trial, backend: str) -> Measured:
    """Difference between a step as written and compiled: results and the gradient of the query."""
    attention, (encoded, mask), queries = trial.attention(), trial.encoded(), trial.queries(len(LENGTHS))
    memory = attention.memory(encoded, mask)
    state = attention.initial(memory, HYPOTHESES)
    memory, state = (tree.map_leaves(torch.detach, part) for part in (memory, state))
    torch.compiler.reset()
    results = []
    for step in (attention, torch.compile(attention, fullgraph=True, backend=backend)):
        query = queries[0].clone().requires_grad_()
        attended = step(query, memory, state)
        if attended.context.requires_grad:
            torch.autograd.backward(attended.context.square().sum())
        gradient = torch.zeros_like(query) if query.grad is None else query.grad
        results.append([attended, Attended(gradient, gradient, gradient)])
    torch.compiler.reset()
    return within(difference(*results), TOLERANCE)
