"""Every promise catches a variant that breaks it, defects of earlier toolkits among them."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from attend_variants import factory
from torch import Tensor, nn

from lasasr.attend.base import Attended, Attention
from lasasr.attend.conformance import PROMISES, check
from lasasr.attend.gmm import GmmAttention, GmmMemory, GmmState
from lasasr.attend.trial import Trial


class Frames(NamedTuple):
    encoded: Tensor
    mask: Tensor


class Coverage(NamedTuple):
    coverage: Tensor


class Whole(Attention[Any, Any]):
    """e = ⟨W h, q⟩ - coverage: as small as an attention with a state can be, and unbroken."""

    def __init__(self, *, encoded_dim: int, query_dim: int) -> None:
        super().__init__()
        self.context_dim = encoded_dim
        self.key = nn.Linear(encoded_dim, query_dim)

    def memory(self, encoded: Tensor, mask: Tensor) -> Any:
        return Frames(encoded, mask)

    def initial(self, memory: Any, hypotheses: int) -> Any:
        batch, frames = memory.mask.shape
        dtype = torch.promote_types(memory.encoded.dtype, torch.float32)
        return Coverage(torch.zeros(batch, hypotheses, frames, device=memory.mask.device, dtype=dtype))

    def energy(self, query: Tensor, memory: Any, state: Any) -> Tensor:
        energy = torch.bmm(query, self.key(memory.encoded).transpose(1, 2))
        return energy.to(state.coverage.dtype) - state.coverage

    def weigh(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.masked_fill(~mask[:, None], -torch.inf).softmax(-1)

    def average(self, weights: Tensor, memory: Any) -> Tensor:
        return torch.bmm(weights.to(memory.encoded.dtype), memory.encoded)

    def forward(self, query: Tensor, memory: Any, state: Any) -> Attended[Any]:
        weights = self.weigh(self.energy(query, memory, state), memory.mask)
        return Attended(self.average(weights, memory), weights[:, :, None], Coverage(state.coverage + weights))


class WrongAxis(Whole):
    def forward(self, query: Tensor, memory: Any, state: Any) -> Attended[Any]:
        attended = super().forward(query, memory, state)
        return attended._replace(weights=attended.weights.squeeze(2))


class Negative(Whole):
    def weigh(self, energy: Tensor, mask: Tensor) -> Tensor:
        return super().weigh(energy, mask) * 2 - mask[:, None] / mask.sum(-1)[:, None, None]


class NoMask(Whole):
    def weigh(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.softmax(-1)


class NoSum(Whole):
    def weigh(self, energy: Tensor, mask: Tensor) -> Tensor:
        return energy.sigmoid() * mask[:, None]


class SeesPadding(Whole):
    def energy(self, query: Tensor, memory: Any, state: Any) -> Tensor:
        return super().energy(query - memory.encoded.mean(), memory, state)


class SeesNeighbours(Whole):
    def energy(self, query: Tensor, memory: Any, state: Any) -> Tensor:
        return super().energy(query - query.mean(0), memory, state)


class HiddenCoverage(Whole):
    """What the beam must reorder is kept on `self`: the hypotheses go on with each other's past."""

    def forward(self, query: Tensor, memory: Any, state: Any) -> Attended[Any]:
        started = bool(state.coverage.any())
        self.hidden = self.hidden if started else state.coverage
        attended = super().forward(query, memory, Coverage(self.hidden))
        self.hidden = attended.state.coverage
        return attended


class HiddenKeys(Whole):
    """Keys are computed once and kept on `self`, as if there were only one batch in the world."""

    kept: Any = None

    def memory(self, encoded: Tensor, mask: Tensor) -> Any:
        self.kept = Frames(encoded, mask)
        return self.kept

    def energy(self, query: Tensor, memory: Any, state: Any) -> Tensor:
        return super().energy(query, self.kept, state)


class SharedSum(Whole):
    """The running sum is one tensor that every continuation of a state adds to."""

    def forward(self, query: Tensor, memory: Any, state: Any) -> Attended[Any]:
        attended = super().forward(query, memory, state)
        with torch.no_grad():
            state.coverage.add_(attended.weights.squeeze(2))
        return attended._replace(state=state)


class Listed(NamedTuple):
    history: list[Tensor]


class SharedList(Whole):
    """The past is a list that every continuation of a state appends to."""

    def initial(self, memory: Any, hypotheses: int) -> Any:
        return Listed([super().initial(memory, hypotheses).coverage])

    def forward(self, query: Tensor, memory: Any, state: Any) -> Attended[Any]:
        attended = super().forward(query, memory, Coverage(sum(state.history[1:], state.history[0])))
        state.history.append(attended.weights.squeeze(2))
        return attended._replace(state=state)


class WritesMemory(Whole):
    def weigh(self, energy: Tensor, mask: Tensor) -> Tensor:
        weights = super().weigh(energy, mask)
        mask[:, -1] = False
        return weights


class ExpandsMemory(Whole):
    def average(self, weights: Tensor, memory: Any) -> Tensor:
        return (weights[..., None].to(memory.encoded.dtype) * memory.encoded[:, None]).sum(2)


class HalfState(Whole):
    def forward(self, query: Tensor, memory: Any, state: Any) -> Attended[Any]:
        attended = super().forward(query, memory, state)
        return attended._replace(state=Coverage(attended.state.coverage.to(query.dtype)))


class NoisyTest(Whole):
    def energy(self, query: Tensor, memory: Any, state: Any) -> Tensor:
        energy = super().energy(query, memory, state)
        return energy + torch.rand_like(energy)


class Unused(Whole):
    def __init__(self, **sizes: int) -> None:
        super().__init__(**sizes)
        self.idle = nn.Parameter(torch.ones(1))


class HalfGradient(Whole):
    def energy(self, query: Tensor, memory: Any, state: Any) -> Tensor:
        return super().energy((query + query.detach()) / 2, memory, state)


class NoStableSoftmax(Whole):
    def weigh(self, energy: Tensor, mask: Tensor) -> Tensor:
        shares = energy.exp() * mask[:, None]
        return shares / shares.sum(-1, keepdim=True)


class Standardised(Whole):
    def energy(self, query: Tensor, memory: Any, state: Any) -> Tensor:
        energy = super().energy(query, memory, state)
        return energy / energy.std(-1, keepdim=True)


class Underflows(Whole):
    """The expected monotonic alignment as a quotient of cumulative products."""

    sums_to_one = False

    def weigh(self, energy: Tensor, mask: Tensor) -> Tensor:
        chance = energy.sigmoid() * mask[:, None]
        remaining = (1 - chance).cumprod(-1)
        return chance * remaining * ((1 / mask.sum(-1)[:, None, None]) / remaining).cumsum(-1)


class DoubledMean(GmmAttention):
    """The mean adds its predecessor twice: 1, 3, 7, 15 where 1, 2, 3, 4 is meant."""

    def forward(self, query: Tensor, memory: GmmMemory, state: GmmState) -> Attended[GmmState]:
        return super().forward(query, memory, GmmState(2 * state.mean))


class BranchesOnValues(Whole):
    def weigh(self, energy: Tensor, mask: Tensor) -> Tensor:
        return super().weigh(energy if energy.max() > 0 else -energy, mask)


BROKEN = [
    (WrongAxis, "shapes are (B, K, C), (B, K, H, T), memory (B, ...), state (B, K, ...)"),
    (Negative, "weights are never negative"),
    (NoMask, "weights are exactly 0 on padding"),
    (NoSum, "weights sum to 1 (monotonic: at most)"),
    (SeesPadding, "more padding, filled with 1e3, changes nothing"),
    (SeesNeighbours, "alone is as in a batch"),
    (HiddenCoverage, "reordering the state reorders the result"),
    (HiddenKeys, "two interleaved batches do not disturb each other"),
    (SharedSum, "a state can be continued twice"),
    (SharedList, "a state can be continued twice"),
    (WritesMemory, "memory is left untouched"),
    (ExpandsMemory, "memory is never expanded along K"),
    (HalfState, "the state keeps structure, shapes, dtypes, strides"),
    (NoisyTest, "deterministic"),
    (Unused, "gradients of all parameters are finite and not 0"),
    (HalfGradient, "gradients agree with finite differences"),
    (NoStableSoftmax, "finite in half precision with large energies"),
    (Standardised, "an utterance of one frame"),
    (Underflows, "an utterance of 5,000 frames"),
    (DoubledMean, "the same query again and again does not run away"),
    (BranchesOnValues, "the same under torch.compile, in one graph"),
]


def test_the_unbroken_one_keeps_every_promise() -> None:
    assert [finding for finding in check(Whole) if not finding.kept] == []


@pytest.mark.parametrize(("broken", "promise"), BROKEN, ids=[broken.__name__ for broken, _ in BROKEN])
def test_each_defect_is_caught_by_the_promise_meant_for_it(
    broken: Any, promise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lasasr.attend.conformance.PROMISES", {promise: PROMISES[promise]})
    (finding,) = check(broken)
    assert not finding.kept, finding


def test_every_promise_has_a_variant_that_breaks_it() -> None:
    assert {promise for _, promise in BROKEN} == set(PROMISES)


def test_nan_in_a_result_never_counts_as_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nan(Whole):
        def weigh(self, energy: Tensor, mask: Tensor) -> Tensor:
            return energy * torch.nan

    promises = {finding.promise for finding in check(Nan) if finding.kept}
    assert promises <= {
        "shapes are (B, K, C), (B, K, H, T), memory (B, ...), state (B, K, ...)",
        "memory is left untouched",
        "memory is never expanded along K",
        "the state keeps structure, shapes, dtypes, strides",
    }


@pytest.mark.parametrize("name", ["monotonic", "mocha"])
def test_the_trial_makes_hard_decisions_find_frames(name: str) -> None:
    # a monotonic variant that never stops would keep most promises by returning zeros
    trial = Trial(factory(name))
    attention, (encoded, mask), queries = trial.attention(), trial.encoded(), trial.queries(3)
    memory = attention.memory(encoded, mask)
    sums = attention(queries[0], memory, attention.initial(memory, queries.shape[2])).weights.sum(-1)
    assert 0.2 < sums.mean() <= 1.0
