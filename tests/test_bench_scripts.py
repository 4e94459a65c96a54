"""What the benchmarks measure can be built: each one's cases, and one small run of the search's from its command."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torchaudio_reference import torchaudio

SCRIPTS = Path(__file__).parents[1] / "scripts"
COMMANDS = (
    "bench", "bench_check", "bench_decode", "bench_encoded", "bench_memory", "bench_peers", "bench_ranks",
    "bench_scale", "bench_siblings"
)  # fmt: skip
SECTIONS = (
    "training", "decoder", "encoder", "conformer", "attention", "growth", "features", "loader", "scoring"
)  # fmt: skip
TINY = "--frames 9 --tokens 5 --vocabulary 12 --beam 3 --decoder-dim 8 --encoded-dim 6 --attention-dim 4 --repeats 1"


@pytest.fixture(autouse=True)
def script_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(SCRIPTS)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def bench() -> tuple[ModuleType, dict[str, object]]:
    script, models = importlib.import_module("bench"), importlib.import_module("bench_models")
    return script, script.sections(models.Bench(models.SMALL, torch.device("cpu")), True)


def test_every_benchmark_with_a_command_is_tried_here() -> None:
    assert sorted(path.stem for path in SCRIPTS.glob("bench*.py") if "__main__" in path.read_text()) == [*COMMANDS]
    assert tuple(bench()[1]) == SECTIONS


@pytest.mark.parametrize("section", ["training", "encoder"])
def test_what_onednn_has_no_lstm_for_is_left_out_and_said(
    section: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sections: Any = bench()[1]
    monkeypatch.setattr(importlib.import_module("bench_models"), "onednn_computes", lambda dtype: False)
    names = [case.name for cases in sections[section]() for case in cases]
    assert names
    assert not any("bfloat16" in name for name in names)
    assert capsys.readouterr().out.count("no cases in bfloat16: oneDNN has no such LSTM") == 1


@pytest.mark.parametrize("name", ["bench", "bench_decode", "bench_peers"])
def test_a_device_that_is_not_there_is_refused_in_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--device", "cuda:99"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(name).main()
    assert ended.value.code == 2
    assert "error: argument --device: cuda:99 cannot be used here (" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_benchmark_says_how_to_call_it(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(name).main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")


@pytest.mark.parametrize("section", SECTIONS)
def test_all_cases_of_a_section_can_be_built(section: str) -> None:
    if section == "features":
        torchaudio()  # that lasasr is compared with
    groups = [[case.name for case in cases] for cases in bench()[1][section]()]
    assert groups
    assert all(len(names) == len(set(names)) > 0 for names in groups)


def test_the_benchmark_of_search_makes_hypotheses_of_its_length_and_writes_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = importlib.import_module("bench_decode")
    monkeypatch.setattr(
        sys, "argv", ["bench_decode.py", *TINY.split(), "--batches", "1", "2", "--json", str(tmp_path / "figures.json")]
    )
    script.main()
    assert "batch  2" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["complete"] is True
    assert [row["batch"] for row in figures["rows"]] == [1, 2]
    options = type("Options", (), {"encoded_dim": 6, "vocabulary": 12, "device": "cpu"})
    nbests = script.searching(3, 5, 1.0)(None, script.utterances(2, 9, options))
    assert [[len(hypothesis.tokens) for hypothesis in nbest] for nbest in nbests] == [[5], [5]]


@pytest.mark.parametrize("name", ["bench", "bench_decode", "bench_peers"])
def test_an_interrupted_benchmark_leaves_what_it_has_measured(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, measured = importlib.import_module(name), importlib.import_module("bench_measure")
    path = tmp_path / "figures.json"
    row = measured.Row("training", "case", 1, 1.0, (1.0, 1.0), 1.0, "case", 1.0, (1.0, 1.0), 1.0, None)
    rows = {"bench": [row], "bench_decode": {"batch": 1}, "bench_peers": [{"case": "case"}]}
    outcomes = iter([rows[name], KeyboardInterrupt()])

    def measure(*_: object) -> object:
        outcome = next(outcomes)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    groups = [("decode", []), ("train", [])]
    case = measured.Case("case", int, "case")
    words = {
        "bench": ["training"],
        "bench_decode": ["--batches", "1", "2"],
        "bench_peers": ["--work", "conformer-fixed"],
    }
    monkeypatch.setattr(script, "measure", measure)
    monkeypatch.setattr(logging, "disable", lambda level: None)
    replaced: dict[str, Any] = {
        "sections": lambda *_: {"training": lambda: [[case], [case]]},
        "line": str,
        "missing": list,
        "works": lambda *_: groups,
    }
    for key, value in replaced.items():
        if hasattr(script, key):
            monkeypatch.setattr(script, key, value)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *words[name], "--json", str(path)])
    with pytest.raises(KeyboardInterrupt):
        script.main()
    figures = json.loads(path.read_text())
    assert figures["complete"] is False
    assert len(figures["rows"]) == 1


def test_lasasrs_part_of_the_benchmark_beside_peers_can_be_built() -> None:
    """Its own side only: the peers lie in an environment of their own (`make peers`)."""
    script, conformer = importlib.import_module("bench_peers"), importlib.import_module("bench_peers_conformer")
    toolkits = [script.ours()]
    assert [case.name for case in script.decoding(toolkits, 2, "cpu")]
    assert [case.name for case in script.training(toolkits, 2, script.SHORTEST, "cpu")]
    assert conformer.ours().name == script.OURS
