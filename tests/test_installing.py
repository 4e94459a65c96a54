"""The Dockerfile copies what the package is built from and installs what pyproject.toml allows; no image is built."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COPIED = {name for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def sent(path: str) -> bool:
    """Whether .dockerignore lets a path into the context: of the patterns that match, the last one decides."""
    kept = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if line and line[0] != "#" and fnmatch(path, pattern):
            kept = line[0] == "!"
    return kept


def test_what_is_copied_is_there_and_is_sent() -> None:
    assert COPIED
    for name in COPIED:
        assert (ROOT / name).exists(), name
        assert sent(name), name
    assert not sent(".venv")
    assert not sent("data")


def test_what_the_package_is_built_from_is_copied() -> None:
    folders = {path.split("/")[0] for path in PYPROJECT["tool"]["setuptools"]["package-dir"].values()}
    files = {"pyproject.toml", PYPROJECT["project"]["readme"], *PYPROJECT["project"]["license-files"]}
    assert folders | files <= COPIED


def test_torch_is_of_the_range_of_the_package_wherever_it_is_installed_first() -> None:
    (wanted,) = [line for line in PYPROJECT["project"]["dependencies"] if line.startswith("torch")]
    for name in ("Dockerfile", "Makefile"):
        assert re.findall(r"'(torch[<>=][^']*)'", (ROOT / name).read_text(encoding="utf-8")) == [wanted], name


def test_the_default_extra_exists() -> None:
    (extra,) = re.findall(r"^ARG EXTRAS=(\w+)$", DOCKERFILE, re.MULTILINE)
    assert extra in PYPROJECT["project"]["optional-dependencies"]


def test_the_page_has_every_extra() -> None:
    page = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?`) \|", page.split("## Extras")[1].split("## ")[0], re.MULTILINE)
    listed = [extra for row in rows for extra in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(PYPROJECT["project"]["optional-dependencies"])
