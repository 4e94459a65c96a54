"""What a comparison says of runs that were trained on other data, in another precision, by other code or elsewhere."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import write_run

from lasasr.cli.main import main
from lasasr.comparison.conditions import condition_notes
from lasasr.comparison.entries import DecodedRun, find
from lasasr.comparison.grouping import groups

SAID = {
    "train": "the content of train differs",
    "precision": "the precision of training differs",
    "commit": "the code that trained them differs",
}


def facts(name: str, value: str | None) -> dict[str, Any]:
    """Of a card that knows only this, or not even this."""
    if name == "commit":
        return {"commit": value, "versions": {}}
    if name == "train":
        return {"data": {"splits": {"train": {"content": value}}} if value else {}}
    return {name: value}


@pytest.mark.parametrize("name", SAID)
def test_every_way_in_which_two_systems_of_two_seeds_may_differ(name: str, tmp_path: Path) -> None:
    """Against the rule in other words: code may differ among seeds, if it does so in both systems alike."""
    values = ("a" * 40, "b" * 40, None)
    runs = {
        (attend, seed, value): write_run(tmp_path / str(value), attend, seed, facts=facts(name, value)).folder
        for attend in ("dot", "none")
        for seed in (1, 2)
        for value in values
    }
    decoded = {key: find([folder]).runs[0] for key, folder in runs.items()}
    for chosen in itertools.product(values, repeat=4):
        keys = list(zip(("dot", "dot", "none", "none"), (1, 2, 1, 2), chosen, strict=True))
        systems = [(attend, [decoded[key] for key in keys if key[0] == attend]) for attend in ("dot", "none")]
        notes = [note for note in condition_notes(systems) if note.startswith(SAID[name])]
        of_dot, of_none = ({value for value in half if value} for half in (chosen[:2], chosen[2:]))
        unlike = bool(of_dot and of_none and of_dot != of_none)
        if name != "commit":
            unlike = len(of_dot | of_none) > 1
        assert len(notes) == unlike, chosen
        for attend, seed, value in keys if notes else []:
            if value is None:
                continue
            shown = value[:7] if name == "commit" else value
            (holders,) = (part.partition(")")[0] for part in notes[0].split(f"{shown} (")[1:])
            alone = len(of_dot if attend == "dot" else of_none) == 1
            assert attend in holders if alone else f"{attend} seed" in holders, notes
            assert alone or str(seed) in holders, notes


def test_both_compare_and_diff_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    hardware = {"processor": "one", "cores": 2, "gpus": []}
    known = facts("train", "a" * 16) | {"precision": "32-true", "hardware": hardware, "versions": {"torch": "2.0"}}
    other = facts("train", "b" * 16) | {
        "precision": "bf16-mixed",
        "hardware": {**hardware, "gpus": ["H"]},
        "versions": {"torch": "3.0"},
    }
    same = [str(write_run(Path("runs"), attend, facts=known).folder) for attend in ("dot", "none")]
    unlike = str(write_run(Path("runs"), "gmm", facts=other).folder)
    assert groups(find(list(map(Path, same))))[1] == []
    for verb in ("compare", "diff"):
        assert main([verb, same[0], unlike]) == 0
        told = " ".join(capsys.readouterr().out.split())
        for note in (
            f"the content of train differs: {'a' * 16}",
            "the precision of training differs: 32-true",
            "the version of torch differs: 2.0",
            "on different machines, so that times cannot be compared: 2 cores of one",
            "1 × H, 2 cores of one",
        ):
            assert note in told, (verb, told)


def test_seeds_are_listed_by_their_size_and_one_core_is_no_cores(tmp_path: Path) -> None:
    def decoded(attend: str, seed: int, cores: int) -> DecodedRun:
        known = {"hardware": {"processor": "one", "cores": cores, "gpus": []}}
        return find([write_run(tmp_path, attend, seed, facts=known).folder]).runs[0]

    some = [decoded("dot", seed, 2 if seed == 3 else 1) for seed in (10, 3, 2)]
    (note,) = condition_notes([("dot", some), ("none", [decoded("none", 2, 2)])])
    assert "1 core of one (dot seed 2, 10)" in note
    assert "2 cores of one (dot seed 3, none)" in note
