"""Devices that are asked for by name: what torch can compute on is taken, all else is one line with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_recognizer import parts

from lasasr.artifacts import hub
from lasasr.errors import LasasrError, UsageError
from lasasr.models.recognizer import Recognizer
from lasasr.nn import devices
from lasasr.nn.conformance import Measured, findings
from lasasr.text.character import CharacterTokenizer


def works(name: str) -> bool:
    """Whether torch can compute there."""
    try:
        return bool((torch.ones(2, device=name) + 1).sum().item() == 4)
    except (RuntimeError, AssertionError, ImportError):
        return False


def test_available_are_those_on_which_torch_computes() -> None:
    candidates = ["cpu", "mps", *(f"cuda:{number}" for number in range(torch.cuda.device_count() + 2))]
    assert devices.available() == [name for name in candidates if works(name)]


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "mps", "xpu", "hpu", "meta"])
def test_a_device_is_usable_where_torch_computes_on_it(name: str) -> None:
    if works(name):
        assert devices.usable(name) == name
        assert devices.usable(torch.device(name)) == name
    else:
        with pytest.raises(LasasrError, match=f"^device={name} cannot be used here ") as raised:
            devices.usable(name)
        assert "\n" not in str(raised.value)
        assert "write device=" in str(raised.value)


@pytest.mark.parametrize("name", ["gpu7", "", "cuda:x", "cuda:-1"])
def test_what_is_no_device_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError) as raised:
        devices.usable(name)
    assert str(raised.value).startswith(f"device={name}: write cpu, cuda, cuda:1 or auto; torch has cpu")


@pytest.mark.parametrize("name", ["gpu7", "cuda:99"])
def test_a_recognizer_looks_for_its_device_before_anything_is_fetched_or_read(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hub, "fetch", lambda *_: pytest.fail("fetched"))
    for load in (Recognizer.load, Recognizer.from_pretrained):
        with pytest.raises(LasasrError, match=f"^device={name}.*torch has cpu"):
            load(tmp_path / "none", device=name)


def test_a_recognizer_takes_the_device_that_auto_stands_for(tmp_path: Path) -> None:
    Recognizer.build(parts(0.3), CharacterTokenizer.train(["ab"]), "none/1").save(tmp_path / "bundle")
    expected = torch.device("cuda" if torch.cuda.is_available() else "cpu").type
    assert next(Recognizer.load(tmp_path / "bundle", "auto").parameters()).device.type == expected


def test_a_device_that_is_not_there_is_no_broken_promise() -> None:
    with pytest.raises(LasasrError, match="device=cuda:99 cannot be used here"):
        next(findings({"a": lambda trial: Measured(True, "")}, lambda: None, "cuda:99"))
