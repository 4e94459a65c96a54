"""When a beam search ends: never before its best hypothesis, unless an option says so."""

import itertools

import pytest
import torch
from search_decoders import TinyDecoder, acoustics

from lasasr.search.beam import BeamSearch
from lasasr.search.limits import Limits
from lasasr.search.pruning import Pruning
from lasasr.search.scorer_set import GNMTCoverage, LengthBonus, ThresholdCoverage

NEVER = Pruning(end_margin=float("inf"))
REWARDS = {
    "bonus": {"length_bonus": 1.0},
    "a large bonus": {"length_bonus": 3.0},
    "a negative bonus": {"length_bonus": -0.5},
    "bonus as an entry": {"scorers": {"mine": LengthBonus(weight=1.0)}},
    "normalise": {"normalise": True},
    "normalise and bonus": {"normalise": True, "length_bonus": 0.7},
    "coverage": {"coverage": ThresholdCoverage(0.3), "coverage_weight": 0.8},
    "coverage of GNMT": {"coverage": GNMTCoverage(), "coverage_weight": 0.3},
    "coverage, bonus and normalise": {
        "coverage": ThresholdCoverage(0.3), "coverage_weight": 0.8, "length_bonus": 0.4, "normalise": True
    },
    "bonus and CTC": {"length_bonus": 1.0, "ctc_weight": 0.3},
    "nothing": {},
}  # fmt: skip


@pytest.mark.parametrize(("name", "nbest"), itertools.product(REWARDS, [1, 3]))
@torch.no_grad()
def test_ending_early_misses_nothing(name: str, nbest: int) -> None:
    utterances = acoustics(4, 9, 6, 12, seed=1)
    for seed in range(6):
        decoder = TinyDecoder(seed=seed)
        options = {"beam": 4, "nbest": nbest, "limits": Limits(max_ratio=1.5), **REWARDS[name]}
        ended = BeamSearch(**options)(decoder, utterances)
        whole = BeamSearch(**options, pruning=NEVER)(decoder, utterances)
        assert [[one.tokens for one in nbest] for nbest in ended] == [[one.tokens for one in nbest] for nbest in whole]


@torch.no_grad()
def test_a_bonus_did_end_too_early() -> None:
    """The rule before, that the best unfinished score counts as it is, does miss: the test above can fail."""
    utterances, lost = acoustics(4, 9, 6, 12, seed=1), 0
    options = {"beam": 4, "limits": Limits(max_ratio=1.5), "length_bonus": 2.0}
    for seed in range(10):
        decoder = TinyDecoder(seed=seed)
        whole = BeamSearch(**options)(decoder, utterances)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LengthBonus, "most_left", lambda self, so_far, left, frames: 0.0)
            before = BeamSearch(**options)(decoder, utterances)
        assert all(b[0].score <= w[0].score + 1e-6 for b, w in zip(before, whole, strict=True))
        lost += sum(b[0].score < w[0].score - 1e-6 for b, w in zip(before, whole, strict=True))
    assert lost


class Counted(TinyDecoder):
    """Counts its steps."""

    steps = 0

    def step(self, *arguments, **options):
        self.steps += 1
        return super().step(*arguments, **options)


@torch.no_grad()
def test_without_rewards_no_step_is_added() -> None:
    utterances = acoustics(30, 25, seed=1)
    steps = []
    for pruning in (None, NEVER):
        decoder = Counted(seed=3)
        BeamSearch(beam=4, pruning=pruning, keep_weights=False)(decoder, utterances)
        steps.append(decoder.steps)
    assert steps[0] < steps[1]


@torch.no_grad()
def test_patience_ends_after_as_many_steps_without_a_new_one() -> None:
    utterances = acoustics(30, 25, seed=1)
    steps = {}
    for patience in (1, 4, None):
        decoder = Counted(seed=3)
        options = {"beam": 4, "length_bonus": 3.0, "keep_weights": False, "pruning": Pruning(end_patience=patience)}
        results = BeamSearch(**options)(decoder, utterances)
        assert all(nbest for nbest in results)
        steps[patience] = decoder.steps
    assert steps[1] <= steps[4] <= steps[None]
    with pytest.raises(ValueError, match="end_patience must be >= 1, got 0"):
        Pruning(end_patience=0)
