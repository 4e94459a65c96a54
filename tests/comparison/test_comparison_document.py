"""comparison.json: its numbers are those of the runs, its words those of the numbers."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import line, write_run

from lasasr.artifacts import results
from lasasr.comparison import card
from lasasr.comparison.budget import unmatched
from lasasr.comparison.details import details
from lasasr.comparison.document import document
from lasasr.comparison.entries import find
from lasasr.comparison.flips import flips
from lasasr.comparison.grouping import SystemRuns, groups
from lasasr.comparison.pairs import against, signed
from lasasr.errors import LasasrError
from lasasr.metrics.significance.verdict import Rules
from lasasr.report import charts
from lasasr.report.comparison_columns import columns
from lasasr.report.csv_table import csv_table
from lasasr.report.methods import methods
from lasasr.report.page import page

FAST = Rules(resamples=200)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[SystemRuns]]:
    """Three systems of two seeds, the last much worse."""
    root = tmp_path_factory.mktemp("runs")
    for attend, rate in (("dot", 0.1), ("additive", 0.11), ("none", 0.6)):
        for seed in (1, 2):
            write_run(root, attend, seed, rate)
    selection = find(sorted(path.parent for path in root.rglob("card.json")))
    systems, notes = groups(selection)
    return document(selection, systems, notes, None, FAST), systems


def test_counts_are_the_sums_of_the_summaries(compared: tuple[dict[str, Any], list[SystemRuns]]) -> None:
    comparison, systems = compared
    for system, group in zip(comparison["systems"], systems, strict=True):
        read = [results.read(run.folder / "results", "test")[0] for run in group.runs if run.folder]
        assert len(read) == 2
        for name in ("errors", "substitutions", "deletions", "insertions", "reference_length"):
            assert system[name] == sum(summary[name] for summary in read)
        assert system["percent"] == pytest.approx(100.0 * system["errors"] / system["reference_length"])
        assert system["step_s"] == pytest.approx(2.0)


def test_it_is_plain_json(compared: tuple[dict[str, Any], list[SystemRuns]]) -> None:
    comparison, _ = compared
    assert json.loads(json.dumps(comparison, allow_nan=False)) == comparison


def test_the_verdict_names_the_systems(compared: tuple[dict[str, Any], list[SystemRuns]]) -> None:
    comparison, _ = compared
    words = {(pair["first"], pair["second"]): pair["verdict_of_runs"] for pair in comparison["pairs"]}
    assert words["attend=additive", "attend=dot"] == "worse"
    assert words["attend=additive", "attend=none"] == words["attend=dot", "attend=none"] == "better"
    assert comparison["about"] == "runs"  # two seeds against two cannot decide about systems
    assert "better than additive and none" in comparison["verdict"][0]
    assert "2 seeds against 2 cannot" in comparison["verdict"][0]


def test_a_pair_seen_from_the_other_side(compared: tuple[dict[str, Any], list[SystemRuns]]) -> None:
    comparison, _ = compared
    (difference,) = [seen for seen in against(comparison, "attend=dot") if seen.name == "attend=none"]
    (opposite,) = [seen for seen in against(comparison, "attend=none") if seen.name == "attend=dot"]
    assert (difference.word, opposite.word) == ("worse", "better")
    assert (difference.points, difference.low, difference.high) == pytest.approx(
        (-opposite.points, -(opposite.high or 0), -(opposite.low or 0))
    )
    assert difference.points > 0


def test_parts_of_the_test_set_add_up(compared: tuple[dict[str, Any], list[SystemRuns]]) -> None:
    comparison, systems = compared
    contents = details(systems)
    for breakdown in contents["breakdowns"]:
        for system in comparison["systems"]:
            rates = zip(breakdown["rows"][system["name"]], breakdown["lengths"], strict=True)
            pooled = sum(rate * length for rate, length in rates)
            assert pooled / sum(breakdown["lengths"]) == pytest.approx(system["percent"])


def test_utterances_carry_their_alignments(compared: tuple[dict[str, Any], list[SystemRuns]]) -> None:
    _, systems = compared
    contents = details(systems)
    assert 0 < len(contents["utterances"]) <= contents["disputed"]
    for utterance in contents["utterances"]:
        for run in utterance["runs"]:
            letters = run["operations"]
            assert len(utterance["reference"].split()) == sum(letters.count(letter) for letter in "CSD")
            assert len(run["hypothesis"].split()) == sum(letters.count(letter) for letter in "CSI")
            assert run["errors"] == len(letters) - letters.count("C")


def test_curves_are_means_over_seeds(compared: tuple[dict[str, Any], list[SystemRuns]]) -> None:
    _, systems = compared
    assert [point["mean"] for point in details(systems)["curves"]["attend=dot"]] == pytest.approx(
        [100.0, 50.0, 100.0 / 3.0]
    )


def test_curves_are_of_the_metric_that_chose_the_checkpoint(tmp_path: Path) -> None:
    watching = write_run(tmp_path, "dot", checkpoint={"monitor": "cer"})
    other = write_run(tmp_path, "additive", checkpoint={"monitor": "cer"})
    selection = find([watching.folder, other.folder])
    parts = details(groups(selection)[0])
    assert parts["watched"] == "cer"
    assert [point["mean"] for point in parts["curves"]["attend=dot"]] == pytest.approx([50.0, 25.0, 50.0 / 3.0])
    mixed = find([watching.folder, write_run(tmp_path, "none").folder])
    assert details(groups(mixed)[0])["watched"] == "wer"


def test_flips_are_all_utterances_whose_errors_differ(compared: tuple[dict[str, Any], list[SystemRuns]]) -> None:
    _, systems = compared
    first, second = (group.runs[0] for group in systems[:2])
    flipped = flips(first, second)
    changes = sum(flip.errors[1] - flip.errors[0] for flip in flipped)
    assert changes == second.summary["errors"] - first.summary["errors"]
    assert all(flip.errors[0] != flip.errors[1] for flip in flipped)


def test_budgets(tmp_path: Path) -> None:
    first = write_run(tmp_path, "dot")
    second = write_run(tmp_path, "additive", facts={"parameters": 1_015_000, "train_s": 90.0})
    selection = find([first.folder, second.folder])
    budgets = document(selection, *groups(selection), None, FAST)["budgets"]
    assert {name: budget["matched"] for name, budget in budgets.items()} == {
        "steps": True,
        "train_s": False,
        "parameters": True,
    }
    assert unmatched(budgets, ["steps", "train_s"]) == ["training time not equal within 2 %: 60 to 90"]


def test_a_card_keeps_what_a_table_needs(compared: tuple[dict[str, Any], list[SystemRuns]], tmp_path: Path) -> None:
    from lasasr.artifacts import files
    from lasasr.report.comparison_markdown import comparison_markdown

    comparison, _ = compared
    kept = card.card(comparison)
    assert comparison_markdown(kept) == comparison_markdown(comparison)
    assert len(kept["pairs"]) == 2 < len(comparison["pairs"])
    files.write_json(tmp_path / "card.json", kept)
    assert card.read(tmp_path / "card.json") == kept
    files.write_json(tmp_path / "card.json", {**kept, "schema": 99})
    with pytest.raises(LasasrError, match="has schema 99"):
        card.read(tmp_path / "card.json")


def test_few_speakers_cannot_decide(tmp_path: Path) -> None:
    right = [line(f"u{i}", f"s{i % 3}", "a b c", "a b c") for i in range(9)]
    wrong = [line(f"u{i}", f"s{i % 3}", "a b c", "a x c") for i in range(9)]
    paths = [
        write_run(tmp_path, name, result_lines=result_lines).folder
        for name, result_lines in (("dot", right), ("none", wrong))
    ]
    selection = find(paths)
    (sentence,) = document(selection, *groups(selection), None, FAST)["verdict"]
    assert sentence.startswith(
        "The data cannot decide between these runs of attend=dot and none (3 speakers cannot give p"
    )
    assert sentence.endswith("the lowest is attend=dot, WER 0.00 %.")


@pytest.fixture(scope="module")
def unlike_seeds(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], list[SystemRuns]]:
    """Four seeds against four, and a third system of one; and the two of four seeds without it."""
    root = tmp_path_factory.mktemp("runs")
    for attend, rate, seeds in (("dot", 0.1, 4), ("none", 0.6, 4), ("additive", 0.3, 1)):
        for seed in range(1, seeds + 1):
            write_run(root, attend, seed, rate)
    selection = find(sorted(path.parent for path in root.rglob("card.json")))
    systems, notes = groups(selection)
    many = [system for system in systems if len(system.runs) == 4]
    rules = Rules(resamples=200, wanted_points=5.0)
    return (
        document(selection, systems, notes, "attend=dot", rules),
        document(replace(selection, runs=[run for one in many for run in one.runs]), many, notes, "attend=dot", rules),
        systems,
    )


def test_numbers_about_the_systems_are_never_those_about_their_runs(
    unlike_seeds: tuple[dict[str, Any], dict[str, Any], list[SystemRuns]],
) -> None:
    """With one seed there is an answer about the run alone, which must not stand where systems are spoken of."""
    comparison, without, systems = unlike_seeds
    assert comparison["about"] == "systems"
    rows = {row["system"]: row for row in csv.DictReader(io.StringIO(csv_table(comparison)))}
    alone = rows["attend=additive"]
    assert (alone["verdict"], alone["about"]) == ("cannot decide", "systems")
    numbers = ("points_low", "points_high", "p_holm", "detectable_points")
    assert [alone[name] for name in numbers] == [""] * len(numbers)
    assert all(rows["attend=none"][name] for name in numbers)
    (row,) = (row for row in charts.forest(comparison)["rows"] if row["first"] == "attend=additive")
    assert row["low"] is row["high"] is row["p"] is None
    # what is said to have been detectable is what is said without the system of one seed
    (pair,) = without["pairs"]
    points = f"{pair['systems']['detectable_points']:.2f}"
    told = next(sentence for sentence in comparison["verdict"] if "would have seen" in sentence)
    assert told == (
        f"With this test set and 4 seeds we would have seen a difference of {points} points or more in one pair alone "
        "(80 % power)."
    )
    assert f"A single difference of {points} points" in methods(comparison, str)
    about = next(column.about for column in columns(comparison) if column.key == "interval")
    assert re.findall(r"over [^;(]*\((.*?)\)", about) == ["additive", "dot, none"], about
    needed = f"{pair['systems']['needed']['utterances']:,} utterances"
    (asked,) = (sentence for sentence in comparison["verdict"] if sentence.startswith("To show"))
    assert needed in asked
    assert "of 1 of the 2 pairs too little is known" in asked
    html = page(comparison, details(systems, "attend=dot"), {}, [])
    assert f">{pair['systems']['detectable_points']:.2f}<" in html
    only_of_runs = next(pair for pair in comparison["pairs"] if pair["first"] == "attend=additive")["runs"]
    assert f">{only_of_runs['detectable_points']:.2f}<" not in html


def test_signs() -> None:
    assert [signed(points) for points in (-0.001, 0.0, 1.234, -2.0)] == ["+0.00", "+0.00", "+1.23", "-2.00"]
