"""Classes and functions looked up in source files, through whatever re-exports them, without importing anything."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_DEEPEST: Final = 20  # re-exports that are followed, one after the other


@dataclass(frozen=True, eq=False)
class Module:
    """A module's source.

    Args:
        name: dotted.
        package: the folder of a package, None of a module that is a file.
    """

    name: str
    package: Path | None
    tree: ast.Module

    def definition(self, name: str, depth: int = 0) -> Definition | None:
        """The class or function that the module knows by this name; None: it is something else, or not found."""
        for node in self._statements():
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
                return Definition(f"{self.name}.{name}", self, node)
        if depth < _DEEPEST:
            for module, original in self._imports(name):
                return module.definition(original, depth + 1)
        return None

    def constant(self, name: str, depth: int = 0) -> ast.expr | None:
        """What is assigned to a constant, here or where it is imported from; None: nothing, or more than once."""
        values = [value for target, value in self._assignments() if isinstance(target, ast.Name) and target.id == name]
        if values or depth == _DEEPEST:
            return values[0] if len(values) == 1 else None
        for module, original in self._imports(name):
            return module.constant(original, depth + 1)
        return None

    def _assignments(self) -> Iterator[tuple[ast.expr, ast.expr]]:
        for node in self.tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                yield from zip(target.elts, value.elts, strict=False)
            elif isinstance(target, ast.expr) and isinstance(value, ast.expr):
                yield target, value

    def _statements(self) -> list[ast.stmt]:
        """Of the module; the last definition of a name is the one that counts."""
        return list(reversed(self.tree.body))

    def _imports(self, name: str) -> Iterator[tuple[Module, str]]:
        """Where the module has a name from, and what it is called there; at most one."""
        for node in (statement for statement in self._statements() if isinstance(statement, ast.ImportFrom)):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    module = load(".".join(self._origin(node)))
                    if module is not None:
                        yield module, alias.name
                    return

    def _origin(self, node: ast.ImportFrom) -> list[str]:
        """The module that `from ... import` names."""
        named = [] if node.module is None else node.module.split(".")
        if not node.level:
            return named
        own = self.name.split(".")
        return own[: len(own) - node.level + (self.package is not None)] + named


@dataclass(frozen=True, eq=False)
class Definition:
    """A class or function: its dotted path, the module that defines it, and what stands there."""

    path: str
    module: Module
    node: ast.ClassDef | ast.FunctionDef
    owner: Definition | None = None  # of a method: its class

    def bases(self) -> list[Definition]:
        """The base classes that can be found, in their order; of a method, those of its class."""
        holder = self.owner or self
        assert isinstance(holder.node, ast.ClassDef)
        names = [base.value if isinstance(base, ast.Subscript) else base for base in holder.node.bases]  # Base[T]
        definitions = [holder.module.definition(name.id) for name in names if isinstance(name, ast.Name)]
        return [
            definition
            for definition in definitions
            if definition is not None and isinstance(definition.node, ast.ClassDef)
        ]

    def method(self, name: str) -> Definition | None:
        """A method of a class, its own or an inherited one."""
        if not isinstance(self.node, ast.ClassDef):
            return None
        for statement in self.node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == name:
                return Definition(f"{self.path}.{name}", self.module, statement, owner=self)
        inherited = (base.method(name) for base in self.bases())
        return next((method for method in inherited if method is not None), None)


def find(path: str) -> Definition | None:
    """The class, function or method that a dotted path names; None: it is not there, or none of these.

    Raises:
        OSError, SyntaxError, ValueError: a source file on the way cannot be read.
    """
    names = path.split(".")
    for count in range(len(names) - 1, 0, -1):
        module = load(".".join(names[:count]))
        if module is not None:
            definition = module.definition(names[count])
            for name in names[count + 1 :]:
                definition = None if definition is None else definition.method(name)
            return definition
    return None


@cache
def load(name: str) -> Module | None:
    """The source of a module; None: there is none."""
    first, *below = name.split(".")
    if not all(part.isidentifier() for part in (first, *below)):
        return None
    for root in _roots(first):
        place = root.joinpath(*below)
        for file, package in ((place / "__init__.py", place), (place.with_suffix(".py"), None)):
            if file.is_file() and (below or package is not None or file.stem == first):
                return Module(name, package, ast.parse(file.read_bytes()))
    return None


def _roots(first: str) -> list[Path]:
    """The places of a top-level package or module, as the import system finds them; it is not imported."""
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):  # it was put into sys.modules by hand
        spec = None
    if spec is None or first in sys.builtin_module_names:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(location) for location in spec.submodule_search_locations]
    return [] if spec.origin is None else [Path(spec.origin).with_suffix("")]


def last_name(node: ast.expr) -> str:
    """`x` of `x` and of `a.b.x`; nothing of anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def calls_super(node: ast.expr) -> bool:
    """Whether it is `super()`."""
    return isinstance(node, ast.Call) and last_name(node.func) == "super"
