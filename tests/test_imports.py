"""The import direction of docs/design.md, read from the source with `ast`; nothing is imported here."""

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "lasasr"

# From top to bottom; a package imports only from layers below its own.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("app",),
    ("tasks",),
    ("doctor",),
    ("training",),
    ("evaluation",),
    ("preparation",),
    ("models", "transcription"),
    ("adapt",),
    ("search", "corpora", "losses"),
    ("data", "spell", "report", "lm"),
    ("comparison", "text"),
    ("transcripts",),
    ("artifacts", "audio", "listen", "attend"),
    ("metrics", "configuration", "nn"),
    ("onnx",),  # runs without torch: it imports errors alone
    ("errors", "escaping", "remaining", "distributed"),
    ("__init__",),  # `from lasasr import __version__`; its own lazy import of Recognizer is the one exception
)
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}

# library → the packages, or modules, that may import it
ONLY_IN = {
    "lhotse": ("data", "corpora"),
    "hydra": ("cli",),
    "omegaconf": ("cli",),
    "lightning": ("cli", "training", "data.datamodule"),
    "espeakng_loader": ("corpora",),
    "gradio": ("app.page",),
}
# what the base installation, for transcribing, does without
NOT_IN_BASE = {"torchaudio", "lightning", "hydra", "omegaconf", "tensorboard", "lhotse", "matplotlib", "scipy"}
HEAVY = {"torch", "torchaudio", "lightning", "lhotse", "numpy", "scipy", "matplotlib", "sentencepiece", "jiwer"}
WITHOUT_TORCH = (
    "onnx",
    "metrics",
    "configuration",
    "artifacts",
    "comparison",
    "transcripts",
    "text.normalizers",
    "distributed.launch",
)  # packages, or modules
WITH_TORCH = ("artifacts.bundle", "artifacts.delta")  # of those: they hold the weights
CONFIGURATION = {"hydra", "omegaconf", "yaml"}


class Import(NamedTuple):
    """`lazy`: inside a function or `if TYPE_CHECKING`, so not run when the module is loaded."""

    name: str
    lazy: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def imports(module: str) -> tuple[Import, ...]:
    """Absolute names of the modules that `module` imports."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    return tuple(found for node in tree.body for found in visit(node, lazy=False))


def visit(node: ast.AST, lazy: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, lazy) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: relative import"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield Import(inner if inner in MODULES else str(node.module), lazy)
    lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    lazy = lazy or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    for child in ast.iter_child_nodes(node):
        yield from visit(child, lazy)


def package(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def library(name: str) -> str:
    return name.partition(".")[0]


def own(module: str) -> Iterator[Import]:
    return (found for found in imports(module) if library(found.name) == "lasasr")


@cache
def loads(module: str) -> frozenset[str]:
    """The libraries that come with importing `module`."""
    seen, waiting, found = set(), [module], set()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        for name, lazy in imports(one):
            if not lazy:
                found.add(library(name))
                waiting += [name] if name in MODULES else []
    return frozenset(found)


def test_there_is_something_to_read() -> None:
    assert len(MODULES) > 20
    assert Import("lasasr.errors", False) in imports("lasasr.artifacts.files")
    assert Import("lasasr.models.recognizer", True) in imports("lasasr")


def test_every_package_has_its_layer() -> None:
    assert {package(module) for module in MODULES} <= set(LAYER)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    for name, _ in own(module):
        here, there = package(module), package(name)
        if here == there or module == "lasasr":
            continue
        assert LAYER[there] > LAYER[here], f"{module} imports {name}: {there} is not below {here}"


def test_no_circles() -> None:
    edges = {module: {name for name, _ in own(module) if name != module} for module in MODULES if module != "lasasr"}
    while free := {module for module, needed in edges.items() if not needed & set(edges)}:
        edges = {module: needed for module, needed in edges.items() if module not in free}
    assert not edges, f"these import each other: {sorted(edges)}"


@pytest.mark.parametrize("name", ONLY_IN)
def test_a_library_stays_in_its_packages(name: str) -> None:
    for module in MODULES:
        if any(library(found.name) == name for found in imports(module)):
            assert inside(module, ONLY_IN[name]), f"{module} imports {name}, which only {', '.join(ONLY_IN[name])} may"


def test_ranks_exchange_in_one_package_only() -> None:
    for module, path in MODULES.items():
        if package(module) == "distributed":
            continue
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        reached = [ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)]
        reached += [name for name, _ in imports(module)]
        assert "torch.distributed" not in reached, f"{module}: what ranks exchange goes through lasasr.distributed"


def test_search_never_sees_an_attention_and_spell_only_the_contract() -> None:
    for module in MODULES:
        attends = {found.name for found in own(module) if package(found.name) == "attend"}
        if package(module) == "search":
            assert not attends, f"{module} imports {attends}"
        if package(module) == "spell":
            assert attends <= {"lasasr.attend.base"}, f"{module} imports {attends}"


def inside(module: str, names: tuple[str, ...]) -> bool:
    """Whether a module is one of `names`, packages or modules below lasasr, or lies below one."""
    return any(f"{module}.".startswith(f"lasasr.{name}.") for name in names)


@pytest.mark.parametrize(
    "module", [name for name in MODULES if inside(name, WITHOUT_TORCH) and not inside(name, WITH_TORCH)]
)
def test_numbers_and_run_folders_are_read_without_torch(module: str) -> None:
    assert not loads(module) & {"torch", "torchaudio", "lightning", "lhotse"}


@pytest.mark.parametrize(
    "module",
    [
        *("models.recognizer", "cli.transcribe_progress", "transcription.sinks"),
        *("report.model_card", "artifacts.hub_upload", "models.onnx_export"),
    ],
)
def test_what_transcribes_and_exports_loads_the_packages_of_the_base_installation_only(module: str) -> None:
    assert not loads(f"lasasr.{module}") & NOT_IN_BASE


def test_nothing_needs_torchaudio() -> None:
    """Its compiled part does not load beside every build of torch, that for the CPU among them."""
    users = [module for module in MODULES if any(library(name) == "torchaudio" for name, _ in imports(module))]
    assert not users


def test_the_command_starts_with_the_standard_library_only() -> None:
    assert not loads("lasasr.cli.main") & (HEAVY | CONFIGURATION)


@pytest.mark.parametrize("module", [one for one in MODULES if package(one) == "cli"])
def test_no_verb_loads_torch_before_its_arguments_are_read(module: str) -> None:
    assert not loads(module) & HEAVY


def test_the_wheel_lists_every_package() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    present = {module for module, path in MODULES.items() if path.name == "__init__.py"}
    assert present | {"lasasr.configs", "lasasr.recipes"} == listed
    holding = {path.parent for path in PACKAGE.rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in holding)
