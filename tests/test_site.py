"""The site shows every page, and each once; building it (`make site`) needs the extra `docs`."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
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


def test_every_file_that_a_page_links_to_is_copied(site: Any) -> None:
    copied = set(site.sources())
    for page in copied:
        if page.suffix == ".md":
            links = re.findall(r"\]\(\s*([^)\s#:]+)[)\s#]", page.read_text(encoding="utf-8"))
            there = {(page.parent / link).resolve() for link in links if (page.parent / link).is_file()}
            assert there <= copied, page


def test_what_the_python_page_names_can_be_imported(site: Any) -> None:
    for names in site.API.values():
        for name in names:
            module, _, attribute = name.rpartition(".")
            assert importlib.util.find_spec(name) if attribute.islower() else importlib.import_module(module)
            assert attribute.islower() or hasattr(importlib.import_module(module), attribute)


NOT_OFFERED = {"lasasr.artifacts.files.write_text"}  # a page names it as what a configuration may not call


def named_on_pages(site: Any) -> Iterator[str]:
    """Classes and functions of the package that pages and notebooks name, as module.name."""
    for path in site.sources():
        if path.suffix not in (".md", ".ipynb") or path.name == "CHANGELOG.md":
            continue
        text = path.read_text(encoding="utf-8")
        for module, names in re.findall(r"from (lasasr[\w.]*) import ([\w, ]+)", text):
            yield from (f"{module}.{name.split(' as ')[0].strip()}" for name in names.split(","))
        yield from re.findall(r"\blasasr(?:\.\w+)+", text)


def test_every_class_and_function_that_a_page_names_is_in_the_python_reference(site: Any) -> None:
    listed = [name for names in site.API.values() for name in names]
    missing = set()
    for name in set(named_on_pages(site)) - NOT_OFFERED:
        module, _, attribute = name.rpartition(".")
        try:
            thing = getattr(importlib.import_module(module), attribute, None)
        except ImportError:  # a longer path than that of a module: `lasasr.artifacts.files.os.mkdir`
            continue
        own = getattr(thing, "__module__", "").startswith("lasasr.") and not isinstance(thing, ModuleType)
        if own and name not in listed and module not in listed:
            missing.add(name)
    assert not missing


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
