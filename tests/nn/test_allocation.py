"""Nothing is refused that fits exactly, and what does not fit takes no memory."""

import pytest
import torch
from torch import nn

from lasasr.nn.allocation import Bounded, TooLargeError


def parts() -> nn.Module:
    return nn.ModuleList([nn.LSTM(5, 6, bidirectional=True), nn.Linear(6, 7), nn.Conv1d(2, 3, 4), nn.Embedding(8, 9)])


def test_the_bounds_are_exact() -> None:
    torch.manual_seed(1)
    expected = parts()
    count = len(list(expected.parameters()))
    size = sum(parameter.numel() * parameter.element_size() for parameter in expected.parameters())
    torch.manual_seed(1)
    with Bounded(size, count):
        built = parts()
    assert all(
        torch.equal(ours, theirs) for ours, theirs in zip(built.parameters(), expected.parameters(), strict=True)
    )
    for bounds in ((size - 1, count), (size, count - 1)):
        with pytest.raises(TooLargeError), Bounded(*bounds):
            parts()


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(10**6, 10**6),
        lambda: nn.LSTM(10, 10**6),
        lambda: torch.zeros(10**9, 10**9),
        lambda: torch.arange(10**12),
        lambda: torch.hann_window(10**12),
        lambda: torch.arange(10**4)[:, None] + torch.arange(10**4),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_made(make: object) -> None:
    with pytest.raises(TooLargeError, match="MiB"), Bounded(1 << 20, 100):
        make()  # type: ignore[operator]
