"""lasasr race on runs without training: what is trained, dropped, resumed, refused, and what its comparison says."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import lines, summary

from lasasr.artifacts import results
from lasasr.artifacts.runs import Run
from lasasr.cli import train
from lasasr.cli.main import main
from lasasr.errors import DivergenceError, Interrupted, LasasrError

RATES = {"dot": 0.02, "location": 0.5}
RECIPE = "synthetic/las_char"
RACE = ["race", RECIPE, "attend=dot,location", "--difference", "2", "--most-seeds", "6"]


class Training:
    """Writes results in the place of training; a seed may fail in some way."""

    def __init__(self) -> None:
        self.trained: list[tuple[str, int]] = []
        self.rates: Mapping[str, float] = RATES
        self.failing: dict[tuple[str, int], BaseException] = {}
        self.hours = 0.5
        self.speakers = 8

    def __call__(self, run: Run, plain: Any, overrides: list[str], resume: bool = False, fresh: bool = False) -> None:
        attend, seed = plain["choices"]["attend"], int(plain["seed"])
        self.trained.append((attend, seed))
        run.start(plain, overrides, commit="0" * 40, command="lasasr race")
        error = self.failing.get((attend, seed))
        if error is not None:
            if isinstance(error, DivergenceError):
                run.note(diverged=str(error))
            raise error
        utterances = lines(self.rates[attend], seed, self.speakers)
        results.write(run.results, "test", summary(utterances, seed=seed, attend=attend), utterances)
        run.finish(parameters=1, steps=30, train_s=3600.0 * self.hours)

    def count(self, attend: str) -> int:
        return sum(name == attend for name, _ in self.trained)


@pytest.fixture
def training(dictionary: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    training = Training()
    monkeypatch.setattr(train, "run_job", training)
    monkeypatch.setattr(train, "loaded", dict)
    return training


def race_file() -> dict[str, Any]:
    (path,) = Path("runs", RECIPE).glob("sweep-*/race.json")
    return dict(json.loads(path.read_text()))


def folder() -> str:
    (path,) = Path("runs", RECIPE).glob("sweep-*/race.json")
    return str(path.parent)


def test_a_worse_system_is_dropped_after_the_first_look(training: Training, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RACE) == 0
    assert training.trained == [(name, seed) for seed in (1, 2, 3, 4) for name in ("dot", "location")]
    content = race_file()
    assert content["finished"] is True
    assert content["left"] == {"attend=location": {"reason": "worse", "against": "attend=dot", "look": 0}}
    assert [look["seeds"] for look in content["looks"]] == [4]
    out = capsys.readouterr().out
    assert "attend=location leaves: worse than attend=dot" in out
    assert "8 runs were trained; 6 seeds of every system are 12." in out


def test_systems_that_are_alike_go_on_or_leave_without_a_difference(training: Training) -> None:
    training.rates = dict.fromkeys(RATES, 0.2)
    assert main(RACE) == 0
    (left,) = race_file()["left"].values()
    assert left["reason"] == "no difference"
    assert training.count("dot") == training.count("location") <= 6


def test_a_race_of_an_earlier_schema_is_refused(training: Training, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RACE) == 0
    path = Path(folder(), "race.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 1}))
    assert main(["race", "--resume", folder()]) == 1
    assert f"{path} has schema 1, this version of lasasr reads 2; begin the race again" in capsys.readouterr().err


def test_a_race_that_is_done_is_not_raced_again(training: Training, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RACE) == 0
    trained, first = list(training.trained), race_file()
    capsys.readouterr()
    assert main(RACE) == 0
    assert main(["race", "--resume", folder()]) == 0
    assert training.trained == trained
    assert race_file() == first
    assert "attend=location is worse than attend=dot" in capsys.readouterr().out


def test_an_interrupted_race_goes_on(training: Training, capsys: pytest.CaptureFixture[str]) -> None:
    training.failing["location", 3] = Interrupted(2)
    assert main(RACE) == 130
    assert f"the race goes on with: lasasr race --resume {folder()}" in capsys.readouterr().err
    assert race_file()["looks"] == []
    training.failing.clear()
    assert main(["race", "--resume", folder()]) == 0
    assert training.trained.count(("location", 3)) == 2
    assert len(training.trained) == 9


def test_a_run_that_fails_stops_the_race_before_the_look(
    training: Training, capsys: pytest.CaptureFixture[str]
) -> None:
    training.failing["location", 2] = LasasrError("the disk is full")
    assert main(RACE) == 1
    err = capsys.readouterr().err
    assert "the disk is full" in err
    assert "1 run(s) failed, see above, and no look is taken without them" in err
    assert race_file()["looks"] == []
    training.failing.clear()
    assert main(RACE) == 0
    assert race_file()["finished"] is True


def test_a_run_that_diverges_is_a_seed_without_a_result(training: Training, capsys: pytest.CaptureFixture[str]) -> None:
    training.rates = dict.fromkeys(RATES, 0.2)
    training.failing["location", 2] = DivergenceError("the loss is nan")
    assert main(RACE) == 0
    assert race_file()["looks"][0]["lost"] == {"attend=location": [2]}
    assert training.trained.count(("location", 2)) == 1
    assert "Diverged, so without a result: attend=location seed 2." in capsys.readouterr().out


def test_the_hours_end_it_before_a_look_that_does_not_fit(
    training: Training, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RACE, "--hours", "3"]) == 0
    assert training.trained == [("dot", 1)]  # it tells how long a run takes: 8 of half an hour
    assert "the next look needs 7 more run(s), about 3.50 h, and 2.50 h of 3 h are left" in capsys.readouterr().out
    assert race_file()["finished"] is False
    assert main([*RACE, "--hours", "4"]) == 0
    assert race_file()["finished"] is True


def test_what_was_declared_cannot_change(training: Training, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RACE) == 0
    assert main([*RACE[:4], "1", *RACE[5:]]) == 1
    assert "was declared with other points; go on as it was declared" in capsys.readouterr().err
    assert main(["race", "--resume", folder(), "--difference", "1"]) == 2
    assert "--difference was declared when the race began and cannot change" in capsys.readouterr().err


def test_a_recipe_that_was_edited_is_refused(
    training: Training, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(RACE) == 0
    path = tmp_path / "shipped" / "recipes" / "synthetic" / "las_char.yaml"
    path.write_text(path.read_text().replace("layers: 2", "layers: 4"))
    assert main(RACE) == 1
    err = capsys.readouterr().err
    assert "has changed since the race in" in err
    assert "(listen.layers)" in err
    assert main(["race", "--resume", folder()]) == 0  # by the configuration that it was begun with


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["race", RECIPE, "attend=dot,location"], "race needs --difference POINTS and --most-seeds N"),
        ([*RACE, "seed=1,2"], "seed=1,2: a race chooses the seeds"),
        ([*RACE, "hydra/launcher=basic"], "hydra/launcher=basic has no effect on a race"),
        ([*RACE[:5], "--most-seeds", "3"], "--most-seeds must be 4 to 100, got 3"),
        ([*RACE[:3], "--difference", "nan", "--most-seeds", "6"], "--difference must be above 0, got nan"),
        ([*RACE, "--hours", "0"], "--hours must be above 0, got 0"),
        (["race", RECIPE, "attend=dot", *RACE[3:]], "a race needs at least two systems"),
        (["race"], "race takes a RECIPE, or --resume SWEEP"),
    ],
)
def test_what_makes_no_race_is_refused(
    arguments: list[str], message: str, training: Training, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert training.trained == []


def test_its_comparison_has_the_p_of_the_race(training: Training, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RACE) == 0
    assert main(["compare", folder()]) == 0
    content = json.loads(Path(folder(), "comparison.json").read_text())
    (pair,) = content["pairs"]
    (entry,) = race_file()["found"]
    assert (entry["worse"], entry["better"]) == ("attend=location", "attend=dot")
    assert pair["systems"]["p_holm"] == pytest.approx(entry["level"])
    assert pair["systems"]["p_holm"] != pytest.approx(pair["systems"]["p"])
    assert content["missing"] == []
    assert (
        "this was a race with up to 6 seeds and a relevant difference of 2 points: 1 looks, 8 of 12 runs"
        in (content["notes"])
    )
    assert main(["compare", folder(), folder()]) == 2
    assert "is a race and is compared alone" in capsys.readouterr().err


def test_without_a_look_its_comparison_finds_nothing(training: Training) -> None:
    """Before the first look nothing has been tested, so that no pair has a p below 1."""
    training.failing["location", 4] = LasasrError("stopped")
    assert main(RACE) == 1
    assert main(["compare", folder()]) == 0
    content = json.loads(Path(folder(), "comparison.json").read_text())
    assert content["pairs"][0]["systems"] is None or content["pairs"][0]["systems"]["p_holm"] == 1.0
    assert content["pairs"][0]["verdict"] in ("cannot decide", "no difference shown")
    assert any("0 looks, 7 of 12 runs, not finished" in note for note in content["notes"])


def test_too_few_speakers_are_refused_after_the_first_run(
    training: Training, capsys: pytest.CaptureFixture[str]
) -> None:
    training.speakers = 4
    assert main(RACE) == 1
    assert "no number of seeds decides this race: 4 speakers cannot give p < 0.125" in capsys.readouterr().err
    assert training.trained == [("dot", 1)]
