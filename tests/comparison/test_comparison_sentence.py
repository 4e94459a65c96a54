"""The first sentence of a comparison says what its verdicts say, and no more, over every mixture of verdicts."""

import itertools
from typing import Any

import pytest

from lasasr.comparison.sentence import sentences

WORDS = ("better", "worse", "no difference shown", "cannot decide")
REASON = "one speaker shows no spread"


def compared(words: tuple[str, ...], baseline: bool = False, equal: bool = False) -> dict[str, Any]:
    """The lowest system `centre` and one more for each word, which is the verdict of that system against it."""
    names = ["centre", *(f"system{number}" for number, _ in enumerate(words))]
    percents = [10.0, *(10.0 if equal else 11.0 + number for number, _ in enumerate(words))]
    answer = {"interval": {"low": -1.0, "high": 3.0}, "p": 0.5, "p_holm": 0.5, "detectable_points": 3.0, "needed": None}
    pairs = [
        {
            "first": name,
            "second": "centre",
            "points": percent - 10.0,
            **{f"verdict{scope}": word for scope in ("", "_of_runs")},
            **{f"why{scope}": REASON for scope in ("", "_of_runs")},
            **dict.fromkeys(("systems", "runs"), answer),
        }
        for name, percent, word in zip(names[1:], percents[1:], words, strict=True)
    ]
    systems = [
        {"name": name, "percent": percent, "seeds": ["1"], "diverged": [], "young": [], "settings": {}}
        for name, percent in zip(names, percents, strict=True)
    ]
    return {
        "systems": systems,
        "pairs": pairs,
        "about": "systems",
        "metric": "wer",
        "missing": [],
        "notes": [],
        "baseline": "centre" if baseline else None,
        "rules": {"wanted_points": None},
        "settings": [],
    }


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("equal", [False, True])
def test_the_first_sentence_says_every_verdict(count: int, equal: bool) -> None:
    for words in itertools.product(WORDS[1:], repeat=count):  # none is better than the lowest
        text = sentences(compared(words, equal=equal))[0]
        assert ("better than" in text) == ("worse" in words), text
        assert ("o difference is shown" in text) == ("no difference shown" in words), text
        assert ("cannot" in text) == ("cannot decide" in words), text
        if set(words) == {"cannot decide"}:
            assert text.startswith("The data cannot decide")
            assert REASON in text
        for number, word in enumerate(words):
            if word == "cannot decide" and set(words) != {word}:
                assert f"system{number}" in text.partition("cannot be decided")[2], text
                assert f"system{number}" not in text.partition("cannot be decided")[0], text


@pytest.mark.parametrize("words", itertools.product(WORDS, repeat=2))
def test_against_a_baseline_too(words: tuple[str, ...]) -> None:
    text = sentences(compared(words, baseline=True))[0]
    for word, said in zip(WORDS, ("better: ", "worse: ", "no difference shown: ", "cannot be decided: "), strict=True):
        assert (said in text) == (word in words), text
