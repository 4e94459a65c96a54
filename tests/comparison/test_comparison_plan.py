"""Plans from finished comparisons."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import write_run

from lasasr.cli.main import main
from lasasr.comparison import card
from lasasr.comparison.document import document
from lasasr.comparison.entries import find
from lasasr.comparison.grouping import groups
from lasasr.comparison.pilot import pilot
from lasasr.comparison.plan import Wanted, plan
from lasasr.errors import LasasrError
from lasasr.metrics.significance.verdict import Rules, least_seeds

FAST = Rules(resamples=200)


def compared(root: Path, seeds: int, systems: int = 3) -> dict[str, Any]:
    rates = {"dot": 0.1, "additive": 0.15, "none": 0.2}
    folders = [
        write_run(root, attend, seed, rates[attend]).folder
        for attend in list(rates)[:systems]
        for seed in range(1, seeds + 1)
    ]
    selection = find(folders)
    return document(selection, *groups(selection), None, FAST)


def test_the_pilot_of_one_pair_has_its_variance_and_time(tmp_path: Path) -> None:
    comparison = compared(tmp_path, 3, systems=2)
    (pair,) = comparison["pairs"]
    planned = pilot(json.loads(json.dumps(comparison)))
    assert planned.parts.speakers == pytest.approx(pair["variance"]["speakers"])
    assert planned.parts.seeds is not None
    assert planned.parts.seeds.variance == pytest.approx(pair["variance"]["seeds"]["variance"])
    assert planned.hours_per_run == pytest.approx(60.0 / 3600.0)
    assert (planned.speakers, planned.utterances) == (8, 48)


def test_a_card_plans_as_its_comparison_and_an_older_one_cautiously(tmp_path: Path) -> None:
    comparison = compared(tmp_path, 4, systems=2)
    wanted = Wanted(3.0, 2, False, None)
    whole = plan(pilot(comparison), wanted, FAST)
    assert plan(pilot(card.card(comparison)), wanted, FAST) == whole
    for pair in comparison["pairs"]:
        del pair["variance"]
    older = plan(pilot(comparison), wanted, FAST)
    theirs = {row["seeds"]: row["detectable"] for row in whole["designs"]}
    ours = {row["seeds"]: row["detectable"] for row in older["designs"]}
    assert ours[4] == pytest.approx(theirs[4], rel=0.06)  # as many seeds as the pilot has, whose residual is not known
    assert all(ours[seeds] >= theirs[seeds] for seeds in ours.keys() & theirs.keys() if seeds > 4)


def test_more_systems_need_more_and_a_baseline_less(tmp_path: Path) -> None:
    planned = pilot(compared(tmp_path, 4))

    def shown(systems: int, baseline: bool) -> float:
        return float(plan(planned, Wanted(3.0, systems, baseline, 2.0), FAST)["designs"][0]["detectable"])

    assert shown(2, False) < shown(8, True) < shown(8, False)
    contents = plan(planned, Wanted(3.0, 8, False, 2.0), FAST)
    assert contents["pairs"] == 28
    assert all(row["hours"] == 2.0 * 8 * row["seeds"] == 2.0 * row["runs"] for row in contents["designs"])


def test_the_fewest_seeds_are_those_that_decide() -> None:
    assert least_seeds(Rules()) == 4
    assert least_seeds(Rules(trust_normal_seeds=True)) == 2


def test_one_seed_is_no_pilot(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match="has one seed of some system in every pair"):
        pilot(compared(tmp_path, 1))


def test_one_speaker_is_no_pilot_and_is_named() -> None:
    pair = {"first": "a", "second": "b", "systems": None, "runs": None}
    systems = [{"name": name, "seeds": ["1", "2", "3", "4"]} for name in "ab"]
    with pytest.raises(LasasrError, match="has one speaker, so that the spread between speakers is not known"):
        pilot({"pairs": [pair], "systems": systems, "speakers": 1})


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("comparison.json").write_text(json.dumps(compared(tmp_path / "runs", 4)))
    assert main(["plan", ".", "--difference", "4", "--systems", "3", "--json", "plan.json"]) == 0
    contents = json.loads(Path("plan.json").read_text())
    out = " ".join(capsys.readouterr().out.split())
    assert contents["words"][0] in out
    assert "found with 80% power" in out
    assert main(["plan", "--difference", "1", "--seed-sd", "0.5", "--speaker-sd", "8", "--speakers", "40"]) == 0
    assert "No number of seeds shows 1 points between two systems on such a test set (40 speakers)" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--difference", "1"], "without a PILOT give --seed-sd, --speaker-sd and --speakers"),
        (["nowhere.json", "--difference", "1"], "nowhere.json is missing: lasasr compare"),
        (["nowhere.json", "--difference", "-1"], "--difference must be above 0, got -1"),
        (["nowhere.json", "--difference", "1", "--systems", "1"], "--systems must be at least 2, got 1"),
        (["nowhere.json", "--difference", "1", "--power", "1"], "--power must be at least 0.5 and below 1, got 1"),
        (["x.json", "--difference", "1", "--seed-sd", "1"], "x.json says how much seeds and speakers differ"),
        (
            ["--difference", "1", "--seed-sd", "1", "--speaker-sd", "1", "--speakers", "5"],
            "--speakers must be at least 6, got 5",
        ),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert main(["plan", *words]) == 2
    assert message in capsys.readouterr().err


def test_published_numbers_without_utterances_plan_in_speakers(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = ["--seed-sd", "0.3", "--speaker-sd", "2.5", "--speakers", "40"]
    assert main(["plan", "--difference", "1.0", *numbers]) == 0
    without = " ".join(capsys.readouterr().out.split())
    assert "utterances" not in without
    assert main(["plan", "--difference", "1.0", *numbers, "--utterances", "400"]) == 0
    assert re.search(r"a test set of [\d,]+ such speakers\.", without)
    assert re.search(r"such speakers \([\d,]+ utterances\)\.", " ".join(capsys.readouterr().out.split()))
