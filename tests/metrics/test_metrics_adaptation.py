"""Gain and forgetting: of copies, where they were planted, and how often the verdicts err in simulation."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.significance.adaptation import Adaptation, OnBoth, adaptations
from lasasr.metrics.significance.comparison import compare
from lasasr.metrics.significance.permutation import holm
from lasasr.metrics.significance.scores import Run, System, Utterance
from lasasr.metrics.significance.verdict import Rules

QUICK = Rules(resamples=50)
SCRIPTS = Path(__file__).parents[2] / "scripts"


def system(name: str, rate: float, seeds: int = 1, first: int = 0, speakers: int = 12, text: str = "a") -> System:
    """Utterances of ten words with about `rate` of them wrong."""
    runs = []
    for seed in range(seeds):
        random = np.random.default_rng([first + seed, round(1000 * rate)])
        errors = random.binomial(10, rate, speakers * 6)
        utterances = {
            f"{text}{number}": Utterance(int(count), 10, f"{text}{number % speakers}")
            for number, count in enumerate(errors)
        }
        runs.append(Run(str(seed), utterances))
    return System(name, tuple(runs))


def both(name: str, target: float, source: float, **options: int) -> OnBoth:
    return OnBoth(system(name, target, text="t", **options), system(name, source, text="s", **options))


def words(adaptation: Adaptation) -> tuple[str, str]:
    return adaptation.target.word, adaptation.source.word


@pytest.mark.parametrize("seeds", [1, 4])
def test_a_copy_gains_and_forgets_nothing(seeds: int) -> None:
    before = both("before", 0.3, 0.1, seeds=seeds)
    (adaptation,) = adaptations(before, [OnBoth(*before)], QUICK)
    assert words(adaptation) == ("no gain shown", "no forgetting shown")
    assert adaptation.target.pair.measurement.points == 0.0
    assert "same errors on every speaker" in adaptation.source.pair.verdict.reason


@pytest.mark.parametrize("seeds", [1, 4])
def test_what_was_planted_is_found_and_its_sign_is_that_of_after_minus_before(seeds: int) -> None:
    before = both("before", 0.4, 0.1, seeds=seeds)
    methods = [both("forgets", 0.2, 0.3, seeds=seeds, first=50), both("ruins", 0.7, 0.02, seeds=seeds, first=50)]
    first, second = adaptations(before, methods, QUICK)
    assert words(first) == ("gained", "forgot")
    assert words(second) == ("lost", "improved")
    assert first.name == "forgets"
    assert first.target.pair.measurement.points == pytest.approx(first.target.after - first.target.before)
    assert first.target.pair.measurement.points < 0 < first.source.pair.measurement.points
    assert first.target.pair.verdict.scope == ("systems" if seeds == 4 else "runs")


def test_p_are_those_of_compare_adjusted_for_all_questions() -> None:
    before = both("before", 0.30, 0.10)
    methods = [both(f"m{number}", 0.28, 0.12, first=10 + number) for number in range(3)]
    answered = adaptations(before, methods, QUICK)
    changes = [change for adaptation in answered for change in (adaptation.target, adaptation.source)]
    alone = [
        compare([after, earlier], rules=QUICK).pairs[0].p_runs
        for method in methods
        for after, earlier in zip(method, before, strict=True)
    ]
    assert [change.p for change in changes] == pytest.approx(holm(alone))
    assert "after Holm for 6 questions" in changes[0].pair.verdict.reason
    of_each = [p for first in range(0, 6, 2) for p in holm(alone[first : first + 2])]
    assert [change.p_alone for change in changes] == pytest.approx(of_each)


def test_more_methods_change_no_p_of_one_method_alone_and_never_make_a_verdict_easier() -> None:
    before, method = both("before", 0.30, 0.10), both("m", 0.26, 0.13, first=10)
    (single,) = adaptations(before, [method], QUICK)
    among, *_ = adaptations(before, [method, *(both(f"m{n}", 0.29, 0.11, first=20 + n) for n in range(4))], QUICK)
    for change, alone in ((among.target, single.target), (among.source, single.source)):
        assert change.p_alone == alone.p_alone == alone.p
        assert change.p is not None
        assert alone.p is not None
        assert change.p >= alone.p


def test_too_few_speakers_decide_nothing() -> None:
    (adaptation,) = adaptations(both("before", 0.4, 0.1, speakers=5), [both("m", 0.1, 0.4, speakers=5)], QUICK)
    assert words(adaptation) == ("cannot decide", "cannot decide")
    assert "at least 6 are needed" in adaptation.target.pair.verdict.reason


def test_one_seed_before_and_several_after_are_judged_as_these_runs() -> None:
    (adaptation,) = adaptations(both("before", 0.4, 0.1), [both("m", 0.2, 0.1, seeds=4, first=9)], QUICK)
    assert adaptation.target.pair.verdict.scope == "runs"
    assert adaptation.target.word == "gained"


def test_what_cannot_be_compared_is_refused() -> None:
    before = both("before", 0.4, 0.1)
    with pytest.raises(UsageError, match="no adapted recognizer"):
        adaptations(before, [], QUICK)
    with pytest.raises(LasasrError, match="not decoded on the same utterances"):
        adaptations(before, [both("m", 0.2, 0.1, speakers=9)], QUICK)


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        spec = importlib.util.spec_from_file_location("simulate_adapted", SCRIPTS / "simulate_adapted.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        yield module


def test_the_script_adjusts_as_the_package_does(script: ModuleType) -> None:
    first, second = np.random.default_rng(1).random((2, 200)) ** 3
    ours = np.array([holm(pair) for pair in zip(first, second, strict=True)]).T
    np.testing.assert_allclose(script.holm_of_two(first, second), ours)


def test_recognizers_that_did_not_change_are_rarely_said_to_have(script: ModuleType) -> None:
    pairs = 1000
    case = next(case for case in script.CASES if case.name == "one run")
    wrong = script.shares(case, pairs, np.random.default_rng(3), 0.0)
    most = stats.binom.ppf(0.999, pairs, 0.06)  # what so few pairs may stray above the promise
    assert 0.0 < wrong["gained"] + wrong["forgot"] <= wrong["either changed"] <= 100.0 * most / pairs
    assert script.shares(case, pairs, np.random.default_rng(3), script.PLANTED)["forgot"] > 80.0


@pytest.mark.slow
def test_the_promise_holds(script: ModuleType) -> None:
    for number, case in enumerate(script.CASES):
        wrong = script.shares(case, 10_000, np.random.default_rng(1 + number), 0.0)
        assert wrong["either changed"] <= 6.0, case.name
