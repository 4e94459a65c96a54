"""comparison.json: its numbers are those of the runs, its words those of the numbers."""

import json
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
from lasasr.comparison.grouping import Group, groups
from lasasr.comparison.pairs import against, signed
from lasasr.errors import LasasrError
from lasasr.metrics.significance.verdict import Rules

FAST = Rules(resamples=200)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[Group]]:
    """Three systems of two seeds, the last much worse."""
    root = tmp_path_factory.mktemp("runs")
    for attend, rate in (("dot", 0.1), ("additive", 0.11), ("none", 0.6)):
        for seed in (1, 2):
            write_run(root, attend, seed, rate)
    found = find(sorted(path.parent for path in root.rglob("card.json")))
    systems, notes = groups(found)
    return document(found, systems, notes, None, FAST), systems


def test_counts_are_the_sums_of_the_summaries(compared: tuple[dict[str, Any], list[Group]]) -> None:
    made, systems = compared
    for told, group in zip(made["systems"], systems, strict=True):
        read = [results.read(one.folder / "results", "test")[0] for one in group.entries if one.folder]
        assert len(read) == 2
        for name in ("errors", "substitutions", "deletions", "insertions", "reference_length"):
            assert told[name] == sum(one[name] for one in read)
        assert told["percent"] == pytest.approx(100.0 * told["errors"] / told["reference_length"])
        assert told["step_s"] == pytest.approx(2.0)


def test_it_is_plain_json(compared: tuple[dict[str, Any], list[Group]]) -> None:
    made, _ = compared
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_the_verdict_names_the_systems(compared: tuple[dict[str, Any], list[Group]]) -> None:
    made, _ = compared
    words = {(one["first"], one["second"]): one["verdict_of_runs"] for one in made["pairs"]}
    assert words["attend=additive", "attend=dot"] == "worse"
    assert words["attend=additive", "attend=none"] == words["attend=dot", "attend=none"] == "better"
    assert made["about"] == "runs"  # two seeds against two cannot decide about systems
    assert "better than additive and none" in made["verdict"][0]
    assert "2 seeds against 2 cannot" in made["verdict"][1]


def test_a_pair_seen_from_the_other_side(compared: tuple[dict[str, Any], list[Group]]) -> None:
    made, _ = compared
    (one,) = [seen for seen in against(made, "attend=dot") if seen.name == "attend=none"]
    (other,) = [seen for seen in against(made, "attend=none") if seen.name == "attend=dot"]
    assert (one.word, other.word) == ("worse", "better")
    assert (one.points, one.low, one.high) == pytest.approx((-other.points, -(other.high or 0), -(other.low or 0)))
    assert one.points > 0


def test_parts_of_the_test_set_add_up(compared: tuple[dict[str, Any], list[Group]]) -> None:
    made, systems = compared
    told = details(systems)
    for breakdown in told["breakdowns"]:
        for system in made["systems"]:
            rates = zip(breakdown["rows"][system["name"]], breakdown["lengths"], strict=True)
            pooled = sum(rate * length for rate, length in rates)
            assert pooled / sum(breakdown["lengths"]) == pytest.approx(system["percent"])


def test_utterances_carry_their_alignments(compared: tuple[dict[str, Any], list[Group]]) -> None:
    _, systems = compared
    told = details(systems)
    assert 0 < len(told["utterances"]) <= told["disputed"]
    for one in told["utterances"]:
        for run in one["runs"]:
            letters = run["operations"]
            assert len(one["reference"].split()) == sum(letters.count(one) for one in "CSD")
            assert len(run["hypothesis"].split()) == sum(letters.count(one) for one in "CSI")
            assert run["errors"] == len(letters) - letters.count("C")


def test_curves_are_means_over_seeds(compared: tuple[dict[str, Any], list[Group]]) -> None:
    _, systems = compared
    assert [one["mean"] for one in details(systems)["curves"]["attend=dot"]] == pytest.approx(
        [100.0, 50.0, 100.0 / 3.0]
    )


def test_flips_are_all_utterances_whose_errors_differ(compared: tuple[dict[str, Any], list[Group]]) -> None:
    _, systems = compared
    first, second = (group.entries[0] for group in systems[:2])
    found = flips(first, second)
    changes = sum(one.errors[1] - one.errors[0] for one in found)
    assert changes == second.summary["errors"] - first.summary["errors"]
    assert all(one.errors[0] != one.errors[1] for one in found)


def test_budgets(tmp_path: Path) -> None:
    one = write_run(tmp_path, "dot")
    other = write_run(tmp_path, "additive", facts={"parameters": 1_015_000, "train_s": 90.0})
    found = find([one.folder, other.folder])
    made = document(found, *groups(found), None, FAST)["budgets"]
    assert {name: one["matched"] for name, one in made.items()} == {"steps": True, "train_s": False, "parameters": True}
    assert unmatched(made, ["steps", "train_s"]) == ["the training time differ by more than 2%: 60 to 90"]


def test_a_card_keeps_what_a_table_needs(compared: tuple[dict[str, Any], list[Group]], tmp_path: Path) -> None:
    from lasasr.artifacts import files
    from lasasr.report.comparison_markdown import comparison_markdown

    made, _ = compared
    kept = card.card(made)
    assert comparison_markdown(kept) == comparison_markdown(made)
    assert len(kept["pairs"]) == 2 < len(made["pairs"])
    files.write_json(tmp_path / "card.json", kept)
    assert card.read(tmp_path / "card.json") == kept
    files.write_json(tmp_path / "card.json", {**kept, "schema": 99})
    with pytest.raises(LasasrError, match="has schema 99"):
        card.read(tmp_path / "card.json")


def test_few_speakers_cannot_decide(tmp_path: Path) -> None:
    right = [line(f"u{i}", f"s{i % 3}", "a b c", "a b c") for i in range(9)]
    wrong = [line(f"u{i}", f"s{i % 3}", "a b c", "a x c") for i in range(9)]
    paths = [write_run(tmp_path, name, made=made).folder for name, made in (("dot", right), ("none", wrong))]
    found = find(paths)
    (told,) = document(found, *groups(found), None, FAST)["verdict"]
    assert told.startswith("The data cannot decide between these runs of attend=dot and none (3 speakers cannot give p")
    assert told.endswith("the lowest is attend=dot, WER 0.00 %.")


def test_signs() -> None:
    assert [signed(one) for one in (-0.001, 0.0, 1.234, -2.0)] == ["+0.00", "+0.00", "+1.23", "-2.00"]
