"""Dropout of whole features."""

from __future__ import annotations

import pytest
import torch

from lasasr.listen.dropout import SequenceDropout


def test_a_feature_is_dropped_in_all_frames_or_in_none() -> None:
    torch.manual_seed(0)
    dropped = SequenceDropout(0.3).train()(torch.ones(20, 7, 500))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert not torch.equal(dropped[0], dropped[1])
    assert {round(value, 5) for value in dropped.unique().tolist()} == {0.0, round(1 / 0.7, 5)}
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.03)  # 10,000 draws: six standard deviations


@pytest.mark.parametrize("probability", [0.0, 0.5])
def test_evaluation_and_probability_zero_change_nothing(probability: float) -> None:
    frames = torch.randn(2, 3, 4)
    assert SequenceDropout(probability).train(probability == 0.0)(frames) is frames
