import re
from collections.abc import Callable
from dataclasses import replace

import jiwer
import numpy as np
import pytest

from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.error_rates import align, count
from lasasr.metrics.significance.bootstrap import paired_bootstrap
from lasasr.metrics.significance.comparison import Comparison, compare
from lasasr.metrics.significance.mapsswe import mapsswe, slots
from lasasr.metrics.significance.scores import Run, System, Utterance, diverged, scores
from lasasr.metrics.significance.summary import summarise
from lasasr.metrics.significance.verdict import Rules

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
QUICK = Rules(resamples=500)
Texts = dict[str, tuple[str, str, str]]  # id → speaker, reference, hypothesis


def texts(rate: float, seed: int, speakers: int = 8, each: int = 4) -> Texts:
    text_random, error_random = np.random.default_rng(0), np.random.default_rng(seed)
    utterances: Texts = {}
    for speaker in range(speakers):
        for number in range(each):
            reference = text_random.choice(WORDS, size=8).tolist()
            hypothesis = [
                word if error_random.random() > rate else "wrong"
                for word in reference
                if error_random.random() > rate / 4
            ]
            utterances[f"s{speaker}-{number}"] = (f"s{speaker}", " ".join(reference), " ".join(hypothesis))
    return utterances


def run(name: str, utterance_texts: Texts) -> Run:
    utterances = {}
    for key, (speaker, reference, hypothesis) in utterance_texts.items():
        pairs = tuple(align(reference, hypothesis, "wer"))
        counts = count(pairs)
        utterances[key] = Utterance(counts.errors, counts.reference_length, speaker, pairs)
    return Run(name, utterances)


def system(name: str, rate: float, seeds: int = 4, first: int = 1, **options: int) -> System:
    return System(name, tuple(run(str(n), texts(rate, 100 * n + first, **options)) for n in range(seeds)))


def changed(system: System, change: Callable[[str, Utterance], Utterance]) -> System:
    runs = [replace(run, utterances={k: change(k, u) for k, u in run.utterances.items()}) for run in system.runs]
    return replace(system, runs=tuple(runs))


def words(comparison: Comparison) -> list[tuple[str, str]]:
    return [(pair.systems.word, pair.runs.word) for pair in comparison.pairs]


def test_rates_are_jiwers() -> None:
    utterance_texts = texts(0.3, 5)
    tested = System("a", (run("1", utterance_texts), run("2", texts(0.3, 6))))
    theirs = 100 * jiwer.wer([r for _, r, _ in utterance_texts.values()], [h for _, _, h in utterance_texts.values()])
    summary = summarise(tested, QUICK)
    assert summary.percents["1"] == pytest.approx(theirs)
    assert summary.percent == pytest.approx(np.mean(list(summary.percents.values())))
    assert summary.seed_sd == pytest.approx(np.std(list(summary.percents.values()), ddof=1))


def test_a_clear_difference_is_called_in_the_right_direction() -> None:
    good, bad = system("good", 0.1), system("bad", 0.4)
    assert words(compare([good, bad], rules=QUICK)) == [("better", "better")]
    assert words(compare([bad, good], rules=QUICK)) == [("worse", "worse")]


def test_a_pair_turned_round_is_the_same_pair() -> None:
    left, right = system("a", 0.2), system("b", 0.25, seeds=5)
    forward, backward = (compare(pair, rules=QUICK).pairs[0].measurement for pair in ([left, right], [right, left]))
    assert forward.points == pytest.approx(-backward.points)
    assert forward.systems is not None
    assert backward.systems is not None
    assert forward.systems.p == pytest.approx(backward.systems.p)
    assert forward.systems.interval.low == pytest.approx(-backward.systems.interval.high)
    assert forward.sign_flip == backward.sign_flip
    for name, test in forward.mapsswe.items():
        assert test.p == pytest.approx(backward.mapsswe[name].p)


def test_a_copy_shows_no_difference_and_another_seed_an_interval() -> None:
    original = system("a", 0.2)
    copy = compare([original, replace(original, name="copy", runs=original.runs[::-1])], rules=QUICK)
    assert words(copy) == [("no difference shown", "no difference shown")]
    assert copy.pairs[0].measurement.points == 0.0
    assert copy.pairs[0].p_runs == 1.0
    assert copy.pairs[0].measurement.by_speaker.p == 1.0
    seeds = compare([System("s0", original.runs[:1]), System("s1", original.runs[1:2])], rules=QUICK).pairs[0]
    assert seeds.systems.word == "cannot decide"
    assert "one seed" in seeds.systems.reason
    assert seeds.measurement.runs is not None
    low, high = seeds.measurement.runs.interval.bounds
    assert low < seeds.measurement.points < high
    assert list(seeds.measurement.mapsswe) == ["0 / 1"]


def test_other_seeds_of_the_same_variant_show_no_difference() -> None:
    verdicts = [
        words(compare([system("a", 0.2, first=n), system("b", 0.2, first=n + 50)], rules=QUICK))[0][0] for n in range(8)
    ]
    assert verdicts.count("no difference shown") >= 6


@pytest.mark.parametrize(
    ("speakers", "seeds", "scope", "says"),
    [
        (4, 4, "runs", "4 speakers cannot give p < 0.125; at least 6"),
        (4, 4, "systems", "4 speakers cannot give p < 0.125; at least 6"),
        (1, 4, "systems", "1 speaker cannot"),
        (8, 3, "systems", "3 seeds against 3 cannot give p < 0.1 unless .* 4 against 4 can"),
        (8, 1, "systems", "one seed"),
    ],
)
def test_what_the_data_cannot_decide_is_said(speakers: int, seeds: int, scope: str, says: str) -> None:
    pair = compare(
        [system("a", 0.05, seeds, speakers=speakers), system("b", 0.5, seeds, speakers=speakers)], rules=QUICK
    ).pairs[0]
    verdict = pair.systems if scope == "systems" else pair.runs
    assert verdict.word == "cannot decide"
    assert re.search(says, verdict.reason)


def test_three_seeds_decide_when_normal_seeds_are_declared() -> None:
    pair = [system("a", 0.05, 3), system("b", 0.5, 3)]
    undecided = compare(pair, rules=QUICK)
    assert words(undecided) == [("cannot decide", "better")]
    assert undecided.pairs[0].verdict.scope == "runs"
    assert words(compare(pair, rules=replace(QUICK, trust_normal_seeds=True))) == [("better", "better")]


def test_all_pairs_or_those_with_the_baseline_and_holm_over_them() -> None:
    three = [system("a", 0.1), system("b", 0.13), system("c", 0.16)]
    all_pairs, based = compare(three, rules=QUICK), compare(three, baseline="b", rules=QUICK)
    assert [(pair.first, pair.second) for pair in all_pairs.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [(pair.first, pair.second) for pair in based.pairs] == [("a", "b"), ("c", "b")]
    for pair in all_pairs.pairs:
        assert pair.measurement.systems is not None
        assert pair.p_systems is not None
        assert pair.measurement.systems.p <= pair.p_systems <= min(1.0, 3 * pair.measurement.systems.p)
    assert [summary.name for summary in all_pairs.summaries] == ["a", "b", "c"]
    assert compare(three[:1], rules=QUICK).pairs == ()


def test_what_stands_in_a_pair_is_what_the_tests_give_alone() -> None:
    left, right = system("a", 0.2, 4), system("b", 0.25, 5)
    measurement = compare([left, right], rules=QUICK).pairs[0].measurement
    left_scores, right_scores = scores(left), scores(right)
    difference = left_scores.errors.mean(0) - right_scores.errors.mean(0)
    generator = np.random.default_rng(0)
    drawn = generator.integers(len(left_scores.ids), size=(500, len(left_scores.ids)))
    rates = np.array(
        [100 * sum(difference[u] for u in row) / sum(left_scores.lengths[u] for u in row) for row in drawn]
    )
    assert measurement.by_utterance.interval.bounds == pytest.approx(np.percentile(rates, [2.5, 97.5]))
    assert measurement.by_utterance.improved == pytest.approx((rates < 0).mean())
    assert measurement.relative == pytest.approx(100 * (left_scores.percent / right_scores.percent - 1))
    pairs = [[slots(side.runs[1].utterances[key].pairs) for side in (left, right)] for key in left_scores.ids]
    assert measurement.mapsswe["1"] == mapsswe(pairs)
    low, high = measurement.relative_interval.bounds
    assert low < measurement.relative < high


def test_the_p_of_the_bootstrap_is_where_its_interval_begins_to_hold_nothing() -> None:
    generator = np.random.default_rng(2)
    differences, lengths = generator.integers(-2, 4, 40), np.full(40, 10)
    p = paired_bootstrap(differences, lengths, 0.95, "utterances", 2000).p
    wide = paired_bootstrap(differences, lengths, 1 - 0.8 * p, "utterances", 2000).interval
    narrow = paired_bootstrap(differences, lengths, 1 - 1.2 * p, "utterances", 2000).interval
    assert wide.low <= 0.0 < narrow.low


def test_diverged_seeds_are_counted_and_stay() -> None:
    fine = system("a", 0.1, 3)
    silent = run("9", {key: (s, r, "") for key, (s, r, _) in texts(0.1, 3).items()})
    stuck = replace(run("8", texts(0.7, 3)), name="8")
    broken = replace(fine.runs[0], name="7", broken=True)
    whole = System("a", (*fine.runs, silent, stuck, broken), lost=("6",))
    assert diverged(whole) == ("9", "8", "7", "6")
    assert diverged(fine) == ()
    assert diverged(System("b", (stuck,))) == ()  # nothing says that its seed is to blame
    summary = summarise(whole, QUICK)
    assert summary.diverged == ("9", "8", "7", "6")
    assert summary.lost == ("6",)
    assert summary.percent == pytest.approx(np.mean(list(summary.percents.values())))
    assert len(summary.percents) == 6
    assert summary.percent_converged == pytest.approx(summarise(fine, QUICK).percent)
    assert summarise(System("c", (silent,)), QUICK).percent_converged is None


def test_systems_without_errors() -> None:
    perfect = system("a", 0.0)
    pair = compare([perfect, replace(perfect, name="b"), system("c", 0.3)], rules=QUICK)
    assert words(pair)[0] == ("no difference shown", "no difference shown")
    assert pair.pairs[0].measurement.relative is None
    assert pair.pairs[0].measurement.runs.interval.bounds is None
    assert pair.summaries[0].mixed.bounds is None
    assert pair.summaries[0].utterances.high > 0.0


def test_one_utterance() -> None:
    utterance_texts = {"only": ("s", "one two three", "one three")}
    pair = compare(
        [System("a", (run("1", utterance_texts),)), System("b", (run("1", utterance_texts),))], rules=QUICK
    ).pairs[0]
    assert pair.runs.word == "cannot decide"
    assert pair.measurement.by_utterance.interval.bounds is None


def test_alignments_are_optional() -> None:
    plain = [changed(system(name, 0.2), lambda _, u: u._replace(pairs=())) for name in "ab"]
    pair = compare(plain, rules=QUICK).pairs[0]
    assert pair.measurement.mapsswe == {}
    assert pair.systems.word == "no difference shown"


def test_what_cannot_be_compared_is_refused_in_one_line() -> None:
    first, second = system("a", 0.1), system("b", 0.2)

    def refused(first: System, second: System, match: str) -> None:
        with pytest.raises(LasasrError, match=match) as caught:
            compare([first, second], rules=QUICK)
        assert "\n" not in str(caught.value)

    fewer = replace(
        second, runs=tuple(replace(r, utterances=dict(list(r.utterances.items())[1:])) for r in second.runs)
    )
    refused(first, fewer, "not decoded on the same utterances: 1 are in one only")
    refused(first, replace(second, runs=(second.runs[0], fewer.runs[1])), "b, seed 0 and b, seed 1 were not decoded")
    refused(first, changed(second, lambda _, u: u._replace(speaker="x")), "another reference or speaker")
    longer = changed(second, lambda _, u: u._replace(reference_length=u.reference_length + 1, pairs=()))
    refused(first, longer, "another reference")
    other = changed(
        second, lambda _, u: u._replace(pairs=tuple(p._replace(reference=p.reference and "x") for p in u.pairs))
    )
    with pytest.raises((LasasrError, ValueError), match=r"another reference|disagree"):
        compare([first, other], rules=QUICK)
    refused(first, replace(second, runs=(*second.runs, second.runs[0])), "seed 0 twice")
    refused(first, System("b", ()), "b has no run")
    empty = run("0", {"u": ("s", "", "word")})
    refused(System("a", (empty,)), System("b", (empty,)), "nothing to recognise")
    with pytest.raises(UsageError, match="two systems are called a"):
        compare([first, first])
    with pytest.raises(UsageError, match="no system is called x; nearest: a"):
        compare([first, second], baseline="x")


def test_rules_that_make_no_sense_are_refused() -> None:
    for wrong in ({"level": 5.0}, {"power": 80.0}, {"wanted_points": 0.0}):
        with pytest.raises(ValueError, match=str(next(iter(wrong)))):
            Rules(**wrong)


def test_counts_that_contradict_the_alignment_are_refused() -> None:
    wrong = changed(system("a", 0.1), lambda _, u: u._replace(errors=u.errors + 1))
    with pytest.raises(ValueError, match="disagree"):
        scores(wrong)
    with pytest.raises(ValueError, match="negative"):
        scores(changed(system("a", 0.1), lambda _, u: u._replace(errors=-1, pairs=())))


@pytest.mark.parametrize("heard", [1, 2, 5, 6, 7])
def test_speakers_with_empty_references_alone_are_no_speakers(heard: int) -> None:
    """Eight speakers of whom few say anything decide what those few alone decide, and say so without a warning."""

    def silent(key: str, utterance: Utterance) -> Utterance:
        return utterance if int(utterance.speaker[1:]) < heard else Utterance(0, 0, utterance.speaker)

    def only_heard(system: System) -> System:
        return replace(system, runs=tuple(replace(run, utterances=_heard(run.utterances)) for run in system.runs))

    def _heard(utterances: dict[str, Utterance]) -> dict[str, Utterance]:
        return {key: utterance for key, utterance in utterances.items() if int(utterance.speaker[1:]) < heard}

    systems = [system("good", 0.1), system("bad", 0.4)]
    with np.errstate(all="raise"):
        padded = compare([changed(one, silent) for one in systems], rules=QUICK)
        (pair,) = padded.pairs
        (alone,) = compare([only_heard(one) for one in systems], rules=QUICK).pairs
    assert (pair.systems.word == "cannot decide") == (heard < 6)
    assert (pair.systems, pair.runs) == (alone.systems, alone.runs)
    for of_padded, of_alone in (
        (pair.measurement.systems, alone.measurement.systems),
        (pair.measurement.runs, alone.measurement.runs),
    ):
        assert (of_padded is None) == (of_alone is None) == (heard == 1)
        if of_padded is not None and of_alone is not None:
            numbers, expected = (
                [one.interval.low, one.interval.high, one.df, one.p, one.detectable] for one in (of_padded, of_alone)
            )
            assert numbers == pytest.approx(expected)
    mixed, expected_mixed = padded.summaries[0].mixed, summarise(only_heard(systems[0]), QUICK).mixed
    assert mixed.method == expected_mixed.method
    assert mixed.low == pytest.approx(expected_mixed.low)
    assert (padded.summaries[0].speakers.low is None) == (heard == 1)
    assert (pair.measurement.by_speaker.p is None) == (heard == 1)
