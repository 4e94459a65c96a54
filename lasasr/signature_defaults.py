"""The defaults of a shipped class, read from its source: nothing is imported, and so no torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent


def without_defaults(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a configuration without the keys that have the default of its `_target_`'s signature, at any depth.

    A nested part with nothing but its class is at its default where the parameter's annotation names that class. What
    is no class of this toolkit keeps all keys.
    """
    inner = {key: without_defaults(value) if isinstance(value, Mapping) else value for key, value in part.items()}
    parameters = _parameters(str(part.get("_target_", "")))
    return {key: value for key, value in inner.items() if key not in parameters or not parameters[key].takes(value)}


class _Parameter:
    """One parameter with a default."""

    def __init__(self, annotation: ast.expr | None, default: ast.expr) -> None:
        self.classes = {one.id for one in ast.walk(annotation) if isinstance(one, ast.Name)} if annotation else set()
        try:
            self.value = ast.literal_eval(default)
            self.plain = True
        except ValueError:  # it is computed: no value of a configuration is known to equal it
            self.value, self.plain = None, False

    def takes(self, value: Any) -> bool:
        """Whether `value` is the default."""
        if isinstance(value, Mapping):
            return set(value) == {"_target_"} and str(value["_target_"]).rpartition(".")[2] in self.classes
        same_kind = isinstance(value, bool) == isinstance(self.value, bool)
        return bool(self.plain and same_kind and value == self.value)


@cache
def _parameters(target: str) -> Mapping[str, _Parameter]:
    """name → parameter of the class `target`; empty where it is none of this toolkit."""
    module, _, name = target.rpartition(".")
    first, *below = module.split(".")
    if first != PACKAGE.name or not below or not all(part.isidentifier() for part in below):
        return {}
    path = PACKAGE.joinpath(*below).with_suffix(".py")
    if not path.is_file():
        return {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return dict(_of_class(node))
    return {}


def _of_class(node: ast.ClassDef) -> Iterator[tuple[str, _Parameter]]:
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and one.name == "__init__":
            yield from _of_function(one.args)
        elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and one.value is not None:
            yield one.target.id, _Parameter(one.annotation, one.value)  # a field of a dataclass


def _of_function(taken: ast.arguments) -> Iterator[tuple[str, _Parameter]]:
    with_default = taken.args[len(taken.args) - len(taken.defaults) :]
    for argument, default in zip(with_default, taken.defaults, strict=True):
        yield argument.arg, _Parameter(argument.annotation, default)
    for argument, value in zip(taken.kwonlyargs, taken.kw_defaults, strict=True):
        if value is not None:
            yield argument.arg, _Parameter(argument.annotation, value)
