"""Seeds are listed as their numbers are, whatever their texts are."""

import random

import pytest

from lasasr.comparison.seed_order import seed_order


def test_seeds_are_in_the_order_of_their_numbers() -> None:
    numbers = random.Random(1).sample(range(-50, 1_000_000), 200)
    assert sorted(map(str, numbers), key=seed_order) == [str(number) for number in sorted(numbers)]


@pytest.mark.parametrize("unknown", ["?", ""])
def test_what_is_no_number_comes_last(unknown: str) -> None:
    assert sorted([unknown, "10", "2"], key=seed_order) == ["2", "10", unknown]
