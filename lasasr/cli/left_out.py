"""Parts that a choice on the command line leaves out, as augment=none does, and a recipe has options for in its body.

Hydra lays a recipe's body over the chosen file: {onset_step: 300} over null is a part without a class. The choice is
what counts: such a part stays null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Override

from lasasr.cli.session import Session
from lasasr.configuration.sections import Plain
from lasasr.distributed import launch
from lasasr.errors import UsageError


def settle(opened: Session, overrides: Sequence[Override], plain: Plain, chosen_alone: Callable[[], Plain]) -> None:
    """Set to null, in `plain`, what the choices among the overrides leave out, and say so.

    Args:
        plain: the composed configuration, plain values.
        chosen_alone: gives what the same choices compose without the recipe; called where something may be left out.

    Raises:
        UsageError: an override sets an option of a part that another one leaves out.
    """
    choosing = {
        _section(override): override
        for override in overrides
        if opened.chooses(override) and not override.is_delete() and isinstance(override.value(), str)
    }
    suspects = [section for section in choosing if any(_without_class(_at(plain, section)))]
    if not suspects:
        return
    without_recipe = chosen_alone()
    for section in suspects:
        before, after = _at(without_recipe, section), _at(plain, section)
        if not isinstance(before, Mapping):
            continue
        for name in _without_class(after):
            if name in before and before[name] is None:
                _leave_out(after, name, f"{section}.{name}", choosing[section], overrides)


def _leave_out(part: Any, name: str, key: str, choice: Override, overrides: Sequence[Override]) -> None:
    for override in overrides:
        if str(override.key_or_group).startswith(f"{key}."):
            raise UsageError(f"{override.input_line}: {choice.input_line} has no {key}; leave one of the two out")
    launch.say(f"note: {choice.input_line} has no {key}: the recipe's {', '.join(part[name])} of it is left out")
    part[name] = None


def _section(override: Override) -> str:
    """Where the choice of a group stands in the configuration."""
    return str(override.package or override.key_or_group).replace("/", ".")


def _at(plain: Any, place: str) -> Any:
    for name in place.split("."):
        plain = plain.get(name) if isinstance(plain, Mapping) else None
    return plain


def _without_class(section: Any) -> Iterator[str]:
    """The names of a section's own mappings that have no `_target_`."""
    for name, value in section.items() if isinstance(section, Mapping) else ():
        if isinstance(value, Mapping) and "_target_" not in value:
            yield str(name)
