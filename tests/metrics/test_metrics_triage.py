"""Triage of crafted examples, and its counts against a recount."""

from __future__ import annotations

import itertools
import random

import pytest

from lasasr.metrics import triage
from lasasr.metrics.error_rates import compare
from lasasr.metrics.triage import FLAGS, TriagedUtterance, flags, longest_gap, repeats, verdict

SAID = "the cat sat on the mat and looked at the old dog"


def by_hand(sequence):
    """Most repetitions in a row of any stretch, by trying every stretch everywhere."""
    most = min(1, len(sequence))
    for start, size in itertools.product(range(len(sequence)), range(1, len(sequence) // 2 + 1)):
        times, block = 1, sequence[start : start + size]
        while size and sequence[start + times * size : start + (times + 1) * size] == block:
            times += 1
        most = max(most, times)
    return most


def test_repeats_are_found_wherever_they_are():
    generator = random.Random(0)
    for _ in range(300):
        sequence = [generator.choice("ab") for _ in range(generator.randrange(12))]
        assert repeats(sequence) == by_hand(sequence), sequence


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        (SAID, ()),
        ("the cat sat on the hat and looked at the old dog", ()),
        ("the cat sat the cat sat the cat sat on the mat and looked at the old dog", ("loop",)),
        ("the cat sat on the mamamamamamamamat and looked at the old dog", ("loop",)),
        ("the cat sat on the mat and looked at", ("early_eos",)),
        ("the cat sat on the mat and looked at the", ()),  # two are missing
        ("the cat looked at the old dog", ("skipped_span",)),
        ("and looked at the old dog", ("skipped_span",)),  # the beginning
        ("the cat sat on", ("early_eos",)),
        ("", ("empty",)),
        ("   ", ("empty",)),
    ],
)
def test_each_fault_has_its_flag(hypothesis, expected):
    assert flags(SAID, hypothesis, "wer") == expected


def test_what_was_really_said_so_often_is_no_loop():
    assert flags("no no no no", "no no no no", "wer") == ()
    assert flags("no no no no", "no no no", "wer") == ()
    assert flags("no no", "no no no", "wer") == ("loop",)


def test_an_empty_utterance_is_rightly_left_empty_and_wrongly_filled():
    assert flags("", "", "wer") == flags("", "", "wer", by_search=("empty",)) == ()
    assert flags("", "", "wer", by_search=("near_tie",)) == ("near_tie",)
    assert flags("", "uh uh uh", "wer") == ("loop",)


def test_a_second_without_attention_counts_only_where_words_are_missing():
    assert flags("a b c d", "a c d", "wer", gap_s=2.0) == ("skipped_span",)
    assert flags("a b c d", "a c d", "wer", gap_s=0.2) == flags("a b c d", "a c d", "wer") == ()
    assert flags("a b c d", "a b c d", "wer", gap_s=2.0) == ()
    assert flags("a b c d", "a b c", "wer", gap_s=2.0) == ()  # the end is another fault


def test_a_gap_lies_between_attended_frames():
    assert longest_gap([0.0, 1.0, 0.0, 0.05, 0.5, 0.0, 0.9, 0.0, 0.0, 0.0]) == 2
    assert longest_gap([]) == longest_gap([0.0, 0.0]) == longest_gap([1.0]) == longest_gap([1.0, 1.0]) == 0


def test_the_searchs_own_flags_stay():
    assert flags("a b", "a c", "wer", by_search=("max_length", "whatever")) == ("max_length",)


def test_whose_error():
    assert verdict(-3.0, None) is None
    assert verdict(-3.0, -2.0) == "search_error"
    assert verdict(-3.0, -4.0) == verdict(-3.0, -3.0) == verdict(-3.0, -3.0 + 1e-6) == "model_error"


def example():
    generator, words = random.Random(1), ["a", "b", "c", "d", "e"]
    utterances = []
    for i in range(60):
        reference = " ".join(generator.choices(words, k=generator.randrange(6)))
        hypothesis = " ".join(generator.choices(words, k=generator.randrange(6)))
        counts = compare(reference, hypothesis, "wer")
        utterance_flags = flags(reference, hypothesis, "wer")
        utterances.append(
            TriagedUtterance(f"s{i % 4}", generator.uniform(0.0, 40.0), reference, hypothesis, counts, utterance_flags)
        )
    return utterances


def test_every_breakdown_adds_up_to_the_whole():
    utterances = example()
    summary = triage.triage(utterances, "wer")
    for rows in (summary["by_duration"], summary["by_speaker"]):
        assert sum(row["utterances"] for row in rows) == len(utterances)
        assert sum(row["errors"] for row in rows) == sum(utterance.counts.errors for utterance in utterances)
        assert sum(row["reference_length"] for row in rows) == sum(
            utterance.counts.reference_length for utterance in utterances
        )
    for kind in ("substitutions", "deletions", "insertions"):
        counts = [row[-1] for row in summary[kind]]
        assert counts == sorted(counts, reverse=True)
        assert len(counts) <= triage.MOST
    assert sum(row[-1] for row in summary["deletions"]) == sum(utterance.counts.deletions for utterance in utterances)
    assert sum(row[-1] for row in summary["insertions"]) == sum(utterance.counts.insertions for utterance in utterances)
    assert tuple(summary["flags"]) == FLAGS
    assert summary["flags"]["empty"] == sum(
        not utterance.hypothesis and bool(utterance.reference) for utterance in utterances
    )
    percents = [row["percent"] for row in summary["by_speaker"]]
    assert percents == sorted(percents, reverse=True)


def test_durations_fall_into_the_bucket_they_begin():
    counts = compare("a", "b", "wer")
    rows = triage.triage(
        [TriagedUtterance("s", 2.0, "a", "b", counts, ()), TriagedUtterance("s", 99.0, "a", "b", counts, ())], "wer"
    )
    assert [(row["from_s"], row["to_s"]) for row in rows["by_duration"]] == [(2.0, 5.0), (30.0, None)]
    assert rows["substitutions"] == [["a", "b", 2]]


def test_nothing_at_all_is_a_triage_too():
    summary = triage.triage([], "wer")
    assert summary["by_duration"] == summary["by_speaker"] == summary["substitutions"] == []
    nothing_said = TriagedUtterance("s", 1.0, "", "", compare("", "", "wer"), ())
    assert triage.triage([nothing_said], "wer")["by_speaker"][0]["percent"] is None
