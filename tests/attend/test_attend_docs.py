"""What docs/ says about attention is true: the example keeps every promise."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml

from lasasr.attend.conformance import PROMISES, check

ROOT = Path(__file__).parents[2]


def test_the_example_of_adding_an_attention_keeps_every_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "adding-an-attention.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```(python|yaml)\n(.*?)```", page, re.DOTALL))
    config = yaml.safe_load(blocks["yaml"])
    module, _, name = config.pop("_target_").rpartition(".")
    assert config.pop("_partial_")
    (tmp_path / f"{module}.py").write_text(blocks["python"], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    kind = getattr(importlib.import_module(module), name)
    promises = {promise: attempt for promise, attempt in PROMISES.items() if "torch.compile" not in promise}
    monkeypatch.setattr("lasasr.attend.conformance.PROMISES", promises)
    assert [finding for finding in check(lambda **sizes: kind(**sizes, **config)) if not finding.kept] == []
