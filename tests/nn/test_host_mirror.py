"""What the host knows of tensors elsewhere: `meta` is a device whose values nobody can ask for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lasasr.losses import joint as loss
from lasasr.nn import host_mirror, lengths

FRAMES = torch.tensor([7, 3, 1])


def elsewhere(values: Tensor) -> Tensor:
    return host_mirror.remember(torch.empty_like(values, device="meta"), values)


def test_on_a_cpu_a_tensor_knows_itself() -> None:
    assert host_mirror.known(FRAMES) is FRAMES
    assert host_mirror.of(FRAMES) is FRAMES
    assert host_mirror.to(FRAMES, "cpu") is FRAMES


def test_lengths_are_divided_on_both_sides() -> None:
    for function in (
        lambda given: lengths.ceil_div(given, 2),
        lambda given: lengths.convolved(given, 3, 2, 0, least=1),
    ):
        found = function(elsewhere(FRAMES))
        assert found.device.type == "meta"
        assert torch.equal(host_mirror.of(found), function(FRAMES))


def test_nothing_is_known_of_what_was_made_of_something_unknown() -> None:
    tokens, unknown = (
        elsewhere(torch.tensor([[4, 4], [5, 6], [4, 5]])),
        torch.empty(3, dtype=torch.int64, device="meta"),
    )
    known = elsewhere(torch.tensor([2, 2, 1]))
    assert host_mirror.known(loss.infeasible(tokens, known, unknown)) is None
    assert host_mirror.of(loss.infeasible(tokens, known, elsewhere(FRAMES))).tolist() == [False, False, False]
    assert host_mirror.of(loss.infeasible(tokens, known, elsewhere(FRAMES - 1))).tolist() == [False, False, True]


def test_nothing_is_known_of_a_copy_or_of_what_was_changed() -> None:
    given = elsewhere(FRAMES)
    assert host_mirror.known(given[:2]) is None
    assert host_mirror.known(given.clone()) is None
    given.add_(1)
    assert host_mirror.known(given) is None


def test_tokens_outside_the_vocabulary_are_named_wherever_they_lie() -> None:
    tokens, token_lengths = torch.tensor([[4, 9], [5, 6]]), torch.tensor([2, 2])
    with pytest.raises(Exception, match="token 9 of utterance 0"):
        loss.check_tokens(elsewhere(tokens), elsewhere(token_lengths), 8)
