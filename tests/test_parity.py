"""`make parity` without the peers: how checks end, what is written, and that a difference is seen."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import math
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from shipped_parts import names, with_presets
from torch import nn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from parity import __main__ as runner  # noqa: E402
from parity import attending, attention_espnet, cells, check, matched, peers, sctk, table  # noqa: E402
from parity.check import Check, NotReproduced, Row  # noqa: E402

CHECKS = {subject: importlib.import_module(f"parity.{subject}").checks() for subject in runner.SUBJECTS}


def missing() -> float:
    raise ImportError("No module named 'elsewhere'")


@pytest.mark.parametrize(
    ("checked", "version", "state", "peer", "difference", "note"),
    [
        (Check("c", "torch", lambda: 1e-12, "as it is"), "2", "equal", "torch 2", 1e-12, "as it is"),
        (Check("c", "torch", lambda: 1e-3, "far"), "2", "different", "torch 2", 1e-3, "more than 1e-10. far"),
        (Check("c", "torch", lambda: 1e-3, most=1e-2), "2", "equal", "torch 2", 1e-3, ""),
        (Check("c", "torch", lambda: math.nan), "2", "different", "torch 2", math.nan, "more than 1e-10."),
        (Check("c", "torch", missing), None, "skipped", "torch", None, "not here"),
        (Check("c", "torch", missing), "2", "skipped", "torch 2", None, "cannot be imported: No module"),
        (NotReproduced("c", "torch", "other"), "2", "not reproduced", "torch 2", None, "other"),
        (NotReproduced("c", "torch", "other"), None, "not reproduced", "torch", None, "other"),
        (NotReproduced("c", "torch", "other", lambda: 3.0), "2", "not reproduced", "torch 2", 3.0, "other"),
        (NotReproduced("c", "torch", "other", missing), None, "not reproduced", "torch", None, "other"),
    ],
)
def test_how_a_check_ends(
    checked: Any, version: str | None, state: str, peer: str, difference: float | None, note: str
) -> None:
    row = check.run(checked, version, "not here")
    assert (row.name, row.peer, row.state) == ("c", peer, state)
    assert row.note.startswith(note)
    assert row.difference == pytest.approx(difference, nan_ok=True)


def test_what_is_lacking_in_lasasr_itself_is_not_skipped() -> None:
    def measure() -> float:
        from lasasr.attend.content import NoSuchAttention

        return float(NoSuchAttention)

    with pytest.raises(ImportError, match="NoSuchAttention"):
        check.run(Check("c", "torch", measure), "2", "not here")


ROWS = [
    Row("one", "torch 2", "equal", 2e-12, ""),
    Row("two | three", "ESPnet 1", "different", 0.5, "more than 1e-10. why | so"),
    Row("four", "sctk", "skipped", None, "not installed: apt install sctk"),
    Row("five", "sctk", "skipped", None, "not installed: apt install sctk"),
    Row("six", "ESPnet 1", "not reproduced", None, "otherwise"),
    Row("seven", "ESPnet 1", "not reproduced", 46.0, "otherwise"),
]


def test_the_line_counts_what_was_compared() -> None:
    reasons = "(sctk not installed: apt install sctk)"
    assert table.line(ROWS) == f"parity checks 2 | equal 1 | largest difference 5.0e-01 | skipped 2 {reasons}"
    assert table.line(ROWS[:1]) == "parity checks 1 | equal 1 | largest difference 2.0e-12 | skipped 0"
    assert table.line(ROWS[2:4]).startswith("parity checks 0 | equal 0 | largest difference none | skipped 2")
    broken = Row("nan", "torch 2", "different", math.nan, "")
    assert "largest difference nan" in table.line([ROWS[0], broken, ROWS[1]])
    assert "largest difference inf" in table.line([broken._replace(difference=math.inf), ROWS[1]])


def test_the_table_stands_between_its_marks() -> None:
    page = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    written = table.replaced(page, ROWS, "Written by a test.")
    assert written.startswith(f"before\n{table.BEGIN}\nWritten by a test.\n\n    {table.line(ROWS)}\n\n| check |")
    assert written.endswith(f"{table.END}\nafter\n")
    assert "old" not in written
    lines = written.splitlines()
    assert "| one | torch 2 | 2.0e-12 |  |" in lines
    assert "| two \\| three | ESPnet 1 | different: 5.0e-01 | more than 1e-10. why \\| so |" in lines
    assert "| four | sctk | skipped | not installed: apt install sctk |" in lines
    assert "| six | ESPnet 1 | not reproduced | otherwise |" in lines
    assert "| seven | ESPnet 1 | not reproduced: 46 | otherwise |" in lines
    assert table.replaced(written, ROWS, "Written by a test.") == written
    with pytest.raises(ValueError, match="once each"):
        table.replaced("a page without marks", ROWS, "")


def test_every_subject_can_be_asked_without_its_peers() -> None:
    assert {row.peer for checks in CHECKS.values() for row in checks} <= set(peers.PEERS)
    for subject, checks in CHECKS.items():
        rows = [(row.name, row.peer) for row in checks]
        assert len(set(rows)) == len(rows), subject
        assert any(isinstance(row, Check) for row in checks), subject


def test_the_page_holds_the_row_of_every_check() -> None:
    page = runner.PAGE.read_text(encoding="utf-8")
    for row in (row for checks in CHECKS.values() for row in checks):
        assert f"| {row.name} | {row.peer} " in page, f"{row.name} is not in docs/parity.md; run make parity"


def test_every_preset_is_compared_with_its_class() -> None:
    compared = [row.name for row in CHECKS["attention_espnet"]]
    presets = {*with_presets("attend")} - {*names("attend")} | {"location_espnet"}
    for preset in presets:
        assert any(name.endswith(f"`attend={preset}`") for name in compared), preset
    assert len(presets) == 10


def test_what_is_installed_is_compared_and_the_rest_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def version(peer: str) -> str | None:
        return "1" if peer == "torch" else None

    monkeypatch.setattr(peers, "version", version)
    monkeypatch.setattr(sys, "argv", ["parity", "--only", "cells", "schedules"])
    before = runner.PAGE.read_bytes()
    assert runner.main() == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("parity checks 3 | equal 3 | largest difference ")
    assert runner.PAGE.read_bytes() == before

    wrong = Check("wrong", "torch", lambda: 1.0)
    monkeypatch.setattr(cells, "checks", lambda: [wrong])
    assert runner.main() == 1
    assert "parity checks 2 | equal 1 | largest difference 1 |" in capsys.readouterr().out


class _Doubled(nn.Linear):
    """2 (W x + b), perhaps without the gradient of a part of it."""

    def __init__(self, cut: bool = False) -> None:
        super().__init__(3, 2)
        self.cut = cut

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        once = super().forward(input)
        return once + (once.detach() if self.cut else once)


def _distance(theirs: nn.Module, factor: float) -> float:
    def mapping(parameters: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"weight": factor * parameters["weight"], "bias": 2 * parameters["bias"]}

    torch.manual_seed(0)
    inputs = (torch.randn(4, 3, dtype=torch.double, requires_grad=True),)
    return matched.difference(nn.Linear(3, 2), theirs, mapping, lambda m, x: [m(x)], lambda m, x: [m(x)], inputs)


def test_values_and_gradients_are_compared() -> None:
    assert _distance(_Doubled(), 2.0) < 1e-15
    assert _distance(_Doubled(), 2.000001) > 1e-7
    assert _distance(_Doubled(cut=True), 2.0) > 0.1  # the same values, other gradients


def test_a_mapping_must_give_every_weight() -> None:
    difference = partial(matched.difference, nn.Linear(3, 2), nn.Linear(3, 2))
    with pytest.raises(RuntimeError, match="bias"):
        difference(
            lambda p: {"weight": p["weight"]}, lambda m, x: [m(x)], lambda m, x: [m(x)], (torch.ones(1, 3).double(),)
        )


class _AdditivePeer(nn.Module):
    """ESPnet's `AttAdd` from its definition, one utterance after another."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.mlp_enc = nn.Linear(attending.ENCODED_DIM, 320)
        self.mlp_dec = nn.Linear(attending.QUERY_DIM, 320, bias=False)
        self.gvec = nn.Linear(320, 1)

    def forward(self, encoded: torch.Tensor, lengths: torch.Tensor, queries: torch.Tensor) -> list[torch.Tensor]:
        contexts, weights = [], []
        for query in queries:
            energy = self.gvec(torch.tanh(self.mlp_enc(encoded) + self.mlp_dec(query)[:, None]))[..., 0]
            energy = energy.masked_fill(torch.arange(encoded.shape[1]) >= lengths[:, None], -math.inf)
            weights.append((self.scale * energy).softmax(-1)[:, None])
            contexts.append((weights[-1] @ encoded)[:, 0])
        return [torch.stack(contexts), torch.stack(weights)]


@pytest.mark.parametrize(("scale", "least", "most"), [(2.0, 0.0, 1e-13), (1.9, 1e-4, 10.0)])
def test_a_preset_is_compared_as_it_is_shipped(scale: float, least: float, most: float) -> None:
    torch.manual_seed(0)
    additive, theirs = attending.preset("additive_espnet"), _AdditivePeer(scale)
    run = lambda module, *inputs: module(*inputs)  # noqa: E731
    mapping = attention_espnet._additive
    largest = matched.difference(additive, theirs, mapping, attending.attend, run, attending.inputs((32, 16)))
    assert least <= largest <= most


SGML = """<SYSTEM title="A">
<SPEAKER id="s1">
<PATH id="(s1_u1)" word_cnt="3" sequence="0">
C,"a","a":S,"c","x":D,"d",
</PATH>
<PATH id="(s1_u2)" word_cnt="0" sequence="1">

</PATH>
<PATH id="(s1_u3)" word_cnt="2" sequence="2">
I,,"q":C,"b","b"
</PATH>
</SPEAKER>
</SYSTEM>
"""


def test_what_sclite_and_sc_stats_print_is_read() -> None:
    assert sctk.alignments(SGML) == [[("a", "a"), ("c", "x"), ("d", None)], [], [(None, "q"), ("b", "b")]]
    assert [kind for kind, _, _ in sctk.words(SGML)] == ["C", "S", "D", "I", "C"]
    result = "(systems: A B) (# segs: 6) (Seg per Sent: 1.500) (mean: -0.250) (std dev: 1.095) (Z Stat: -0.559) (x)"
    assert sctk.printed(f"before\nMTCH_PR_RESULTS {result}\nafter") == (6, -0.25, 1.095, -0.559)
    with pytest.raises(ValueError, match="sc_stats printed no result: 'Error: nothing'"):
        sctk.printed("Error: nothing")


@pytest.mark.skipif(peers.version("sctk") is None, reason="sctk is not installed")
def test_sctk_is_asked() -> None:
    references, first, second = ["a b c d e", "a b"], ["a x c d e", "a b b"], ["a b c d e", "a"]
    report = sctk.sgml(references, {"first": first, "second": second})
    assert [len(pairs) for pairs in sctk.alignments(report)] == [5, 3, 5, 2]
    assert sctk.matched_pairs(report).segments == 2


def test_a_peer_says_its_version_or_why_it_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert peers.version("torch") == importlib.metadata.version("torch")
    monkeypatch.setitem(peers.DISTRIBUTIONS, "KenLM", "no-such-distribution")
    assert peers.version("KenLM") is None
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert peers.reason("KenLM") == "not installed: run make peers"
    (tmp_path / peers.REASONS).write_text(json.dumps({"no-such-distribution": "error: no compiler"}))
    assert peers.reason("KenLM") == "not installed: error: no compiler"
    monkeypatch.setattr(peers, "program", lambda name: None)
    assert (peers.version("sctk"), peers.reason("sctk")) == (None, "not installed: apt install sctk")


def test_the_peers_have_versions() -> None:
    wanted = peers.requirements(peers.REQUIREMENTS.read_text(encoding="utf-8"))
    assert all("==" in requirement for requirement in wanted)
    ours = {"torch", "torchaudio", "scipy", "numpy", "jiwer"}
    assert set(peers.DISTRIBUTIONS.values()) - ours <= {requirement.split("==")[0] for requirement in wanted}


def test_one_that_cannot_be_installed_keeps_out_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[list[str]] = []

    def pip(words: list[str], **_: Any) -> Any:
        wanted = words[words.index("--no-deps") + 1 :]
        calls.append(wanted)
        failed = any(requirement.startswith("kenlm") for requirement in wanted)
        return SimpleNamespace(returncode=int(failed), stderr="building\nerror: no compiler\nnote: ask elsewhere\n")

    def create(folder: Path, **_: Any) -> None:
        (folder / "lib").mkdir(parents=True)

    monkeypatch.setattr(peers.venv, "create", create)
    monkeypatch.setattr(peers.subprocess, "run", pip)
    monkeypatch.setattr(peers.sysconfig, "get_path", lambda name, scheme, vars: f"{vars['base']}/lib")
    assert peers.install(tmp_path / "peers") == {"kenlm": "error: no compiler"}
    assert json.loads((tmp_path / "peers" / peers.REASONS).read_text()) == {"kenlm": "error: no compiler"}
    wanted = peers.requirements(peers.REQUIREMENTS.read_text(encoding="utf-8"))
    assert calls == [wanted, *([requirement] for requirement in wanted)]
    beside = (tmp_path / "peers" / "lib" / "beside.pth").read_text()
    assert all(line.startswith("import site; site.addsitedir(") for line in beside.splitlines())
