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
from lasasr.search.beam import BeamSearch
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


def test_another_search_can_be_exported_and_nothing_else(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", str(source), "search=beam", "search.beam=3", "--out", str(out)]) == 0
    exported, before = Recognizer.load(out), Recognizer.load(source)
    assert isinstance(exported.search, BeamSearch)
    assert not isinstance(before.search, BeamSearch)
    assert exported.search.beam == 3
    for name, weight in before.state_dict().items():
        assert weight.equal(exported.state_dict()[name])
    capsys.readouterr()
    for words, reason in (
        (["attend=dot"], "only search can be changed"),
        (["search.beem=3"], "unknown key search.beem"),
        (["listen.bundle=reference"], "listen.bundle=reference: this encoder has no weights that came from elsewhere"),
        (["listen.bundle=reference", "--onnx"], "listen.bundle=reference is of bundles, and --onnx writes graphs"),
        ([str(source)], "one run is exported at a time"),
        (["search=beam", "--hub", "--license", "mit"], "the results on a model card are of the run's own search"),
    ):
        assert main(["export", str(source), *words, "--out", str(tmp_path / "other")]) == 2
        assert reason in capsys.readouterr().err
        assert not (tmp_path / "other").exists()


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
