"""Checks the pages (`make docs`): links and headings, names of files and modules, lengths of lines, the version.

python scripts/check_docs.py

* Every relative link leads to a file, and to a heading where it names one.
* Every `lasasr/….py`, `scripts/….py` and `tests/….py` exists (also without `lasasr/`: `nn/lengths.py`), so does every
  `configs/….yaml`, and every `lasasr.module.Name` is a module or a name in it. The changelog may name what was there
  once.
* No line of prose is longer than 100 characters. Tables, code, lines that are one link, and what is generated between
  `<!-- ... begins -->` and `<!-- ... ends -->` may be.
* `__version__`, CITATION.cff and the newest section of the changelog are one version of one date.
"""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = {".venv", ".venv-parity", "data", "runs", "node_modules", "build", "site"}
HISTORY = {"CHANGELOG.md"}  # may name what is no longer there
WIDTH = 100  # characters
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *(```|~~~).*?^ *\1[^\n]*$", re.MULTILINE | re.DOTALL)
GENERATED = re.compile(r"^<!-- [^\n]* begins -->$.*?^<!-- [^\n]* ends -->$", re.MULTILINE | re.DOTALL)
LINK_LINE = re.compile(r" *([*-] )?(\[[^\]]*\]\([^)\s]+\)|<?https?://\S+)[.,;:]?")
FILE = re.compile(r"(?<![\w/.<>*-])((?:\w+/)+\w+\.py|configs/(?:\w+/)*\w+\.yaml)\b")
MODULE = re.compile(r"(?<![\w/.-])(lasasr(?:\.\w+)+)")


def pages() -> Iterator[Path]:
    """All Markdown pages of the project."""
    for path in sorted(ROOT.rglob("*.md")):
        parts = path.relative_to(ROOT).parts
        if not SKIPPED & set(parts) and not any(part.startswith(".") for part in parts):
            yield path


def text_of(page: Path) -> str:
    """The text of a page."""
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    """The links of a page that lead nowhere."""
    for target in LINK.findall(FENCE.sub("", text_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            yield f"{target} leads nowhere"


def missing_files(page: Path) -> Iterator[str]:
    """Files that a page names, in a folder of the project or of the package, and that are not there."""
    for name in FILE.findall(text_of(page)):
        bases = [base for base in (ROOT, ROOT / "lasasr") if (base / name.partition("/")[0]).is_dir()]
        if bases and not any((base / name).is_file() for base in bases):
            yield f"there is no file {name}"


def missing_names(page: Path) -> Iterator[str]:
    """Modules of the package, and names in them, that a page names and that are not there."""
    for dotted in MODULE.findall(text_of(page)):
        if not exists(tuple(dotted.split("."))):
            yield f"there is no {dotted}"


def exists(parts: tuple[str, ...]) -> bool:
    """Whether a dotted name is a module, or begins with one in which the next part is defined or imported."""
    for length in range(len(parts), 0, -1):
        stem = ROOT.joinpath(*parts[:length])
        for source in (stem.with_suffix(".py"), stem / "__init__.py"):
            if source.is_file():
                return length == len(parts) or parts[length] in names(source)
    return False


@cache
def names(source: Path) -> frozenset[str]:
    """The names that a module binds at its top level, also under `if`."""
    bound: set[str] = set()
    statements: list[ast.stmt] = list(ast.parse(source.read_text(encoding="utf-8")).body)
    while statements:
        statement = statements.pop()
        if isinstance(statement, ast.If):
            statements += [*statement.body, *statement.orelse]
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            bound.add(statement.name)
        else:
            bound |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    return frozenset(bound)


def long_lines(page: Path) -> Iterator[str]:
    """Lines of prose that are longer than `WIDTH`."""
    text = text_of(page)
    for pattern in (FENCE, GENERATED):
        text = pattern.sub(lambda match: "\n" * match[0].count("\n"), text)
    for number, line in enumerate(text.splitlines(), 1):
        free = line.startswith(("|", "    ")) or LINK_LINE.fullmatch(line)
        if len(line) > WIDTH and not free:
            yield f"line {number} has {len(line)} characters, more than {WIDTH}"


def unequal_versions() -> Iterator[str]:
    """Where package, citation and changelog do not name the same version and date."""
    package = re.findall(r'^__version__ = "(.*?)"', text_of(ROOT / "lasasr" / "__init__.py"), re.MULTILINE)
    citation = re.findall(r"^(?:version|date-released): (\S+)", text_of(ROOT / "CITATION.cff"), re.MULTILINE)
    released = re.findall(r"^## \[(\d[^\]]*)\] - (\S+)", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)
    if not (released and list(released[0]) == citation and package == citation[:1]):
        yield f"lasasr/__init__.py has {package}, CITATION.cff {citation}, CHANGELOG.md {released[:1]}"


def faults(page: Path) -> Iterator[str]:
    """All that is wrong with a page."""
    yield from broken_links(page)
    yield from long_lines(page)
    if page.name not in HISTORY:
        yield from missing_files(page)
        yield from missing_names(page)


def main() -> int:
    """Print what is wrong; 1 if anything is."""
    wrong = [f"{page.relative_to(ROOT)}: {fault}" for page in pages() for fault in faults(page)]
    wrong += unequal_versions()
    print("\n".join(wrong) if wrong else f"{sum(1 for _ in pages())} pages: links, names and lines are right")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
