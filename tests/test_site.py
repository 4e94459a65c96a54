"""The site shows every page, and each once; building it (`make site`) needs the extra `docs`."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site() -> Any:
    return _script("site")


def _script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"script_{name}", ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_in_the_navigation_once(site: Any) -> None:
    shown = Counter(site.pages_of(site.NAV))
    there = {str(path.relative_to(ROOT)) for path in site.sources() if path.suffix == ".md"}
    assert set(shown) == there | {site.PYTHON}
    assert set(shown.values()) == {1}


def test_what_the_python_page_names_can_be_imported(site: Any) -> None:
    for names in site.API.values():
        for name in names:
            module, _, attribute = name.partition(".Recognizer")
            imported = importlib.import_module(module)
            assert not attribute or hasattr(imported, attribute)
            assert name != "lasasr.Recognizer" or hasattr(imported, "Recognizer")


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(site: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(name, reason=f"{name} is not installed (the extra docs)")
    monkeypatch.setattr(site, "SOURCE", tmp_path / "source")
    monkeypatch.setattr(site, "CONFIGURATION", tmp_path / "mkdocs.yml")
    monkeypatch.setattr(site, "SITE", tmp_path / "site")
    monkeypatch.setattr("sys.argv", ["site.py"])
    assert site.main() == 0
    page = (tmp_path / "site" / "README.html").exists() or (tmp_path / "site" / "index.html").exists()
    assert page
    assert "transcribe" in (tmp_path / "site" / "reference-python.html").read_text(encoding="utf-8")
    for path in (tmp_path / "site").rglob("*.html"):
        assert "unpkg" not in path.read_text(encoding="utf-8")  # nothing is fetched from elsewhere
