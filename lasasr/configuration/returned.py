"""What a class or a marked function returned must be what its place takes: the gate has only seen what it is called."""

from __future__ import annotations

from typing import Any

from lasasr.configuration import gate
from lasasr.configuration.configurable import marked_places
from lasasr.configuration.contracts import Contract, contract_of, place_kind
from lasasr.errors import UsageError


def check_returned(value: Any, target: object, place: str) -> Any:
    """`value`, if it may stand at `place`; where no contract says what stands there, anything may.

    Args:
        value: what was built.
        target: the `_target_` that built it, for the message.
        place: of the part in the configuration, as of `gate.resolve`.

    Raises:
        UsageError: it may not; one line with place, target, what was returned and what is expected.
    """
    kind = place_kind(place)
    contract = contract_of(kind)
    if contract is None or kind in marked_places(type(value)) or _keeps(value, contract):
        return value
    raise UsageError(f"{place} ({target}) returned {_described(value)}; {gate.expected(kind, contract)}")


def _keeps(value: Any, contract: Contract) -> bool:
    if isinstance(value, type):  # a class that was not called
        return False
    return (contract.called and callable(value)) or any(
        isinstance(value, gate.base_class(path)) for path in contract.bases
    )


def _described(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__module__}.{value.__qualname__} itself"
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return "nothing" if value is None else f"an object of class {name}"
