"""`lasasr check` on shipped variants and on a stranger's."""

from __future__ import annotations

from pathlib import Path

import pytest

from lasasr.attend.conformance import PROMISES
from lasasr.cli import check
from lasasr.errors import UsageError

PADDING = "weights are exactly 0 on padding"
STRANGER = """
import torch
from lasasr.attend.content import DotAttention

class Stranger(DotAttention):
    def memory(self, encoded, mask):
        return super().memory(encoded, torch.ones_like(mask) if not self.energy.tanh else mask)
"""


@pytest.fixture(autouse=True)
def one_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try one promise only: the suite itself is tested in tests/attend."""
    monkeypatch.setattr("lasasr.attend.conformance.PROMISES", {PADDING: PROMISES[PADDING]})


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module and a yaml that are not ours."""
    (tmp_path / "check_stranger.py").write_text(STRANGER)
    (tmp_path / "attend").mkdir()
    yaml = "_target_: check_stranger.Stranger\n_partial_: true\ntanh: true\n"
    (tmp_path / "attend" / "stranger.yaml").write_text(yaml)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LASASR_ALLOW", "check_stranger")
    return tmp_path


def test_a_shipped_variant_is_kept_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.run(["attend=location", "attend.dim=16", "--device", "cpu"]) == 0
    title, line = capsys.readouterr().out.splitlines()
    assert title == "lasasr.attend.location.LocationAttention on cpu"
    assert line.split() == ["kept", *PADDING.split(), "0.0e+00", "<=", "0e+00"]


def test_options_of_a_shipped_variant_are_set() -> None:
    assert check.part(["attend=location", "attend.dim=16"])[1]["dim"] == 16


@pytest.mark.parametrize("prefix", ["", "attend."])
def test_a_stranger_that_breaks_a_promise_ends_with_1(
    stranger: Path, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.run([f"{prefix}_target_=check_stranger.Stranger", f"{prefix}dim=8", "--device", "cpu"]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_a_strangers_yaml_is_found_where_hydra_is_told(stranger: Path) -> None:
    assert check.run([f"hydra.searchpath=[file://{stranger}]", "attend=stranger", "--device", "cpu"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["attend=loction"], "unknown choice attend=loction; nearest: location"),
        (["attend=dot", "attend.dims=3"], "unknown key attend.dims; nearest: attend.dim"),
        (["attend=location", "attend.kernel_size=4"], "kernel_size must be odd, got 4"),
        (["_target_=unheard.of.Thing"], "outside the allowed prefixes; if you trust it: export LASASR_ALLOW=unheard"),
        (["_target_=lasasr.attend.content.DotAttention", "dims=3"], "unexpected keyword argument 'dims'"),
        (["seed=2"], "names nothing to check; write GROUP=NAME"),
        ([], "the following arguments are required: GROUP=NAME"),
    ],
)
def test_a_wrong_request_is_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        check.run(arguments)
    assert "\n" not in str(raised.value)
