"""The values that the host keeps of tensors elsewhere: `meta` is a device whose values cannot be read."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lasasr.losses.ctc import infeasible
from lasasr.losses.target_tokens import check_tokens
from lasasr.nn import host_mirror, lengths

FRAMES = torch.tensor([7, 3, 1])


def elsewhere(values: Tensor) -> Tensor:
    return host_mirror.remember(torch.empty_like(values, device="meta"), values)


def test_on_a_cpu_the_host_value_is_the_tensor() -> None:
    assert host_mirror.host_value(FRAMES) is FRAMES
    assert host_mirror.on_host(FRAMES) is FRAMES
    assert host_mirror.to(FRAMES, "cpu") is FRAMES


def test_lengths_are_divided_on_the_host_too() -> None:
    for function in (
        lambda values: lengths.ceil_div(values, 2),
        lambda values: lengths.convolved(values, 3, 2, 0, least=1),
    ):
        result = function(elsewhere(FRAMES))
        assert result.device.type == "meta"
        assert torch.equal(host_mirror.on_host(result), function(FRAMES))


def test_there_is_no_host_value_of_what_was_computed_from_a_tensor_without() -> None:
    tokens, unknown = (
        elsewhere(torch.tensor([[4, 4], [5, 6], [4, 5]])),
        torch.empty(3, dtype=torch.int64, device="meta"),
    )
    counts = elsewhere(torch.tensor([2, 2, 1]))
    assert host_mirror.host_value(infeasible(tokens, counts, unknown)) is None
    assert host_mirror.on_host(infeasible(tokens, counts, elsewhere(FRAMES))).tolist() == [False, False, False]
    assert host_mirror.on_host(infeasible(tokens, counts, elsewhere(FRAMES - 1))).tolist() == [False, False, True]


def test_there_is_no_host_value_of_a_copy_or_of_what_was_changed() -> None:
    frames = elsewhere(FRAMES)
    assert host_mirror.host_value(frames[:2]) is None
    assert host_mirror.host_value(frames.clone()) is None
    frames.add_(1)
    assert host_mirror.host_value(frames) is None


def test_tokens_outside_the_vocabulary_are_named_wherever_they_lie() -> None:
    tokens, counts = torch.tensor([[4, 9], [5, 6]]), torch.tensor([2, 2])
    with pytest.raises(Exception, match="token 9 of utterance 0"):
        check_tokens(elsewhere(tokens), elsewhere(counts), 8)
