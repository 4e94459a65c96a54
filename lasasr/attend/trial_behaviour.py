"""Promises about weights, memory and state of an attention, each tried by a function of a `Trial`."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lasasr.attend.base import Attended
from lasasr.attend.trial import (
    HYPOTHESES,
    LENGTHS,
    STEPS,
    TOLERANCE,
    Trial,
    difference,
    run,
    steps_from,
)
from lasasr.nn import tree
from lasasr.nn.conformance import Measured, changed_forms, largest, untouched, with_padding, within


def shapes(trial: Trial) -> Measured:
    """Contexts (B, K, C), weights (B, K, H, T); memory leads with B, state with B, K."""
    attention, (encoded, mask), queries = trial.attention(), trial.encoded(), trial.queries(len(LENGTHS))
    memory = attention.memory(encoded, mask)
    state = attention.initial(memory, HYPOTHESES)
    context, weights, _ = attention(queries[0], memory, state)
    batch = (len(LENGTHS), HYPOTHESES)
    as_promised = context.shape == (*batch, attention.context_dim)
    as_promised &= weights.shape == (*batch, attention.heads, max(LENGTHS))
    as_promised &= all(leaf.shape[0] == batch[0] for leaf in tree.leaves(memory))
    as_promised &= all(leaf.shape[:2] == batch for leaf in tree.leaves(state))
    return Measured(as_promised, f"context {tuple(context.shape)}, weights {tuple(weights.shape)}")


def weights_nonnegative(trial: Trial) -> Measured:
    """How far below 0 a weight is."""
    return within(largest(weights.clamp(max=0.0) for weights in _weights(trial)), 0.0)


def weights_zero_on_padding(trial: Trial) -> Measured:
    """The largest weight on padding."""
    padding = ~trial.encoded()[1][:, None, None]
    return within(largest(weights * padding for weights in _weights(trial)), 0.0)


def weights_sum(trial: Trial) -> Measured:
    """How far from 1 the weights sum; where less is promised, how far above."""
    exact = trial.attention().sums_to_one
    excess = [weights.sum(-1) - 1 for weights in _weights(trial)]
    return within(largest(excess if exact else [values.clamp(min=0.0) for values in excess]), TOLERANCE)


def _weights(trial: Trial) -> list[Tensor]:
    """Weights in both modes."""
    queries = trial.queries(len(LENGTHS))
    return [
        step.weights
        for mode in (False, True)
        for step in run(trial.attention(training=mode), *trial.encoded(), queries)
    ]


def padding_changes_nothing(trial: Trial) -> Measured:
    """Five more frames of padding, all of it 1e3."""
    attention, (encoded, mask), queries = trial.attention(), trial.encoded(), trial.queries(len(LENGTHS))
    padded = run(attention, *with_padding(encoded, mask, 5, 1e3), queries)
    pairs = zip(run(attention, encoded, mask, queries), padded, strict=True)
    gaps = [
        gap
        for short, long in pairs
        for gap in (short.context - long.context, short.weights - long.weights[..., : max(LENGTHS)])
    ]
    return within(largest(gaps), TOLERANCE)


def alone_as_in_a_batch(trial: Trial) -> Measured:
    """Each utterance once more, alone and without padding."""
    attention, (encoded, mask), queries = trial.attention(), trial.encoded(), trial.queries(len(LENGTHS))
    batch = run(attention, encoded, mask, queries)
    gaps = []
    for b, length in enumerate(LENGTHS):
        alone = run(attention, encoded[b : b + 1, :length], mask[b : b + 1, :length], queries[:, b : b + 1])
        for single, batched in zip(alone, batch, strict=True):
            gaps += [single.context[0] - batched.context[b], single.weights[0] - batched.weights[b, ..., :length]]
    return within(largest(gaps), TOLERANCE)


def reorders(trial: Trial) -> Measured:
    """A beam whose hypotheses change places, and one of which is taken twice, goes on as its parents would."""
    attention, (encoded, mask), queries = trial.attention(), trial.encoded(), trial.queries(len(LENGTHS))
    memory = attention.memory(encoded, mask)
    state = steps_from(attention, memory, attention.initial(memory, HYPOTHESES), queries[:2])[-1].state
    parents = torch.tensor([[2, 0, 0, 3], [1, 1, 3, 2], [3, 2, 1, 0]], device=encoded.device)
    straight = attention(queries[2], memory, state)
    crossed = attention(tree.reorder(_Query(queries[2]), parents).query, memory, tree.reorder(state, parents))
    return within(difference([tree.reorder(straight, parents)], [crossed]), TOLERANCE)


class _Query(NamedTuple):
    query: Tensor


def interleaved(trial: Trial) -> Measured:
    """Two batches that take turns on one module; hidden state on `self` would mix them."""
    attention, (encoded, mask) = trial.attention(), trial.encoded()
    inputs = [(encoded, mask, trial.queries(3, seed=3)), (encoded.flip(0), mask.flip(0), trial.queries(3, seed=4))]
    alone = [run(copy.deepcopy(attention), *arguments) for arguments in inputs]
    memories = [attention.memory(*arguments[:2]) for arguments in inputs]
    states = [attention.initial(memory, HYPOTHESES) for memory in memories]
    turns: list[list[Attended[Any]]] = [[], []]
    for u in range(STEPS):
        for i, (memory, arguments) in enumerate(zip(memories, inputs, strict=True)):
            turns[i].append(attention(arguments[2][u], memory, states[i]))
            states[i] = turns[i][-1].state
    return within(difference(turns[0] + turns[1], alone[0] + alone[1]), TOLERANCE)


def siblings(trial: Trial) -> Measured:
    """A state can be continued twice: the first continuation leaves no trace in it."""
    attention, (encoded, mask), queries = trial.attention(), trial.encoded(), trial.queries(len(LENGTHS))
    memory = attention.memory(encoded, mask)
    state = steps_from(attention, memory, attention.initial(memory, HYPOTHESES), queries[:1])[-1].state
    first = attention(queries[1], memory, state)
    first = tree.map_leaves(torch.clone, first)
    attention(queries[2], memory, state)
    return within(difference([first], [attention(queries[1], memory, state)]), 0.0)


def memory_untouched(trial: Trial) -> Measured:
    """Encoded, mask and memory before and after."""
    attention, (encoded, mask), queries = trial.attention(), trial.encoded(), trial.queries(len(LENGTHS))
    memory = attention.memory(encoded, mask)
    leaves = [encoded, mask, *tree.leaves(memory)]
    before = [leaf.clone() for leaf in leaves]
    steps_from(attention, memory, attention.initial(memory, HYPOTHESES), queries)
    return untouched(before, leaves)


class _Largest(TorchDispatchMode):
    """Records the most elements that any operation put into one new tensor."""

    def __init__(self, existing: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.existing = {tensor.untyped_storage().data_ptr() for tensor in existing}
        self.elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for out in result if isinstance(result, list | tuple) else [result]:
            if isinstance(out, Tensor) and out.untyped_storage().data_ptr() not in self.existing:
                self.elements = max(self.elements, out.untyped_storage().nbytes() // out.element_size())
        return result


def memory_not_expanded(trial: Trial) -> Measured:
    """No step makes a tensor as large as a copy of the frames for each hypothesis."""
    wide = Trial(trial.make, trial.device, encoded_dim=2048)
    attention, (encoded, mask), queries = wide.attention(), wide.encoded((16, 9)), wide.queries(2)
    memory = attention.memory(encoded, mask)
    state = attention.initial(memory, HYPOTHESES)
    with torch.no_grad(), _Largest([encoded, *attention.parameters(), *tree.leaves(memory)]) as largest:
        steps_from(attention, memory, state, queries)
    copies = largest.elements / encoded.numel()
    return Measured(copies < HYPOTHESES, f"{copies:.2f} < {HYPOTHESES} copies of the encoded frames")


def state_keeps_its_form(trial: Trial) -> Measured:
    """Structure, shapes, dtypes and strides of the state after two steps, in float32, in bfloat16 and in autocast."""
    changed = []
    for dtype, mixed in ((torch.float32, False), (torch.bfloat16, False), (torch.float32, True)):
        attention, (encoded, mask) = trial.attention(dtype=dtype), trial.encoded(dtype=dtype)
        with torch.autocast(trial.device, torch.bfloat16, enabled=mixed):
            memory = attention.memory(encoded, mask)
            before = attention.initial(memory, HYPOTHESES)
            after = steps_from(attention, memory, before, trial.queries(len(LENGTHS), steps=2, dtype=dtype))[-1].state
        changed += changed_forms(before, after, strides=True)
    return Measured(not changed, "; ".join(changed) or "unchanged")


def deterministic(trial: Trial) -> Measured:
    """Twice the same from one seed while training, and whatever the seed in `eval` mode."""
    (encoded, mask), queries = trial.encoded(), trial.queries(len(LENGTHS))
    runs: list[list[Attended[Any]]] = [[], []]
    for training in (False, True):
        for i, attended in enumerate(runs):
            attention = trial.attention(training=training)
            torch.manual_seed(9 if training else i)
            attended += run(attention, encoded, mask, queries)
    return within(difference(*runs), 0.0)
