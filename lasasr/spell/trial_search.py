"""Promises about steps and states, which search relies on, each tried by a function of a `Trial`."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from lasasr.nn import tree
from lasasr.nn.conformance import Measured, changed_forms, largest, untouched, with_padding, within
from lasasr.spell.base import DecoderStep
from lasasr.spell.trial import LENGTHS, STEPS, TOLERANCE, B, H, K, Trial, V, difference, run, walk
from lasasr.text import special


@torch.no_grad()
def shapes(trial: Trial) -> Measured:
    """Of a step, of memory and of the state."""
    decoder, (encoded, mask), tokens = trial.decoder(), trial.encoded(), trial.tokens()
    memory = decoder.memory(encoded, mask)
    before = decoder.initial(memory, K)
    step = decoder.step(tokens[0], memory, before)
    kept = step.logits.shape == (B, K, V) == (B, K, decoder.vocabulary_size)
    kept &= step.weights.shape == (B, K, H, max(LENGTHS))
    kept &= all(leaf.shape[0] == B for leaf in tree.leaves(memory))
    kept &= all(leaf.shape[:2] == (B, K) for state in (before, step.state) for leaf in tree.leaves(state))
    return Measured(kept, f"logits {tuple(step.logits.shape)}, weights {tuple(step.weights.shape)}")


@torch.no_grad()
def never_emitted(trial: Trial) -> Measured:
    """The largest probability of what is never emitted, in float32; an infinite or NaN logit counts as 1."""
    worst = 0.0
    for training in (False, True):
        for step in run(trial.decoder(training), *trial.encoded(), trial.tokens()):
            finite = bool(step.logits.isfinite().all())
            chances = step.logits.float().softmax(-1)[..., list(special.NEVER_EMITTED)]
            worst = max(worst, float(chances.max())) if finite else 1.0
    return within(worst, 0.0)


@torch.no_grad()
def padding_changes_nothing(trial: Trial) -> Measured:
    """Five more frames of padding, all of it 1e3."""
    decoder, (encoded, mask), tokens = trial.decoder(), trial.encoded(), trial.tokens()
    padded = run(decoder, *with_padding(encoded, mask, 5, 1e3), tokens)
    cut = [step._replace(weights=step.weights[..., : max(LENGTHS)]) for step in padded]
    return within(difference(run(decoder, encoded, mask, tokens), cut), TOLERANCE)


@torch.no_grad()
def alone_as_in_a_batch(trial: Trial) -> Measured:
    """Each utterance once more, alone and without padding."""
    decoder, (encoded, mask), tokens = trial.decoder(), trial.encoded(), trial.tokens()
    together, gaps = run(decoder, encoded, mask, tokens), []
    for b, length in enumerate(LENGTHS):
        alone = run(decoder, encoded[b : b + 1, :length], mask[b : b + 1, :length], tokens[:, b : b + 1])
        for lone, step in zip(alone, together, strict=True):
            gaps += [lone.logits[0] - step.logits[b], lone.weights[0] - step.weights[b, ..., :length]]
    return within(largest(gaps), TOLERANCE)


@torch.no_grad()
def hypotheses_apart(trial: Trial) -> Measured:
    """K hypotheses of an utterance against each of them with K = 1."""
    decoder, (encoded, mask), tokens = trial.decoder(), trial.encoded(), trial.tokens()
    together, gaps = run(decoder, encoded, mask, tokens), []
    for k in range(K):
        alone = run(decoder, encoded, mask, tokens[..., k : k + 1])
        for lone, step in zip(alone, together, strict=True):
            gaps += [lone.logits[:, 0] - step.logits[:, k], lone.weights[:, 0] - step.weights[:, k]]
    return within(largest(gaps), TOLERANCE)


@torch.no_grad()
def reorders(trial: Trial) -> Measured:
    """A beam whose hypotheses change places, and one of which is taken twice, goes on as its parents would."""
    decoder, (encoded, mask), tokens = trial.decoder(), trial.encoded(), trial.tokens()
    memory = decoder.memory(encoded, mask)
    state = walk(decoder, memory, decoder.initial(memory, K), tokens[:2])[-1].state
    parents = torch.tensor([[2, 0, 0], [1, 1, 2], [2, 1, 0]], device=trial.device)
    straight = decoder.step(tokens[2], memory, state)
    crossed = decoder.step(tokens[2].gather(1, parents), memory, tree.reorder(state, parents))
    return within(difference([_reordered(straight, parents)], [crossed]), TOLERANCE)


def _reordered(step: DecoderStep, parents: Tensor) -> DecoderStep:
    rows = torch.arange(B, device=parents.device)[:, None]
    return step._replace(logits=step.logits[rows, parents], weights=step.weights[rows, parents])


@torch.no_grad()
def interleaved(trial: Trial) -> Measured:
    """Two batches that take turns on one decoder; hidden state on `self` would mix them."""
    decoder, (encoded, mask) = trial.decoder(), trial.encoded()
    batches = [(encoded, mask, trial.tokens()), (encoded.flip(0), mask.flip(0), trial.tokens(seed=4))]
    alone = [step for batch in batches for step in run(copy.deepcopy(decoder), *batch)]
    memories = [decoder.memory(*batch[:2]) for batch in batches]
    states = [decoder.initial(memory, K) for memory in memories]
    turns: list[list[DecoderStep]] = [[], []]
    for u in range(STEPS):
        for i, memory in enumerate(memories):
            turns[i].append(decoder.step(batches[i][2][u], memory, states[i]))
            states[i] = turns[i][-1].state
    return within(difference(turns[0] + turns[1], alone), TOLERANCE)


@torch.no_grad()
def siblings(trial: Trial) -> Measured:
    """A state can be continued twice: the first continuation leaves no trace in it."""
    decoder, (encoded, mask), tokens = trial.decoder(), trial.encoded(), trial.tokens()
    memory = decoder.memory(encoded, mask)
    state = walk(decoder, memory, decoder.initial(memory, K), tokens[:1])[-1].state
    once = tree.map_leaves(torch.clone, decoder.step(tokens[1], memory, state))
    decoder.step(tokens[2], memory, state)
    return within(difference([once], [decoder.step(tokens[1], memory, state)]), 0.0)


@torch.no_grad()
def memory_untouched(trial: Trial) -> Measured:
    """Encoded, mask, tokens and memory before and after."""
    decoder, (encoded, mask), tokens = trial.decoder(), trial.encoded(), trial.tokens()
    leaves = [encoded, mask, tokens]
    before = [leaf.clone() for leaf in leaves]
    memory = decoder.memory(encoded, mask)
    leaves += tree.leaves(memory)
    before += [leaf.clone() for leaf in tree.leaves(memory)]
    walk(decoder, memory, decoder.initial(memory, K), tokens)
    return untouched(before, leaves)


@torch.no_grad()
def state_keeps_its_form(trial: Trial) -> Measured:
    """Structure, shapes and dtypes of the state after two steps, in float32 and in autocast."""
    changed = []
    for mixed in (False, True):
        decoder, (encoded, mask), tokens = trial.decoder(), trial.encoded(), trial.tokens()
        with torch.autocast(trial.device.partition(":")[0], torch.bfloat16, enabled=mixed):
            memory = decoder.memory(encoded, mask)
            before = decoder.initial(memory, K)
            after = walk(decoder, memory, before, tokens[:2])[-1].state
        changed += changed_forms(before, after)
    return Measured(not changed, "; ".join(changed) or "unchanged")


@torch.no_grad()
def deterministic(trial: Trial) -> Measured:
    """Twice the same in evaluation, whatever the state of the generator of random numbers."""
    decoder, runs = trial.decoder(), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        runs.append(run(decoder, *trial.encoded(), trial.tokens()))
    return within(difference(*runs), 0.0)
