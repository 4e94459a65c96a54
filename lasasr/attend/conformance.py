"""What every attention promises, tried on one of them: a line per promise, kept or broken, with the number measured.

`lasasr check attend=NAME` prints it, and the tests run it over every shipped variant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lasasr.attend import trial_behaviour, trial_numerics
from lasasr.attend.trial import Make, Trial
from lasasr.nn import conformance
from lasasr.nn.conformance import Finding, Measured

PROMISES: dict[str, Callable[[Trial], Measured]] = {
    "shapes are (B, K, C), (B, K, H, T), memory (B, ...), state (B, K, ...)": trial_behaviour.shapes,
    "weights are never negative": trial_behaviour.weights_nonnegative,
    "weights are exactly 0 on padding": trial_behaviour.weights_zero_on_padding,
    "weights sum to 1 (monotonic: at most)": trial_behaviour.weights_sum,
    "more padding, filled with 1e3, changes nothing": trial_behaviour.padding_changes_nothing,
    "alone is as in a batch": trial_behaviour.alone_as_in_a_batch,
    "reordering the state reorders the result": trial_behaviour.reorders,
    "two interleaved batches do not disturb each other": trial_behaviour.interleaved,
    "a state can be continued twice": trial_behaviour.siblings,
    "memory is left untouched": trial_behaviour.memory_untouched,
    "memory is never expanded along K": trial_behaviour.memory_not_expanded,
    "the state keeps structure, shapes, dtypes, strides": trial_behaviour.state_keeps_its_form,
    "deterministic": trial_behaviour.deterministic,
    "gradients of all parameters are finite and not 0": trial_numerics.gradients,
    "gradients agree with finite differences": trial_numerics.gradients_by_differences,
    "finite in half precision with large energies": trial_numerics.finite_in_half_precision,
    "an utterance of one frame": trial_numerics.one_frame,
    "an utterance of 5,000 frames": trial_numerics.long_utterance,
    "the same query again and again does not run away": trial_numerics.steady_pace,
    "the same under torch.compile, in one graph": trial_numerics.compiles,
}


def check(make: Make, device: str = "cpu") -> Iterator[Finding]:
    """Try every promise on the attention that `make(encoded_dim=, query_dim=)` builds; one finding each, in order."""
    return conformance.findings(PROMISES, lambda: Trial(make, device), device)
