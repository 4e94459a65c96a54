"""`lasasr check` on shipped variants and on a stranger's."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from lasasr.attend.conformance import PROMISES
from lasasr.cli import check
from lasasr.errors import LasasrError
from lasasr.nn.conformance import Measured

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


def test_an_encoder_is_tried_at_the_width_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    widths = list[int]()

    def width(trial: Any) -> Measured:
        widths.append(trial.input_dim)
        return Measured(trial.encoder().input_dim == widths[-1], f"{widths[-1]} features")

    monkeypatch.setattr("lasasr.listen.conformance.PROMISES", {"width": width})
    for said, expected in (([], 80), (["+listen.input_dim=12"], 12)):
        assert check.run(["listen=pyramid", "listen.hidden_dim=4", *said, "--device", "cpu"]) == 0
        assert widths.pop() == expected
    for wrong in ("0", "x", "true"):
        with pytest.raises(LasasrError, match=r"listen\.input_dim is .*, not a whole number of at least 1"):
            check.run(["listen=pyramid", f"+listen.input_dim={wrong}", "--device", "cpu"])


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
    ("arguments", "place", "group", "options"),
    [
        (["spell=gru", "spell.layers=2"], "spell", "spell", {"layers": 2}),
        (["loss=joint", "loss.ctc_weight=0.1"], "loss", "loss", {"ctc_weight": 0.1}),
        (["loss._target_=lasasr.losses.joint.JointLoss", "loss.ctc_weight=0"], "loss", "loss", {"ctc_weight": 0}),
        (["scorer=ctc", "scorer.window=2"], "search.scorers.mine", "scorer", {"window": 2}),
        (["search.scorers.mine=ctc", "search.scorers.mine.window=2"], "search.scorers.mine", "scorer", {"window": 2}),
        (["+scorer@search.scorers.near=ctc", "scorer.window=3"], "search.scorers.near", "scorer", {"window": 3}),
        (["+search.scorers.a._target_=lasasr.search.scorer_set.LengthBonus"], "search.scorers.a", "scorer", {}),
        (["search.scorers.a._target_=lasasr.search.scorer_set.LengthBonus"], "search.scorers.a", "scorer", {}),
        (["scorer._target_=lasasr.search.scorer_set.LengthBonus"], "search.scorers.mine", "scorer", {}),
        (["hydra.searchpath=[file:///tmp]", "loss._target_=lasasr.losses.joint.JointLoss"], "loss", "loss", {}),
    ],
)
def test_losses_scorers_and_decoders_are_named_as_for_the_other_verbs(
    arguments: list[str], place: str, group: str, options: dict[str, Any]
) -> None:
    subject = check.part(arguments)
    assert (subject.group, subject.place) == (group, place)
    assert options.items() <= subject.config.items()


@pytest.mark.parametrize("group", check.GROUPS)
def test_every_suite_is_run_on_what_its_group_builds(
    group: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = importlib.import_module(check.SUITES[group])
    promise = next(iter(suite.PROMISES))
    monkeypatch.setattr(suite, "PROMISES", {promise: suite.PROMISES[promise]})
    choice = {"frontend": "fbank80", "listen": "blstm", "attend": "dot", "spell": "lstm", "loss": "ctc"}
    assert check.run([f"{group}={choice.get(group, 'ctc')}", "--device", "cpu"]) == 0
    assert promise in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scorer=cct"], "unknown choice scorer=cct; nearest: ctc"),
        (["scorer=ctc", "scorer.window=2.5"], r"search.scorers.mine.window takes a whole number \(it is 0\), got 2.5"),
        (["scorer=lm"], "lm is not set; it names a run or bundle of lasasr train lm/..."),
        (["scorer=lm", "scorer.lm=nowhere.arpa"], "the language model nowhere.arpa is missing"),
        (["search.scorers.a=ctc", "search.scorers.b=ctc"], "search.scorers.b: check one part at a time"),
        (["loss=joint", "spell=gru"], "loss, spell: check one part at a time"),
        (["loss=joint", "loss.ctc_weight=3"], r"ctc_weight must lie in \[0, 1\], got 3"),
        (["scorer._target_=lasasr.losses.joint.JointLoss"], "search.scorers.mine takes a subclass of lasasr.search"),
        (["attend=loction"], r"unknown choice attend=loction; nearest: location.*hydra\.searchpath=\[file://FOLDER\]"),
        (["attend=dot", "attend.dims=3"], "unknown key attend.dims; nearest: attend.dim"),
        (["attend=location", "attend.kernel_size=4"], "kernel_size must be odd, got 4"),
        (["_target_=unheard.of.Thing"], "outside the allowed prefixes; if you trust it: export LASASR_ALLOW=unheard"),
        (["_target_=lasasr.attend.content.DotAttention", "dims=3"], "unexpected keyword argument 'dims'"),
        (["seed=2"], "names nothing to check; write GROUP=NAME"),
        ([], "the following arguments are required: GROUP=NAME"),
    ],
)
def test_a_wrong_request_is_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(LasasrError, match=message) as raised:
        check.run(arguments)
    assert "\n" not in str(raised.value)
