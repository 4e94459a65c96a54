"""The defaults of the class or function that a `_target_` names, read from its source: nothing is imported or run.

Runs are told apart by their configurations, also those of strangers, and before torch is loaded. What cannot be read so
(a class without source, a default that is computed) has no known default, and a key without a known default always
counts.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from lasasr.configuration import source
from lasasr.configuration.source import Definition, Module

Default = tuple[Any, ...]  # the values of a configuration that mean the default; none: it is not known
_EMPTY: Final[dict[str, Any]] = {"list": [], "tuple": [], "dict": {}}


def without_defaults(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a configuration without the keys that have the default of its `_target_`'s signature, at any depth.

    A nested part that holds nothing but its class is at its default where the signature's default is that part.
    """
    inner = {str(key): _inner(value) for key, value in part.items()}
    part_defaults = defaults(str(part["_target_"])) if "_target_" in part else {}
    return {key: value for key, value in inner.items() if not is_default(value, part_defaults.get(key, ()))}


def _inner(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_defaults(value)
    return [_inner(item) for item in value] if isinstance(value, list | tuple) else value


def is_default(value: Any, default: Default) -> bool:
    """Whether a value of a configuration means the default."""
    return any(same(value, equivalent) for equivalent in default)


def same(first: Any, second: Any) -> bool:
    """Whether two values mean the same in a configuration: 1.0 is 1, a tuple is a list, true is not 1."""
    return as_text(first) == as_text(second)


def as_text(value: Any) -> str:
    """Equal for values that mean the same."""
    return json.dumps(canonical(value), sort_keys=True, ensure_ascii=False, default=repr)


def canonical(value: Any) -> Any:
    """Plain values in one form: whole numbers without a fraction, lists for tuples."""
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@cache
def defaults(target: str) -> Mapping[str, Default]:
    """Parameter → default of a class, function or classmethod; without those that have none or an unknown one."""
    try:
        definition = source.find(target)
    except (OSError, SyntaxError, ValueError):  # no source, or not of this Python
        return {}
    parameters = {} if definition is None else _of_definition(definition, frozenset())
    return {name: default for name, default in parameters.items() if default}


def _of_definition(definition: Definition, seen: frozenset[ast.AST]) -> dict[str, Default]:
    node = definition.node
    if node in seen:  # a class whose bases lead back to it does not run either
        return {}
    if isinstance(node, ast.FunctionDef):
        return _of_function(node, definition, seen | {node})
    return _of_class(definition, seen | {node})


def _of_class(definition: Definition, seen: frozenset[ast.AST]) -> dict[str, Default]:
    """Of `__init__`, its own or inherited; of the fields where that is made of them."""
    node = definition.node
    assert isinstance(node, ast.ClassDef)
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return _of_function(statement, definition, seen)
    inherited: dict[str, Default] = {}
    for base in reversed(definition.bases()):
        inherited |= _of_definition(base, seen)
    return inherited | _of_fields(node, definition.module) if _is_record(node) else inherited


def _is_record(node: ast.ClassDef) -> bool:
    """Whether it is a dataclass or a NamedTuple."""
    marks = [decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in node.decorator_list]
    return any(source.last_name(mark) in ("dataclass", "NamedTuple") for mark in [*marks, *node.bases])


def _of_fields(node: ast.ClassDef, module: Module) -> dict[str, Default]:
    field_defaults = {}
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            field_defaults[statement.target.id] = _of_field(statement.value, module)
    return field_defaults


def _of_field(value: ast.expr | None, module: Module) -> Default:
    if isinstance(value, ast.Call) and source.last_name(value.func) == "field":
        options = {keyword.arg: keyword.value for keyword in value.keywords}
        if "default_factory" in options:
            name = source.last_name(options["default_factory"])
            return (_EMPTY[name],) if name in _EMPTY else ()
        value = options.get("default")
    return () if value is None else _value(value, module)


def _of_function(node: ast.FunctionDef, definition: Definition, seen: frozenset[ast.AST]) -> dict[str, Default]:
    """Its own parameters; and those of what it hands `**options` on to."""
    parameters: dict[str, Default] = {}
    if node.args.kwarg is not None:
        for callee, passed in _handed_on(node, node.args.kwarg.arg, definition):
            parameters |= {key: default for key, default in _of_definition(callee, seen).items() if key not in passed}
    own = dict(_parameters(node.args))
    return parameters | {name: _of_parameter(name, own[name], node, definition.module) for name in own}


def _parameters(taken: ast.arguments) -> Iterator[tuple[str, ast.expr | None]]:
    positional = [*taken.posonlyargs, *taken.args]
    without = len(positional) - len(taken.defaults)
    yield from zip((argument.arg for argument in positional), [None] * without + list(taken.defaults), strict=True)
    yield from zip((argument.arg for argument in taken.kwonlyargs), taken.kw_defaults, strict=True)


def _of_parameter(name: str, default: ast.expr | None, node: ast.FunctionDef, module: Module) -> Default:
    """The default; where the body says `x or Part()`, null and that part are the same."""
    value = () if default is None else _value(default, module)
    if value != (None,):
        return value
    parts = (
        _made(expression.values[1], module)
        for expression in ast.walk(node)
        if isinstance(expression, ast.BoolOp)
        and isinstance(expression.op, ast.Or)
        and source.last_name(expression.values[0]) == name
    )
    return (None, *(part for part in parts if part is not None))


def _handed_on(node: ast.FunctionDef, options: str, definition: Definition) -> Iterator[tuple[Definition, set[str]]]:
    """What is called with `**options`, and the parameters that this call gives by name."""
    for call in (call for call in ast.walk(node) if isinstance(call, ast.Call)):
        if not any(keyword.arg is None and source.last_name(keyword.value) == options for keyword in call.keywords):
            continue
        passed = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
        for callee in _callees(call.func, definition):
            yield callee, passed


def _callees(called: ast.expr, definition: Definition) -> Iterator[Definition]:
    if isinstance(called, ast.Attribute) and source.calls_super(called.value):
        yield from definition.bases()[:1]  # the first: what Python looks at first
    elif isinstance(called, ast.Name) and (callee := definition.module.definition(called.id)) is not None:
        yield callee


def _value(node: ast.expr, module: Module) -> Default:
    """A literal, a constant of the module, or a part made without arguments."""
    try:
        return (ast.literal_eval(node),)
    except ValueError:
        pass
    if isinstance(node, ast.Name) and (assigned := module.constant(node.id)) is not None:
        return _value(assigned, module)
    part = _made(node, module)
    return () if part is None else (part,)


def _made(node: ast.expr, module: Module) -> dict[str, Any] | None:
    """`Part(key=literal)` as a configuration would say it; without keys at their default. None: it is none."""
    if not isinstance(node, ast.Call) or node.args or not isinstance(node.func, ast.Name):
        return None
    definition = module.definition(node.func.id)
    if definition is None or not isinstance(definition.node, ast.ClassDef):
        return None
    try:
        options = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg is not None}
    except ValueError:
        return None
    return without_defaults({"_target_": definition.path, **options})
