"""From the text of a `_target_` to the class or function that it names; no other way leads from a file to code.

A configuration may come from a stranger, so its text decides nothing but which part is meant:

1. it must lie below an allowed prefix, and only modules below one are imported; of the shipped ones (`lasasr`,
   `torch.optim`, `lightning.pytorch`) only those that hold parts (`contracts.PART_MODULES`);
2. attributes are followed from that module to a class, a function or a classmethod, never through another module;
3. what is found must be defined below an allowed prefix, not merely imported there;
4. and be what the place in the configuration takes (`contracts.CONTRACTS`), or be marked for it (`configurable`).

What comes back is that object itself: nothing looks the text up a second time. docs/trust.md says it to users.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from lasasr.configuration import moved
from lasasr.configuration.configurable import marked_places
from lasasr.configuration.contracts import CONTRACTS, PART_MODULES, Contract, contract_of, place_kind
from lasasr.configuration.loading import loading
from lasasr.errors import UsageError, nearest

SHIPPED: Final = ("lasasr", "torch.optim", "lightning.pytorch")
LONGEST: Final = 200  # characters of a path; messages show no more of what a file holds


class _Part(NamedTuple):
    """What a path leads to."""

    value: Any  # the class or function, or the classmethod bound to `owner`
    definition: Any  # the same, where marks and the place of definition are written
    owner: type | None  # the class whose classmethod it is


class _RefusalError(Exception):
    """Why a path is refused; `resolve` adds whose it is."""


def resolve(target: object, place: str, subject: str = "") -> Callable[..., Any]:
    """The class or function that `target` names, if it may stand at `place`.

    Args:
        target: as the configuration holds it.
        place: of the part in the configuration: `attend`, `search.limits`, `augment.waveform[0]`.
        subject: what messages call the text; by default the key `_target_` of `place`.

    Raises:
        UsageError: it may not; one line with place, target, what was found, what is expected and the way out.
    """
    subject = subject or f"{place or 'config'}._target_"
    if not isinstance(target, str):
        raise UsageError(f"{subject} is {_shown(target)}, not the text module.Class")
    path = moved.current_path(target)
    try:
        _check_path(path)
        kind = place_kind(place)
        part = _find(path, kind)
        _check_definition(part)
        _check_kind(part, path.rpartition(".")[2], kind)
    except _RefusalError as refusal:
        raise UsageError(f"{subject}={_shown(target)} {refusal}") from refusal.__cause__
    return part.value  # type: ignore[no-any-return]


def _check_path(path: str) -> None:
    names = path.split(".")
    if len(path) > LONGEST or not all(name.isidentifier() and not name.startswith("__") for name in names):
        raise _RefusalError("is no path module.Class of plain names")
    if not below(path, allowed_prefixes()):
        raise _RefusalError(f"is outside the allowed prefixes; if you trust it: export LASASR_ALLOW={names[0]}")


def users_prefixes() -> tuple[str, ...]:
    """What `LASASR_ALLOW=my.package,another` lists."""
    names = (name.strip().rstrip(".") for name in os.environ.get("LASASR_ALLOW", "").split(","))
    return tuple(name for name in names if name)


def allowed_prefixes() -> tuple[str, ...]:
    """The shipped prefixes and the user's."""
    return SHIPPED + users_prefixes()


def below(path: str, prefixes: Iterable[str]) -> bool:
    """Whether a dotted path is one of `prefixes` or continues it by whole names."""
    return any(f"{path}.".startswith(f"{prefix}.") for prefix in prefixes)


def may_import(module: str) -> bool:
    """Modules that hold parts, what the user allows, and the packages around them, which Python imports with them."""
    roots = PART_MODULES + users_prefixes()
    return below(module, roots) or any(below(root, (module,)) for root in roots)


def _find(path: str, kind: str) -> _Part:
    """What the path leads to; nothing is called to find it."""
    module, names = _module(path.split("."))
    if not names:
        raise _RefusalError("is a module; name a class or function in it")
    beside = f"{module.__name__}.{names[0]}"
    if not may_import(beside) and _exists(beside):
        raise _RefusalError(f"lies in {beside}, which holds no parts; {expected(kind, contract_of(kind))}")
    owner, value = None, _attribute(module, names[0])
    for name in names[1:]:
        if isinstance(value, ModuleType):
            break
        owner, value = value, inspect.getattr_static(value, name, None) if isinstance(value, type) else None
    if isinstance(value, ModuleType):
        raise _RefusalError(f"leads through {module.__name__} to the module {value.__name__}, which is only used there")
    if value is None:
        raise _RefusalError(f"does not exist; {nearest(path, _alternatives(module, kind))}")
    if isinstance(value, classmethod | staticmethod) and owner is not None:
        return _Part(getattr(owner, names[-1]), value.__func__, owner)
    if isinstance(value, type) or (isinstance(value, FunctionType) and owner is None):
        return _Part(value, value, None)
    raise _RefusalError(f"is {_described(value)}, not a class, a function or a classmethod")


def _module(names: list[str]) -> tuple[ModuleType, list[str]]:
    """The longest part of the path that is a module which may be imported, and the names after it."""
    module: ModuleType | None = None
    for count in range(1, len(names) + 1):
        name = ".".join(names[:count])
        if not may_import(name) or not _exists(name):
            break
        try:
            with loading():
                module = importlib.import_module(name)
        except Exception as error:  # whatever the user's own module raises
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise _RefusalError(f"cannot be imported ({name}: {reason}{moved.import_hint(error)})") from error
    if module is None:
        raise _RefusalError(f"is not installed: there is no module {names[0]} (PYTHONPATH says where yours are)")
    return module, names[len(module.__name__.split(".")) :]


def _exists(name: str) -> bool:
    """Whether there is such a module; its package is imported already."""
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # what was to be the package is no package
        return False


def _attribute(module: ModuleType, name: str) -> Any:
    """What the module holds under that name; None: nothing. One of the user's own may make it when it is asked."""
    if name in vars(module) or below(module.__name__, SHIPPED):
        return vars(module).get(name)
    return getattr(module, name, None)


def _check_definition(part: _Part) -> None:
    """Refuse what a module merely imports from elsewhere."""
    for defined in (part.definition, part.owner or part.definition):
        path = _defined_path(defined)
        if not below(path, allowed_prefixes()):
            root = path.partition(".")[0]
            raise _RefusalError(
                f"is {_described(defined)}, defined outside the allowed prefixes; if you trust {root}: "
                f"export LASASR_ALLOW={','.join((*users_prefixes(), root))}"
            )


def _check_kind(part: _Part, name: str, kind: str) -> None:
    """Refuse what does not keep the contract of a kind of place."""
    contract = contract_of(kind)
    if kind in marked_places(part.definition) or (contract is not None and _fits(part, name, kind, contract)):
        return
    raise _RefusalError(f"is {_described(part.definition)}; {expected(kind, contract)}")


def _fits(part: _Part, name: str, kind: str, contract: Contract) -> bool:
    if part.owner is None:
        return isinstance(part.definition, type) and _is_kind(part.definition, contract)
    methods = (vars(base).get(name) for base in part.owner.__mro__)  # one that it overrides may have the mark
    return _is_kind(part.owner, contract) and any(
        kind in marked_places(getattr(method, "__func__", None)) for method in methods
    )


def _is_kind(part: type, contract: Contract) -> bool:
    if any(issubclass(part, base_class(path)) for path in contract.bases):
        return True
    users_own = below(part.__module__, users_prefixes())
    return contract.called and users_own and any("__call__" in vars(base) for base in part.__mro__)


def base_class(path: str) -> type:
    """A class of the table of contracts."""
    module, _, name = path.rpartition(".")
    base = getattr(importlib.import_module(module), name)
    assert isinstance(base, type)
    return base


def expected(kind: str, contract: Contract | None) -> str:
    """What a kind of place takes, as messages say it."""
    mark = f'what is marked @configurable("{_shown(kind)}")'
    if contract is None:
        return f"nothing is built at {_shown(kind) or 'the top'} but {mark}; {nearest(kind, CONTRACTS)}"
    takes = [f"a subclass of {path}" for path in contract.bases]
    takes += ["a class of your own with __call__"] if contract.called else []
    return f"{kind} takes {', '.join(takes)}, or {mark} (docs/trust.md)"


def _alternatives(module: ModuleType, kind: str) -> Iterator[str]:
    """The paths in and directly below `module` that may stand at a kind of place; nothing is imported."""
    contract = contract_of(kind)
    for name, value in vars(module).items():
        own = isinstance(value, type | FunctionType) and value.__module__ == module.__name__
        if own and contract is not None:
            part = _Part(value, value, None)
            if kind in marked_places(value) or _fits(part, name, kind, contract):
                yield f"{module.__name__}.{name}"
    for submodule in pkgutil.iter_modules(getattr(module, "__path__", ())):
        if may_import(name := f"{module.__name__}.{submodule.name}"):
            yield name


def _defined_path(value: object) -> str:
    named = value if isinstance(value, type | FunctionType) else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _described(value: object) -> str:
    kind = "class" if isinstance(value, type) else "function" if isinstance(value, FunctionType) else "object of class"
    return f"the {kind} {_defined_path(value)}"


def _shown(value: object) -> str:
    """A value of a file, in a message: one line, of a bounded length."""
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
