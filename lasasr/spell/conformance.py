"""What every decoder promises (`lasasr.spell.base`), tried on one of them with a small attention.

`lasasr check spell=NAME` prints it, and the tests run it over every shipped decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lasasr.nn import conformance
from lasasr.nn.conformance import Finding, Measured
from lasasr.spell import trial_search, trial_training
from lasasr.spell.base import Decoder
from lasasr.spell.trial import Trial

PROMISES: dict[str, Callable[[Trial], Measured]] = {
    "logits (B, K, V), weights (B, K, H, T), memory (B, ...), state (B, K, ...)": trial_search.shapes,
    "blank, pad and sos are never emitted, and logits are finite": trial_search.never_emitted,
    "more padding, filled with 1e3, changes nothing": trial_search.padding_changes_nothing,
    "alone is as in a batch": trial_search.alone_as_in_a_batch,
    "each of several hypotheses scores as alone": trial_search.hypotheses_apart,
    "reordering the state reorders the result": trial_search.reorders,
    "two interleaved batches do not disturb each other": trial_search.interleaved,
    "a state can be continued twice": trial_search.siblings,
    "memory is left untouched": trial_search.memory_untouched,
    "the state keeps structure, shapes, dtypes": trial_search.state_keeps_its_form,
    "deterministic in evaluation": trial_search.deterministic,
    "unroll gives what the steps give, and the same gradients": trial_training.unrolls,
    "tokens after an utterance's end change nothing before it": trial_training.later_tokens,
    "with sampling=1 no token of the reference is read but the first": trial_training.samples,
    "draws says whether a training pass draws random numbers": trial_training.draws_is_true,
    "gradients of all parameters are finite and not 0": trial_training.gradients,
    "no gradient reaches encoded padding": trial_training.padding_learns_nothing,
    "bfloat16 is nearly the same": trial_training.half_precision,
}


def check(make: Callable[..., Decoder], device: str = "cpu") -> Iterator[Finding]:
    """Try every promise on the decoder that `make(attend=, encoded_dim=, vocabulary_size=)` builds, in order."""
    return conformance.findings(PROMISES, lambda: Trial(make, device), device)
