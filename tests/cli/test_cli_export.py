"""`lasasr export` writes a bundle whole or not at all."""

from __future__ import annotations

import re
import resource
from pathlib import Path

import pytest
from tiny_recognizer import parts

from lasasr.artifacts import bundle
from lasasr.cli.main import main
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A bundle."""
    Recognizer.build(parts(0.4), CharacterTokenizer.train(["abc"]), "none/1").save(tmp_path / "source")
    return tmp_path / "source"


@pytest.mark.parametrize("there", [False, True])
def test_what_was_broken_off_leaves_nothing_and_is_repeated(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    out = tmp_path / "out"
    if there:
        out.mkdir()
    words = ["export", str(source), "--out", str(out)]

    def broken_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bundle.tensor_file, "save", broken_off)
        assert main(words) == 130
    assert not out.exists() or not list(out.iterdir())
    assert main(words) == 0
    assert {path.name for path in out.iterdir()} == {path.name for path in source.iterdir()}
    assert main(words) == 1  # it is not empty


def test_a_full_disk_is_named(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """safetensors has an error of its own for that; this is the real one, of a limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        assert main(["export", str(source), "--out", str(tmp_path / "out")]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert re.match(r"lasasr: cannot write .*model\.safetensors \(.*File too large.*\)", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()
