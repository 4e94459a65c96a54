"""SpecAugment: what is hidden, how wide, and on whom it depends."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lasasr.audio import draws
from lasasr.audio.specaugment import POLICIES, SpecAugment, warped
from lasasr.errors import UsageError
from lasasr.nn import lengths as length

LENGTHS = torch.tensor([300, 40, 170])
IDS = ("a", "b", "c")


def ones() -> Tensor:
    return length.mask(LENGTHS, 300)[..., None] * torch.ones(3, 300, 80)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_masks_stay_within_the_policy(name: str) -> None:
    policy, augment = POLICIES[name], SpecAugment(name, time_warp=0)
    bins, frames = [], []
    for epoch in range(60):
        augmented = augment(ones(), LENGTHS, step=0, epoch=epoch, ids=IDS)
        for row, total in zip(augmented, LENGTHS.tolist(), strict=True):
            hidden = row[:total] == 0
            whole_frames = hidden.all(1)
            widest = min(policy.time_width, int(total * policy.time_share))
            frames.append(int(whole_frames.sum()))
            assert frames[-1] <= policy.time_masks * widest
            assert bool((row[total:] == 0).all())
            if not bool(whole_frames.all()):
                whole_bins = hidden[~whole_frames].all(0)
                bins.append(int(whole_bins.sum()))
                assert bins[-1] <= policy.frequency_masks * policy.frequency_width
                # nothing but whole frames and whole bins is hidden
                assert torch.equal(hidden, whole_frames[:, None] | whole_bins[None])
    assert max(bins) > policy.frequency_width * 0.7  # and they are used
    assert max(frames) > 0


def test_one_mask_is_one_run_of_uniform_width_and_place() -> None:
    augment = SpecAugment("LB", time_warp=0, frequency_masks=0, time_width=9)
    widths, starts = [], []
    for epoch in range(400):
        hidden = augment(ones()[:1], LENGTHS[:1], 0, epoch, IDS[:1])[0, :, 0] == 0
        positions = hidden.nonzero().flatten()
        widths.append(len(positions))
        if len(positions):
            assert int(positions[-1] - positions[0]) + 1 == len(positions)
            starts.append(int(positions[0]))
    counts = np.bincount(widths, minlength=10)
    assert len(counts) == 10  # 0..9, both included
    assert counts.min() > 15  # 40 expected, standard deviation 6
    assert min(starts) < 15
    assert max(starts) > 275


def test_draws_belong_to_seed_epoch_and_utterance_alone() -> None:
    features = torch.randn(3, 300, 80, generator=torch.Generator().manual_seed(0)) * length.mask(LENGTHS)[..., None]
    augment = SpecAugment("LD", seed=5)
    together = augment(features, LENGTHS, 0, 3, IDS)
    assert torch.equal(together, SpecAugment("LD", seed=5)(features, LENGTHS, 0, 3, IDS))
    order = torch.tensor([2, 0])
    reordered = augment(features[order], LENGTHS[order], 0, 3, ["c", "a"])
    torch.testing.assert_close(reordered, together[order], atol=0, rtol=0)
    for seed, epoch, ids in ((6, 3, IDS), (5, 4, IDS), (5, 3, ("x", "y", "z"))):
        assert not torch.equal(SpecAugment("LD", seed=seed)(features, LENGTHS, 0, epoch, ids), together)


def test_off_before_its_onset_and_in_evaluation() -> None:
    augment = SpecAugment("LD", onset_step=10)
    assert torch.equal(augment(ones(), LENGTHS, 9, 0, IDS), ones())
    assert not torch.equal(augment(ones(), LENGTHS, 10, 0, IDS), ones())
    assert torch.equal(augment.eval()(ones(), LENGTHS, 10, 0, IDS), ones())


def test_input_is_left_as_it_is() -> None:
    features = ones()
    SpecAugment("LD")(features, LENGTHS, 0, 0, IDS)
    assert torch.equal(features, ones())


def test_warp_is_the_piecewise_linear_map() -> None:
    limit = 20
    features = torch.randn(3, 300, 2, generator=torch.Generator().manual_seed(1)) * length.mask(LENGTHS)[..., None]
    for drawn in torch.rand(20, 3, 2, generator=torch.Generator().manual_seed(2)):
        result = warped(features, LENGTHS, limit, drawn)
        assert torch.equal(result[1], features[1])  # 40 frames: no frame has 20 others on both sides
        for row, original, total, (where, how_far) in zip(result, features, LENGTHS.tolist(), drawn, strict=True):
            if total <= 2 * limit:
                continue
            source = int(draws.between(where, torch.tensor(limit), torch.tensor(total - 1 - limit)))
            moved = int(draws.between(how_far, torch.tensor(-limit), torch.tensor(limit)))
            target = min(max(source + moved, 1), total - 2)
            time = np.interp(np.arange(total), [0, target, total - 1], [0, source, total - 1])
            for column in range(2):
                expected = np.interp(time, np.arange(total), original[:total, column].double().numpy())
                np.testing.assert_allclose(row[:total, column], expected, atol=1e-3)
            assert torch.equal(row[total:], original[total:])


def test_whole_numbers_are_uniform_with_both_ends() -> None:
    drawn = torch.rand(40_000, generator=torch.Generator().manual_seed(3))
    numbers = draws.between(drawn, torch.tensor(-2), torch.tensor(1))
    counts = torch.bincount(numbers + 2)
    assert counts.shape == (4,)
    assert bool(((counts - 10_000).abs() < 500).all())  # 5 standard deviations
    top = draws.between(torch.tensor(1.0 - 2**-24), torch.tensor(0), torch.tensor(2**24))
    assert int(top) <= 2**24


def test_unknown_policy() -> None:
    with pytest.raises(UsageError, match="LX"):
        SpecAugment("LX")


@pytest.mark.parametrize(
    "number", [{"frequency_masks": 10**15}, {"time_masks": -1}, {"time_share": 1.5}, {"time_warp": -1}]
)
def test_numbers_out_of_range_are_refused_by_name(number: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=rf"augment\.specaugment\.{next(iter(number))} must be "):
        SpecAugment("LD", **number)  # type: ignore[arg-type]
    SpecAugment("LD", frequency_masks=1000, time_share=0.0, time_warp=0)


def test_values_replace_those_of_the_policy() -> None:
    assert SpecAugment("LD", time_width=30, time_share=0.5).policy.time_width == 30
    result = SpecAugment("LD", time_warp=0, time_masks=0, frequency_masks=0)(ones(), LENGTHS, 0, 0, IDS)
    assert torch.equal(result, ones())
