"""The first sentence of a comparison says what its verdicts say, and no more, over every mixture of verdicts."""

import itertools
from typing import Any

import pytest

from lasasr.comparison.pairs import NO_SPEAKERS, verdict_scope
from lasasr.comparison.sentence import sentences

WORDS = ("better", "worse", "no difference shown", "cannot decide")
REASON, RUNS_REASON = "2 seeds against 2 cannot give p < 0.333", "one speaker shows no spread"


def compared(
    words: tuple[str, ...], of_runs: tuple[str, ...] | None = None, baseline: bool = False, equal: bool = False
) -> dict[str, Any]:
    """The system `centre` and one more for each word, which is the verdict about that system against it.

    Args:
        of_runs: the verdicts about these runs; by default the same.
        baseline: whether `centre` was named, else it has the lowest rate.
        equal: whether all rates are the same.
    """
    of_runs = of_runs or words
    names = [f"system{number}" for number, _ in enumerate(words)]
    percents = [10.0 if equal else 11.0 + number for number, _ in enumerate(words)]
    answer = {"interval": {"low": -1.0, "high": 3.0}, "p": 0.5, "p_holm": 0.5, "detectable_points": 3.0, "needed": None}
    pairs = [
        {
            "first": name,
            "second": "centre",
            "points": percent - 10.0,
            "verdict": word,
            "verdict_of_runs": run_word,
            "why": REASON if word == "cannot decide" else "shown",
            "why_of_runs": RUNS_REASON if run_word == "cannot decide" else "shown",
            **dict.fromkeys(("systems", "runs"), answer),
        }
        for name, percent, word, run_word in zip(names, percents, words, of_runs, strict=True)
    ]
    return {
        "systems": [
            {"name": name, "percent": percent, "seeds": ["1"], "diverged": [], "young": [], "settings": {}}
            for name, percent in zip(["centre", *names], [10.0, *percents], strict=True)
        ],
        "pairs": pairs,
        "about": verdict_scope(pairs),
        "metric": "wer",
        "missing": [],
        "notes": [],
        "baseline": "centre" if baseline else None,
        "rules": {"wanted_points": None, "trust_normal_seeds": False},
        "speakers": 8,
        "utterances": 48,
        "settings": [],
    }


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("equal", [False, True])
def test_the_first_sentence_says_every_verdict(count: int, equal: bool) -> None:
    for words in itertools.product(WORDS[1:], repeat=count):  # none is better than the lowest
        text = sentences(compared(words, equal=equal))[0]
        undecided = "cannot decide" in words
        assert ("better than" in text) == ("worse" in words), text
        assert ("o difference is shown" in text) == ("no difference shown" in words), text
        assert ("cannot decide" in text) == undecided, text
        assert (REASON in text or RUNS_REASON in text) == undecided, text
        if set(words) == {"cannot decide"}:
            assert text.startswith("The data cannot decide"), text
        for number, word in enumerate(words):
            if word == "cannot decide" and set(words) != {word}:
                assert f"system{number}" in text.partition("the data cannot decide")[2], text
                assert f"system{number}" not in text.partition("the data cannot decide")[0], text


@pytest.mark.parametrize("words", itertools.product(WORDS, repeat=2))
def test_against_a_baseline_too(words: tuple[str, ...]) -> None:
    text = sentences(compared(words, baseline=True))[0]
    for word, said in zip(WORDS, ("better: ", "worse: ", "no difference shown: ", "cannot decide"), strict=True):
        if set(words) == {"no difference shown"}:
            said = said.replace("no difference shown: ", "so no difference is shown")
        assert (said in text) == (word in words), text
    assert (REASON in text or RUNS_REASON in text) == ("cannot decide" in words), text


@pytest.mark.parametrize("of_runs", itertools.product(WORDS, repeat=2))
@pytest.mark.parametrize("baseline", [False, True])
def test_where_nothing_is_decided_about_the_systems_the_first_sentence_says_so(
    of_runs: tuple[str, ...], baseline: bool
) -> None:
    """What these runs show is no verdict about the systems, so that "no difference" is never all that is said."""
    if not baseline and "better" in of_runs:
        return  # none is better than the lowest
    document = compared(("cannot decide",) * 2, of_runs, baseline=baseline)
    assert document["about"] == "runs"
    text = sentences(document)[0]
    assert "cannot decide" in text
    assert (RUNS_REASON if set(of_runs) == {"cannot decide"} else REASON) in text
    assert "hese runs of" in text
    assert not text.startswith("No difference")
    assert ("no difference shown" in text or "no difference is shown" in text) == ("no difference shown" in of_runs)


def test_where_nothing_is_shown_the_first_sentence_says_what_would_have_been() -> None:
    document = compared(("no difference shown",))
    for system in document["systems"]:
        system["seeds"] = ["1", "2", "3", "4"]
    assert sentences(document) == [
        "With this test set and 4 seeds we would have seen a difference of 3.00 points or more; between centre and "
        "system0 we saw 1.00, so no difference is shown. Lowest is centre, WER 10.00 %."
    ]


def test_what_is_large_but_not_enough_for_many_pairs_is_not_said_to_be_too_small() -> None:
    """The detectable difference is that of one pair; Holm's adjustment for many asks for more."""
    document = compared(("no difference shown",) * 4)  # the last is 4 points away, and 3 would show alone
    text = sentences(document)[0]
    assert "would have seen" not in text


def test_seeds_are_left_out_of_what_is_about_these_runs() -> None:
    document = compared(("cannot decide",) * 2, ("worse", "no difference shown"))
    expected = (
        "With this test set we would have seen a difference of 3.00 points or more in one pair alone (80 % power)."
    )
    assert expected in sentences(document)


def test_pairs_that_decide_nothing_would_have_shown_nothing() -> None:
    """As four speakers: a t test has a detectable difference, but no verdict rests on it."""
    assert not any("would have seen" in sentence for sentence in sentences(compared(("cannot decide",))))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_difference_of_one_pair_is_called_so_where_holm_asks_for_more(count: int) -> None:
    document = compared(("worse", *("no difference shown",) * (count - 1)))
    told = " ".join(sentences(document))
    assert ("in one pair alone" in told) == (count > 1)
    assert (
        told.count("3.00 would show alone")
        == told.count("would show")
        == sum(
            word == "no difference shown" and pair["points"] < 3.0
            for word, pair in zip(["worse", *["no difference shown"] * (count - 1)], document["pairs"], strict=True)
        )
    )


def test_what_a_verdict_takes_for_granted_follows_it() -> None:
    document = compared(("better",))
    unknown = {**document, "speakers": 48, "rules": {"wanted_points": None, "trust_normal_seeds": True}}
    before, after = sentences(document), sentences(unknown)
    assert after[0] == before[0]
    assert after[1].startswith("Every utterance counts as a speaker of its own")
    assert after[2] == "Seeds are taken as normally distributed."
    assert after[3:] == before[1:]
    noted = sentences({**document, "speakers": 48, "notes": [NO_SPEAKERS]})
    assert sum("as a speaker of its own" in sentence for sentence in noted) == 1
    undecided = {**compared(("cannot decide",)), "speakers": 48}
    assert not any("counts as a speaker" in sentence for sentence in sentences(undecided))
