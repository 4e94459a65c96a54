"""scripts/check_docs.py finds each kind of fault in a page, and none in what is right."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "check_docs.py"
FILES = {
    "lasasr/__init__.py": '__version__ = "1.2.0"\n',
    "lasasr/nn/__init__.py": "",
    "lasasr/nn/lengths.py": "import os\n\nif True:\n    LIMIT = 3\n\n\ndef mask() -> None: ...\n",
    "configs/attend/dot.yaml": "",
    "CITATION.cff": "version: 1.2.0\ndate-released: 2030-01-02\n",
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2030-01-02\n\n`lasasr/gone.py`, `lasasr.gone`\n",
}
LONG = "word " * 20 + "x"  # 101 characters
Check = Callable[[str], list[str]]


@pytest.fixture
def shipped() -> Any:
    """The script, for the project itself."""
    spec = importlib.util.spec_from_file_location("check_docs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def script(shipped: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, for a small project in a folder of its own."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(shipped, "ROOT", tmp_path)
    return shipped


@pytest.fixture
def check(script: Any, tmp_path: Path) -> Check:
    """The faults of a page with some text."""

    def faults(text: str) -> list[str]:
        (tmp_path / "page.md").write_text(text + "\n")
        return list(script.faults(tmp_path / "page.md"))

    return faults


@pytest.mark.parametrize(
    "text",
    [
        "`lasasr/nn/lengths.py`, `nn/lengths.py`, `lasasr.nn`, `lasasr.nn.lengths.mask`",
        "`lasasr.nn.lengths.LIMIT`, `lasasr.nn.lengths.os.mkdir`, `configs/attend/dot.yaml`",
        "`mine/corpus.py`, [log](CHANGELOG.md#unreleased)",
        f"| {LONG} |",
        f"text\n\n    {LONG}",
        f"```\n{LONG}\n```",
        f"* [{LONG}](CHANGELOG.md)",
        f"<!-- a.py begins -->\n{LONG}\n<!-- a.py ends -->",
        LONG[:-1],
    ],
)
def test_what_is_right_is_no_fault(check: Check, text: str) -> None:
    assert check(text) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("`lasasr/lengths.py`", "there is no file lasasr/lengths.py"),
        ("`nn/length.py`", "there is no file nn/length.py"),
        ("`configs/attend/dots.yaml`", "there is no file configs/attend/dots.yaml"),
        ("`lasasr.lengths.mask`", "there is no lasasr.lengths.mask"),
        ("`lasasr.nn.lengths.masks`", "there is no lasasr.nn.lengths.masks"),
        ("[log](CHANGELOG.md#released)", "CHANGELOG.md#released leads nowhere"),
        ("[log](CHANGES.md)", "CHANGES.md leads nowhere"),
        (f"short\n{LONG}", "line 2 has 101 characters, more than 100"),
        (f"```\n{LONG}\n```\n{LONG}", "line 4 has 101 characters, more than 100"),
    ],
)
def test_a_fault_is_named(check: Check, text: str, fault: str) -> None:
    assert check(text) == [fault]


def test_the_changelog_may_name_what_is_gone(script: Any, tmp_path: Path) -> None:
    assert list(script.faults(tmp_path / "CHANGELOG.md")) == []


@pytest.mark.parametrize("name", ["lasasr/__init__.py", "CITATION.cff", "CHANGELOG.md"])
def test_versions_that_differ_are_said(script: Any, tmp_path: Path, name: str) -> None:
    assert list(script.unequal_versions()) == []
    (tmp_path / name).write_text(FILES[name].replace("1.2.0", "1.3.0"))
    assert len(list(script.unequal_versions())) == 1


def test_the_projects_own_pages_have_no_faults(shipped: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """So that the tests alone, without `make docs`, notice a page that CI would refuse."""
    assert shipped.main() == 0, capsys.readouterr().out
