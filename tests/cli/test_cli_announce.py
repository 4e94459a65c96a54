"""The line that comes before torch is loaded."""

import sys

import pytest

from lasasr.cli.announce import announce


def test_it_is_said_as_long_as_torch_is_not_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    announce("mine, seed 3", "reading the corpus")
    assert capsys.readouterr().out == "mine, seed 3: loading torch, reading the corpus ...\n"
    monkeypatch.setitem(sys.modules, "torch", sys)
    announce("mine, seed 3", "reading the corpus")
    assert capsys.readouterr().out == ""


def test_only_the_first_process_speaks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    for rank, lines in (("0", 1), ("1", 0)):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("LOCAL_RANK", rank)
        monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
        announce("mine, seed 3", "reading the corpus")
        assert len(capsys.readouterr().out.splitlines()) == lines
