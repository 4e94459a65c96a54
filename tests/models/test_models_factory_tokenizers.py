"""The class that a tokenizer.json names is imported only if it may be built, and must be one of tokenizers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lasasr.artifacts.files import write_json
from lasasr.errors import UsageError
from lasasr.models import factory
from lasasr.text.character import CharacterTokenizer


def named(folder: Path, kind: str) -> Path:
    """A tokenizer of letters that says that it is of another class."""
    CharacterTokenizer.train(["abc"]).save(folder)
    write_json(folder / "tokenizer.json", {"schema": 1, "type": kind, "symbols": ["a"]})
    return folder


def test_a_module_that_may_not_be_imported_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"import pathlib\npathlib.Path({str(tmp_path / 'MARK')!r}).touch()\nclass Mine: pass\n"
    (tmp_path / "strangers_tokenizer.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match=r"tokenizer\.json: type=strangers_tokenizer\.Mine is outside the allowed"):
        factory.load_tokenizer(named(tmp_path, "strangers_tokenizer.Mine"))
    assert not (tmp_path / "MARK").exists()
    assert "strangers_tokenizer" not in sys.modules


def test_what_may_be_built_as_a_tokenizer_but_is_no_class_of_them_is_refused(tmp_path: Path) -> None:
    """It would be asked for `load`, or called with a folder in place of a run."""
    with pytest.raises(
        UsageError, match=r"tokenizer\.json: type=lasasr\.models\.factory\.tokenizer_of_run is no class"
    ):
        factory.load_tokenizer(named(tmp_path, "lasasr.models.factory.tokenizer_of_run"))
