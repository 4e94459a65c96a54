"""The grid of `lasasr evaluate -m`: every search once, with the options it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lasasr.artifacts.run_choice import run_for
from lasasr.cli.compose import compose, expand_stored
from lasasr.cli.evaluate import _differing, _refuse_fixed_keys, _without_idle
from lasasr.cli.main import main
from lasasr.configuration.settings import Recognition
from lasasr.errors import UsageError

SEARCHES: dict[str, dict[str, Any]] = {
    "search=greedy": {"limits": {"max_length": None}},
    "search=beam": {"beam": 10, "pruning": {"pre_beam": None}, "limits": {"max_length": None}},
}


def grid(*overrides: str) -> list[list[str]]:
    return expand_stored({"recipe": "mine", "choices": {"search": "beam"}}, overrides)


def jobs(*overrides: str) -> list[list[str]]:
    return _without_idle(grid(*overrides), lambda job: SEARCHES[job[0]])


def test_a_search_is_not_asked_for_what_it_does_not_have() -> None:
    assert jobs("search=greedy,beam", "search.beam=4,10") == [
        ["search=greedy"],
        ["search=beam", "search.beam=4"],
        ["search=beam", "search.beam=10"],
    ]
    assert jobs("search=greedy,beam", "search.pruning.pre_beam=5", "search.limits.max_length=3") == [
        ["search=greedy", "search.limits.max_length=3"],
        ["search=beam", "search.pruning.pre_beam=5", "search.limits.max_length=3"],
    ]


def test_what_no_search_has_stays_and_is_refused_later() -> None:
    assert jobs("search=greedy,beam", "search.beem=4")[0] == ["search=greedy", "search.beem=4"]
    assert _without_idle([["search.beam=4"], ["search.beam=5"]], lambda job: {}) == [
        ["search.beam=4"],
        ["search.beam=5"],
    ]


@pytest.mark.parametrize(
    "override",
    ["search=beam", "+search.scorers.mine.weight=1", "+scorer@search.scorers.mine=mine", "hydra.searchpath=[file://x]"],
)
def test_a_search_can_be_changed_and_its_scorers(override: str) -> None:
    _refuse_fixed_keys(Recognition.task, [override])


@pytest.mark.parametrize("override", ["seed=2", "+scorer@validation.search.scorers.mine=mine", "hydra.verbose=true"])
def test_what_training_decided_cannot(override: str) -> None:
    with pytest.raises(UsageError, match="can only change search"):
        _refuse_fixed_keys(Recognition.task, [override])


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("search.beam=range(4,20,4)", ["4", "8", "12", "16"]),
        ("search.beam=choice(4,10)", ["4", "10"]),
        ("search.lm_weight=range(0.0,0.3,0.1)", ["0.0", "0.1", "0.2"]),
        ("search.lm='a,b'", ["'a,b'"]),
        ("search.lm='a,b',c", ["'a,b'", "c"]),
        ("search.scorers={x: 1, y: 2}", ["{x: 1, y: 2}"]),
        ("search.words=[a,b],[c]", ["[a,b]", "[c]"]),
        ("evaluate.splits=[dev,test]", ["[dev,test]"]),
        ("search=glob(gr*)", ["greedy"]),
    ],
)
def test_the_grid_is_of_the_grammar_of_hydra(override: str, values: list[str]) -> None:
    key = override.partition("=")[0]
    assert grid(override) == [[f"{key}={value}"] for value in values]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "search.beam=interval(4,10)",
            r"search\.beam=interval\(4,10\) is no list of values: write search\.beam=4,10 or",
        ),
        ("search.beam=rnge(4,10)", r"cannot read 'search\.beam=rnge\(4,10\)'"),
        ("search.beam=range(4,4)", r"search\.beam=range\(4,4\) stands for no value"),
        ("search=glob(no*)", r"search=glob\(no\*\) stands for no value"),
        ("search.beam=range(1,99999)", "10,000 are taken at most"),
    ],
)
def test_what_is_no_list_of_values_is_named(override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        grid("search.ctc_weight=0.3", override)


def test_jobs_are_named_by_what_differs() -> None:
    assert _differing(grid("evaluate.splits=[dev,test]", "search.beam=4,10")) == ["search.beam=4", "search.beam=10"]
    assert _differing([["search.beam=4"]]) == ["search.beam=4"]


@pytest.mark.parametrize("recipe", ["synthetic/las_char", "lm/synthetic_char"])
def test_an_unfinished_run_says_so(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LASASR_RUNS", str(tmp_path))
    config = compose(recipe)
    run = run_for(config, [])
    run.start(config, [])
    assert main(["evaluate", str(run.folder)]) == 1
    assert "has no bundle yet: its training has not finished" in capsys.readouterr().err
