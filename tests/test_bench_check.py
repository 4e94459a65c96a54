"""What `make bench-check` calls worse, what it stores and under which name; its speeds are not tested."""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
ALL_HELD = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
FLAGS = {"avx512_bf16": "avx2 fma avx512f avx512bw avx512dq avx512vl avx512_bf16", "avx2": "sse2 avx2 fma"}


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    for name in ALL_HELD:
        monkeypatch.delenv(name, raising=False)
    return importlib.import_module("bench_check")


@pytest.mark.parametrize(
    ("flags", "held", "expected"),
    [
        ("avx512_bf16", {}, "avx512_bf16"),
        ("avx2", {}, "avx2"),
        ("avx512_bf16", ALL_HELD, "avx2_imitated_on_avx512_bf16"),
        ("avx2", ALL_HELD, "avx2"),  # which has nothing to be held to
    ],
)
def test_a_processor_has_the_name_of_its_widest_instructions(
    check: ModuleType, flags: str, held: dict[str, str], expected: str
) -> None:
    assert check.kind(FLAGS[flags].split(), held) == expected


def test_a_processor_that_is_held_in_part_or_unknown_is_refused(check: ModuleType) -> None:
    with pytest.raises(ValueError, match="in part only: set ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL"):
        check.kind(FLAGS["avx2"].split(), {"ATEN_CPU_CAPABILITY": "avx2"})
    with pytest.raises(ValueError, match="of no kind that is told apart: amx_bf16, avx512_bf16"):
        check.kind(["sse2"], {})


def test_every_stored_file_says_where_it_comes_from(check: ModuleType) -> None:
    files = sorted(check.STORED.glob("*.json"))
    assert files
    for path in files:
        stored = json.loads(path.read_text())
        assert stored["kind"] == path.stem
        assert set(check.KINDS) & {path.stem.rpartition("_on_")[2], path.stem}
        assert all(stored[key] for key in ("command", "commit", "processor", "flags", "torch"))
        held = dict(pair.split("=") for pair in (stored["held_to"] or "").split())
        assert check.kind(stored["flags"].split(), held) == path.stem
        assert check.read(path) == stored["ratios"]


class Rounds:
    """Ratios in place of measured ones: of each case a list, of the first rounds and of all after the second."""

    def __init__(self) -> None:
        self.ratios: dict[str, tuple[float, float]] = {}
        self.calls = 0

    def timed(self, cases: list[Any]) -> list[Any]:
        self.calls += 1
        values = {"floor": 1.0} | {case: both[self.calls - 1] for case, both in self.ratios.items()}
        return [type("Row", (), {"case": case, "floor": "floor", "cpu_ratio": value}) for case, value in values.items()]


@pytest.fixture
def rounds(check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Rounds:
    rounds = Rounds()
    monkeypatch.setattr(check, "groups", lambda bf16: [check.Group("work", [], nullcontext())])
    monkeypatch.setattr(check, "timed", rounds.timed)
    monkeypatch.setattr(check, "processor", lambda: ("a processor", FLAGS["avx2"].split()))
    monkeypatch.setattr(check.torch, "set_num_threads", lambda count: None)
    return rounds


def called(check: ModuleType, rounds: Rounds, *arguments: object, **ratios: tuple[float, float]) -> int | str | None:
    """The exit status of the command, which measures these ratios."""
    rounds.ratios, rounds.calls = ratios, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["bench_check.py", *map(str, arguments)])
        try:
            check.main()
        except SystemExit as end:
            return end.code
    return 0


def test_what_is_stored_is_compared(
    check: ModuleType, rounds: Rounds, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = "--folder", tmp_path / "ratios"
    refused = str(called(check, rounds, *folder, one=(1.0, 1.0)))
    assert "no ratios are stored for processors of the kind avx2 (there are none)" in refused
    assert "--write" in refused
    assert called(check, rounds, *folder, "--write", one=(1.0, 1.0), two=(2.0, 2.0)) == 0
    assert check.read(tmp_path / "ratios" / "avx2.json") == {"work: one": 1.0, "work: two": 2.0}

    capsys.readouterr()
    assert called(check, rounds, *folder, one=(1.09, 9.0), two=(1.0, 9.0)) == 0
    assert rounds.calls == 1
    assert "0 of 2 cases take more than 10% more than stored" in capsys.readouterr().out

    assert called(check, rounds, *folder, one=(1.0, 1.0), two=(2.3, 2.21)) == 1
    assert rounds.calls == 2  # what is worse is looked at twice
    output = capsys.readouterr().out
    assert "! work: two" in output
    assert "! work: one" not in output
    assert "1 of 2 cases" in output

    assert called(check, rounds, *folder, one=(1.0, 1.0), two=(2.3, 2.1)) == 0  # it was chance

    assert called(check, rounds, *folder, one=(1.0, 1.0), three=(1.0, 1.0)) == 0
    output = capsys.readouterr().out
    assert "not measured any more: work: two" in output
    assert "not stored yet: work: three" in output


@pytest.mark.parametrize("content", ["[]", '{"ratios": {"work: one": "1.0"}}', '{"ratios": {"work: one": -1.0}}', "{"])
def test_a_damaged_file_is_named(check: ModuleType, rounds: Rounds, tmp_path: Path, content: str) -> None:
    (tmp_path / "avx2.json").write_text(content)
    assert "avx2.json" in str(called(check, rounds, "--folder", tmp_path, one=(1.0, 1.0)))


def test_its_cases_can_be_built_and_have_floors_of_their_own_group(check: ModuleType) -> None:
    for bf16 in (True, False):
        names = []
        for group in check.groups(bf16):
            own = [case.name for case in group.cases]
            assert {case.floor for case in group.cases} <= set(own)
            assert not any(case.wide for case in group.cases)
            names += [f"{group.title}: {name}" for name in own]
        assert len(names) == len(set(names))
        assert any("bfloat16" in name for name in names) == bf16
