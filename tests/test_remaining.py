"""How long work still takes: right for work of a level speed, said once it is known and once a minute."""

import math
from itertools import pairwise

import numpy as np
import pytest

from lasasr.remaining import Remaining, about, duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about 1 s"),
        (7.4, "about 7 s"),
        (44, "about 40 s"),
        (420, "about 7 min"),
        (89 * 60, "about 89 min"),
        (9000, "about 2.5 h"),
    ],
)
def test_words(seconds: float, words: str) -> None:
    assert about(seconds) == words


def test_a_duration_reads_back_as_what_it_is_within_five_percent() -> None:
    for seconds in (*np.geomspace(1.0, 4e6, 500), 59.49, 59.5, 356.9, 357.0, 360.0):
        number, unit = duration(seconds).replace(",", "").split()
        assert float(number) * {"s": 1, "min": 60, "h": 3600}[unit] == pytest.approx(seconds, rel=0.051)
        assert 0.1 <= float(number) < {"s": 60, "min": 6, "h": math.inf}[unit]


def test_a_tenth_of_an_hour_is_said_in_hours_and_less_is_not() -> None:
    assert [duration(seconds) for seconds in (0.0, 11.0, 59.6, 354.0, 360.0, 3_600_000.0)] == [
        "0.0 s", "11 s", "1.0 min", "5.9 min", "0.10 h", "1,000.00 h"
    ]  # fmt: skip


@pytest.mark.parametrize("part_s", [0.5, 3.0, 20.0])
def test_level_work_is_estimated_right_whatever_its_first_part_took(part_s: float) -> None:
    now, said, total = [100.0], [], 900
    remaining = Remaining(lambda: now[0])
    for done in range(1, total + 1):
        now[0] += part_s if done > 1 else 37.0
        left_s = remaining.left_s(done, total)
        if left_s is not None:
            said.append(now[0])
            assert left_s == pytest.approx((total - done) * part_s)
            assert remaining.rate == pytest.approx(1 / part_s)
    assert 8.0 <= said[0] - 137.0 <= max(8.0, part_s) + part_s
    assert all(60.0 <= after - before <= 60.0 + part_s for before, after in pairwise(said))


def test_nothing_is_said_of_work_that_is_short() -> None:
    now = [0.0]
    remaining = Remaining(lambda: now[0])
    for done in range(1, 8):
        now[0] += 1.0
        assert remaining.left_s(done, 7) is None


def test_work_that_begins_anew_under_its_name_is_estimated_anew() -> None:
    now = [0.0]
    remaining = Remaining(lambda: now[0])
    for done in (4, 800, 1000):
        now[0] += 400.0
        remaining.left_s(done, 1000)
    for done in (50, 60, 70):  # reported late: already further than the first report before
        now[0] += 10.0
        left_s = remaining.left_s(done, 1000)
    assert left_s is None or left_s == pytest.approx(930.0)
    now[0] += 60.0
    assert remaining.left_s(130, 1000) == pytest.approx(870.0)
