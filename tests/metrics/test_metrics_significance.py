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
from lasasr.metrics.significance.mapsswe import mapsswe
from lasasr.metrics.significance.scores import Run, System, Utterance, diverged, scores
from lasasr.metrics.significance.summary import summarise
from lasasr.metrics.significance.verdict import Rules

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
QUICK = Rules(resamples=500)
Texts = dict[str, tuple[str, str, str]]  # id → speaker, reference, hypothesis


def texts(rate: float, seed: int, speakers: int = 8, each: int = 4) -> Texts:
    said, heard = np.random.default_rng(0), np.random.default_rng(seed)
    made: Texts = {}
    for speaker in range(speakers):
        for number in range(each):
            reference = said.choice(WORDS, size=8).tolist()
            hypothesis = [word if heard.random() > rate else "wrong" for word in reference if heard.random() > rate / 4]
            made[f"s{speaker}-{number}"] = (f"s{speaker}", " ".join(reference), " ".join(hypothesis))
    return made


def run(name: str, made: Texts) -> Run:
    utterances = {}
    for key, (speaker, reference, hypothesis) in made.items():
        pairs = tuple(align(reference, hypothesis, "wer"))
        found = count(pairs)
        utterances[key] = Utterance(found.errors, found.reference_length, speaker, pairs)
    return Run(name, utterances)


def system(name: str, rate: float, seeds: int = 4, first: int = 1, **options: int) -> System:
    return System(name, tuple(run(str(n), texts(rate, 100 * n + first, **options)) for n in range(seeds)))


def changed(system: System, change: Callable[[str, Utterance], Utterance]) -> System:
    runs = [replace(one, utterances={k: change(k, u) for k, u in one.utterances.items()}) for one in system.runs]
    return replace(system, runs=tuple(runs))


def words(comparison: Comparison) -> list[tuple[str, str]]:
    return [(pair.systems.word, pair.runs.word) for pair in comparison.pairs]


def test_rates_are_jiwers() -> None:
    made = texts(0.3, 5)
    one = System("a", (run("1", made), run("2", texts(0.3, 6))))
    theirs = 100 * jiwer.wer([r for _, r, _ in made.values()], [h for _, _, h in made.values()])
    found = summarise(one, QUICK)
    assert found.percents["1"] == pytest.approx(theirs)
    assert found.percent == pytest.approx(np.mean(list(found.percents.values())))
    assert found.seed_sd == pytest.approx(np.std(list(found.percents.values()), ddof=1))


def test_a_clear_difference_is_called_in_the_right_direction() -> None:
    good, bad = system("good", 0.1), system("bad", 0.4)
    assert words(compare([good, bad], rules=QUICK)) == [("better", "better")]
    assert words(compare([bad, good], rules=QUICK)) == [("worse", "worse")]


def test_a_pair_turned_round_is_the_same_pair() -> None:
    left, right = system("a", 0.2), system("b", 0.25, seeds=5)
    one, two = (compare(pair, rules=QUICK).pairs[0].measured for pair in ([left, right], [right, left]))
    assert one.points == pytest.approx(-two.points)
    assert one.systems is not None
    assert two.systems is not None
    assert one.systems.p == pytest.approx(two.systems.p)
    assert one.systems.interval.low == pytest.approx(-two.systems.interval.high)
    assert one.sign_flip == two.sign_flip
    for name, found in one.mapsswe.items():
        assert found.p == pytest.approx(two.mapsswe[name].p)


def test_a_copy_shows_no_difference_and_another_seed_an_interval() -> None:
    one = system("a", 0.2)
    copy = compare([one, replace(one, name="copy", runs=one.runs[::-1])], rules=QUICK)
    assert words(copy) == [("no difference shown", "no difference shown")]
    assert copy.pairs[0].measured.points == 0.0
    assert copy.pairs[0].p_runs == 1.0
    assert copy.pairs[0].measured.by_speaker.p == 1.0
    seeds = compare([System("s0", one.runs[:1]), System("s1", one.runs[1:2])], rules=QUICK).pairs[0]
    assert seeds.systems.word == "cannot decide"
    assert "one seed" in seeds.systems.reason
    assert seeds.measured.runs is not None
    low, high = seeds.measured.runs.interval.bounds
    assert low < seeds.measured.points < high
    assert list(seeds.measured.mapsswe) == ["0 / 1"]


def test_other_seeds_of_the_same_variant_show_no_difference() -> None:
    verdicts = [
        words(compare([system("a", 0.2, first=n), system("b", 0.2, first=n + 50)], rules=QUICK))[0][0] for n in range(8)
    ]
    assert verdicts.count("no difference shown") >= 6


@pytest.mark.parametrize(
    ("speakers", "seeds", "about", "says"),
    [
        (4, 4, "runs", "4 speakers cannot give p < 0.125; at least 6"),
        (4, 4, "systems", "4 speakers cannot give p < 0.125; at least 6"),
        (1, 4, "systems", "1 speaker cannot"),
        (8, 3, "systems", "3 seeds against 3 cannot give p < 0.1 unless .* 4 against 4 can"),
        (8, 1, "systems", "one seed"),
    ],
)
def test_what_the_data_cannot_decide_is_said(speakers: int, seeds: int, about: str, says: str) -> None:
    pair = compare(
        [system("a", 0.05, seeds, speakers=speakers), system("b", 0.5, seeds, speakers=speakers)], rules=QUICK
    ).pairs[0]
    verdict = pair.systems if about == "systems" else pair.runs
    assert verdict.word == "cannot decide"
    assert re.search(says, verdict.reason)


def test_three_seeds_decide_when_normal_seeds_are_declared() -> None:
    pair = [system("a", 0.05, 3), system("b", 0.5, 3)]
    undecided = compare(pair, rules=QUICK)
    assert words(undecided) == [("cannot decide", "better")]
    assert undecided.pairs[0].verdict.about == "runs"
    assert words(compare(pair, rules=replace(QUICK, trust_normal_seeds=True))) == [("better", "better")]


def test_all_pairs_or_those_with_the_baseline_and_holm_over_them() -> None:
    three = [system("a", 0.1), system("b", 0.13), system("c", 0.16)]
    every, based = compare(three, rules=QUICK), compare(three, baseline="b", rules=QUICK)
    assert [(one.first, one.second) for one in every.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [(one.first, one.second) for one in based.pairs] == [("a", "b"), ("c", "b")]
    for pair in every.pairs:
        assert pair.measured.systems is not None
        assert pair.p_systems is not None
        assert pair.measured.systems.p <= pair.p_systems <= min(1.0, 3 * pair.measured.systems.p)
    assert [one.name for one in every.summaries] == ["a", "b", "c"]
    assert compare(three[:1], rules=QUICK).pairs == ()


def test_what_stands_in_a_pair_is_what_the_tests_give_alone() -> None:
    left, right = system("a", 0.2, 4), system("b", 0.25, 5)
    found = compare([left, right], rules=QUICK).pairs[0].measured
    one, two = scores(left), scores(right)
    difference = one.errors.mean(0) - two.errors.mean(0)
    generator = np.random.default_rng(0)
    drawn = generator.integers(len(one.ids), size=(500, len(one.ids)))
    rates = np.array([100 * sum(difference[u] for u in row) / sum(one.lengths[u] for u in row) for row in drawn])
    assert found.by_utterance.interval.bounds == pytest.approx(np.percentile(rates, [2.5, 97.5]))
    assert found.by_utterance.improved == pytest.approx((rates < 0).mean())
    assert found.relative == pytest.approx(100 * (one.percent / two.percent - 1))
    pairs = [(left.runs[1].utterances[key].pairs, right.runs[1].utterances[key].pairs) for key in one.ids]
    assert found.mapsswe["1"] == mapsswe(pairs)
    low, high = found.relative_interval.bounds
    assert low < found.relative < high


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
    found = summarise(whole, QUICK)
    assert found.diverged == ("9", "8", "7", "6")
    assert found.lost == ("6",)
    assert found.percent == pytest.approx(np.mean(list(found.percents.values())))
    assert len(found.percents) == 6
    assert found.percent_converged == pytest.approx(summarise(fine, QUICK).percent)
    assert summarise(System("c", (silent,)), QUICK).percent_converged is None


def test_systems_without_errors() -> None:
    perfect = system("a", 0.0)
    pair = compare([perfect, replace(perfect, name="b"), system("c", 0.3)], rules=QUICK)
    assert words(pair)[0] == ("no difference shown", "no difference shown")
    assert pair.pairs[0].measured.relative is None
    assert pair.pairs[0].measured.runs.interval.bounds is None
    assert pair.summaries[0].mixed.bounds is None
    assert pair.summaries[0].utterances.high > 0.0


def test_one_utterance() -> None:
    made = {"only": ("s", "one two three", "one three")}
    pair = compare([System("a", (run("1", made),)), System("b", (run("1", made),))], rules=QUICK).pairs[0]
    assert pair.runs.word == "cannot decide"
    assert pair.measured.by_utterance.interval.bounds is None


def test_alignments_are_optional() -> None:
    plain = [changed(system(name, 0.2), lambda _, u: u._replace(pairs=())) for name in "ab"]
    pair = compare(plain, rules=QUICK).pairs[0]
    assert pair.measured.mapsswe == {}
    assert pair.systems.word == "no difference shown"


def test_what_cannot_be_compared_is_refused_in_one_line() -> None:
    one, two = system("a", 0.1), system("b", 0.2)

    def refused(first: System, second: System, match: str) -> None:
        with pytest.raises(LasasrError, match=match) as caught:
            compare([first, second], rules=QUICK)
        assert "\n" not in str(caught.value)

    fewer = replace(two, runs=tuple(replace(r, utterances=dict(list(r.utterances.items())[1:])) for r in two.runs))
    refused(one, fewer, "not decoded on the same utterances: 1 are in one only")
    refused(one, replace(two, runs=(two.runs[0], fewer.runs[1])), "b, seed 0 and b, seed 1 were not decoded")
    refused(one, changed(two, lambda _, u: u._replace(speaker="x")), "another reference or speaker")
    longer = changed(two, lambda _, u: u._replace(reference_length=u.reference_length + 1, pairs=()))
    refused(one, longer, "another reference")
    other = changed(
        two, lambda _, u: u._replace(pairs=tuple(p._replace(reference=p.reference and "x") for p in u.pairs))
    )
    with pytest.raises((LasasrError, ValueError), match=r"another reference|disagree"):
        compare([one, other], rules=QUICK)
    refused(one, replace(two, runs=(*two.runs, two.runs[0])), "seed 0 twice")
    refused(one, System("b", ()), "b has no run")
    empty = run("0", {"u": ("s", "", "word")})
    refused(System("a", (empty,)), System("b", (empty,)), "nothing to recognise")
    with pytest.raises(UsageError, match="two systems are called a"):
        compare([one, one])
    with pytest.raises(UsageError, match="no system is called x; nearest: a"):
        compare([one, two], baseline="x")


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
