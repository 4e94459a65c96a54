import itertools
import random

import pytest

from lasasr.metrics.best_constant import best_constant, candidates
from lasasr.metrics.error_rates import compare, pooled


def test_one_sentence_for_all_is_found() -> None:
    best = best_constant(["a b c"] * 3 + ["a b d"], "wer")
    assert best.hypothesis == "a b c"
    assert best.counts.percent == pytest.approx(100 / 12)


def test_nothing_is_the_answer_where_nothing_is_shared() -> None:
    references = ["abc", "def", "ghi", "jkl"]
    best = best_constant(references, "wer")
    assert best.counts.percent == pytest.approx(75)
    assert best_constant(["ab cd ef", "gh ij kl", "mn op qr", "st uv wx"], "wer").counts.percent <= 100


@pytest.mark.parametrize("metric", ["wer", "cer"])
def test_it_is_never_worse_than_the_empty_answer_or_any_reference(metric: str) -> None:
    draw = random.Random(0)
    references = [" ".join(draw.choices(["on", "off", "a"], k=draw.randint(1, 6))) for _ in range(12)]
    best = best_constant(references, metric).counts.errors
    for answer in ["", *references]:
        assert best <= pooled(compare(reference, answer, metric) for reference in references).errors


def test_it_is_near_the_best_of_all_answers() -> None:
    draw = random.Random(1)
    references = [" ".join(draw.choices(["a", "b", "c"], weights=[5, 2, 1], k=draw.randint(2, 5))) for _ in range(15)]
    everything = (" ".join(sequence) for size in range(6) for sequence in itertools.product("abc", repeat=size))
    least = min(pooled(compare(reference, answer, "wer") for reference in references).errors for answer in everything)
    assert least <= best_constant(references, "wer").counts.errors <= 1.1 * least


def test_candidates_are_few_and_start_with_the_empty_answer() -> None:
    answers = candidates([f"number {i}" for i in range(500)], "cer")
    assert answers[0] == ""
    assert len(answers) == len(set(answers)) < 150


def test_no_references_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        best_constant([], "wer")
