"""What `lasasr export --onnx` says where it cannot work; what it writes: tests/onnx."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from tiny_recognizer import parts

from lasasr.errors import LasasrError
from lasasr.models import onnx_export
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer


@pytest.mark.parametrize(("int8", "missing"), [(False, "onnx"), (True, "onnx and onnxruntime")])
def test_a_missing_package_is_named_with_its_extra(
    int8: bool, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer = Recognizer.build(parts(0.3), CharacterTokenizer.train(["ab"]), "none/1")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LasasrError, match=rf"--onnx needs {missing}, not installed: pip install 'lasasr\[onnx\]'"):
        onnx_export.export(recognizer, tmp_path / "graphs", int8)
    assert not (tmp_path / "graphs").exists()
