"""RECIPE and overrides → one plain configuration; every mistake in them is a `UsageError` of one line.

What comes back is resolved, holds only dicts, lists and scalars, and names the `recipe` and the group `choices` beside
the values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, product
from typing import Any, NamedTuple, cast

from hydra.core.override_parser.types import Glob, Override
from omegaconf import DictConfig, OmegaConf, open_dict

from lasasr.cli import left_out, recipes, session, values
from lasasr.cli.adapted_parts import with_adapted_parts
from lasasr.cli.errors import explained, foundation
from lasasr.cli.hydra_keys import refuse_idle, refuse_idle_in_recipe
from lasasr.cli.newer_keys import with_newer
from lasasr.cli.recipe_keys import refuse_not_taken, refuse_unknown
from lasasr.cli.session import Session
from lasasr.configuration import moved, settings
from lasasr.configuration.sections import Plain
from lasasr.configuration.settings import Settings
from lasasr.distributed import launch
from lasasr.errors import UsageError

Config = dict[str, Any]
MOST_JOBS = 10_000  # of a sweep: each is composed before the first one runs


def _no_announcement(config: Config) -> None:
    """Nothing is said."""


class Composition(NamedTuple):
    """What Hydra composed: as plain values, and as it was, without Hydra's own keys."""

    plain: Config
    config: DictConfig
    choices: dict[str, Any]  # config group → choice, Hydra's own groups among them
    hydra: DictConfig  # Hydra's own keys


def compose(
    recipe: str, overrides: Sequence[str] = (), before_loading: Callable[[Config], None] = _no_announcement
) -> Config:
    """The configuration of one run.

    Args:
        before_loading: called with it before classes are imported: those that a recipe of one's own names, and one
            whose annotations say whether it takes a value of another kind.

    Raises:
        UsageError: unknown recipe, key or choice, a value of the wrong kind, a value still missing, ...
    """
    refuse_idle(overrides)
    with session.on_recipe(recipe) as opened:
        return compose_job(opened, overrides, before_loading)


def load(
    recipe: str, overrides: Sequence[str] = (), before_loading: Callable[[Config], None] = _no_announcement
) -> Settings:
    """The configuration of one run, typed; arguments as of `compose`.

    Raises:
        UsageError: as `compose`; or a value is of another kind than its key takes, or a part is missing.
    """
    return settings.load(compose(recipe, overrides, before_loading), f"recipe {recipe}")


def compose_job(
    opened: Session, overrides: Sequence[str], before_loading: Callable[[Config], None] = _no_announcement
) -> Config:
    """The configuration of one of several runs of a recipe, in the session that they share."""
    name = recipes.find(opened.name).name
    composition = _composition(opened, overrides, name, before_loading)
    if opened.name.endswith(".yaml") or _added(opened, overrides):  # recipes that are shipped are held to it by tests
        with explained(opened, overrides):
            _refuse_unknown(opened, composition, overrides, name)
    if opened.name.endswith(".yaml") or _changes_parts(opened, overrides):
        before_loading(composition.plain)
        refuse_not_taken(composition.plain, name)
    return with_adapted_parts(opened, overrides, composition.plain)


def _changes_parts(opened: Session, overrides: Sequence[str]) -> bool:
    """Whether overrides add keys, choose parts or name classes, so that keys may meet a part that takes none such."""
    return any(
        override.is_add() or override.is_force_add() or opened.chooses(override) or "._target_" in override.key_or_group
        for override in opened.parse(overrides)
    )


def _refuse_unknown(opened: Session, composition: Composition, overrides: Sequence[str], name: str) -> None:
    choices = composition.choices
    base = _chosen_alone(opened, choices, composition.plain)
    left_out = {group for group in opened.groups() if not choices.get(group)}
    refuse_idle_in_recipe(composition.hydra, base.hydra, name)
    refuse_unknown(composition.config, base, choices, _added(opened, overrides), left_out, name)


def _added(opened: Session, overrides: Sequence[str]) -> list[str]:
    """The keys that overrides add by + or ++."""
    parsed = opened.parse(overrides)
    return [str(override.key_or_group) for override in parsed if override.is_add() or override.is_force_add()]


def _chosen_alone(opened: Session, choices: Mapping[str, Any], plain: Plain) -> DictConfig:
    """What the choices of a configuration compose without its recipe."""
    start = replace(opened, config=settings.kind_of(plain).task.base)
    return start.shared(
        [f"{group}={choices[group]}" if choices.get(group) else f"~{group}" for group in start.groups()]
    )


def recompose(stored: Plain, overrides: Sequence[str]) -> Config:
    """A run's configuration with overrides on top; `search=beam` composes that group anew.

    Args:
        stored: what `compose` returned, perhaps read back from the run's config.yaml.

    Raises:
        UsageError: as `compose`.
    """
    choices, name = dict(stored["choices"]), str(stored["recipe"])
    plain = {key: value for key, value in stored.items() if key not in ("choices", "recipe", "schema")}
    with session.on_stored({}, choices, name) as opened, explained(opened, overrides):
        parsed = opened.parse(overrides)
        chosen = {override.key_or_group for override in parsed if opened.chooses(override)}
        changed_keys = [str(override.key_or_group) for override in parsed if _changes(opened, override)]
    kept = with_newer({key: value for key, value in plain.items() if key not in chosen}, changed_keys)
    with session.on_stored(kept, choices, name) as opened:
        changed = composed(opened, overrides, name)
    changed["choices"] = choices | {key: value for key, value in changed["choices"].items() if value is not None}
    return changed


def _changes(opened: Session, override: Override) -> bool:
    """Whether it gives a key that must be there another value."""
    return not (override.is_add() or override.is_force_add() or override.is_delete() or opened.chooses(override))


def composed(opened: Session, overrides: Sequence[str], name: str) -> Config:
    """Compose in an open session, resolve, and check the values."""
    return _composition(opened, overrides, name).plain


def _composition(
    opened: Session, overrides: Sequence[str], name: str, before_loading: Callable[[Config], None] = _no_announcement
) -> Composition:
    with explained(opened, overrides):
        parsed = opened.parse(overrides)
        _refuse_second_choice(opened, parsed)
        config = opened.compose(overrides)
        of_hydra = config.hydra
        choices = cast(Config, OmegaConf.to_container(of_hydra.runtime.choices))
        with open_dict(config):
            del config["hydra"]
        plain = plain_config(config, choices, name)
        if opened.config != session.STORED:
            left_out.settle(opened, parsed, plain, partial(_plain_of_choices, opened, choices, plain))
        setting = [override for override in parsed if _sets(opened, override)]
        if setting:
            values.check(setting, foundation(opened, parsed), plain, partial(before_loading, plain))
    return Composition(plain, config, choices, of_hydra)


def _plain_of_choices(opened: Session, choices: Mapping[str, Any], plain: Plain) -> Config:
    return cast(Config, OmegaConf.to_container(_chosen_alone(opened, choices, plain), resolve=False))


def _refuse_second_choice(opened: Session, overrides: Sequence[Override]) -> None:
    """Refuse +attend=dot: Hydra would lay it over the choice that is there, and keep keys of both."""
    added = [
        override
        for override in overrides
        if override.is_add() and opened.chooses(override) and override.package is None
    ]
    chosen = opened.shared([]).hydra.runtime.choices if added else {}
    for override in added:
        if override.key_or_group in chosen:
            raise UsageError(f"{override.input_line}: leave the + out, {override.key_or_group} is chosen already")


def plain_config(config: DictConfig, choices: Mapping[str, Any], name: str) -> Config:
    """What Hydra composed, as plain values with `recipe` and `choices` beside them.

    Args:
        config: without Hydra's own keys.
        choices: config group → choice, Hydra's own groups among them (they are left out).
    """
    _refuse_gaps(config, name)
    plain = moved.current_config(OmegaConf.to_container(config, resolve=True))
    assert isinstance(plain, dict)
    for key, (_, remark) in moved.renamed_values(plain).items():
        launch.say(f"note: {key}: {remark}")
    plain = dict(moved.current_keys(plain))
    chosen = {group: choice for group, choice in choices.items() if not group.startswith("hydra/")}
    return {"recipe": name, "choices": chosen, **{str(key): value for key, value in plain.items()}}


def expand(recipe: str, overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of every job of a sweep, as Hydra's basic sweeper makes them: the product of all choices.

    Raises:
        UsageError: an override cannot be read, or is a sweep over a continuous range.
    """
    with session.on_recipe(recipe) as opened:
        fixed = [str(override.input_line) for override in fixed_overrides(opened, overrides)]
        with explained(opened, fixed):  # what is swept is no mistake here
            composed = opened.compose(fixed)
        return expand_over(opened, overrides, composed)


def fixed_overrides(opened: Session, overrides: Sequence[str]) -> list[Override]:
    """Those that are no sweep.

    Raises:
        UsageError: an override cannot be read.
    """
    with explained(opened, overrides):
        return [override for override in opened.parse(overrides) if not override.is_sweep_override()]


def expand_over(opened: Session, overrides: Sequence[str], fixed: DictConfig) -> list[list[str]]:
    """The same, where what the jobs have in common is composed already.

    Args:
        fixed: composed of those overrides that are no sweep; `hydra.sweeper.params` is what the recipe itself sweeps.
    """
    params = fixed.hydra.sweeper.get("params") or {}
    with explained(opened, overrides):
        parsed = opened.parse([*(f"{key}={value}" for key, value in params.items()), *overrides])
        jobs = {
            override.get_key_element(): _assignments(override)
            for override in parsed
            if not override.is_hydra_override()
        }
    return _combinations(list(jobs.values()))


def expand_stored(stored: Plain, overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of every combination of swept values, for `recompose`; what is no sweep stays as it was written.

    Raises:
        UsageError: as `expand`.
    """
    choices, name = dict(stored["choices"]), str(stored["recipe"])
    with session.on_stored({}, choices, name) as opened, explained(opened, overrides):
        parsed = opened.parse(overrides)
        for override in parsed:
            if override.is_sweep_override() and not override.is_discrete_sweep():
                key = override.get_key_element()
                raise UsageError(f"{override.input_line} is no list of values: write {key}=4,10 or {key}=range(4,20,4)")
        swept = [
            _assignments(override) if override.is_sweep_override() else [str(override.input_line)]
            for override in parsed
        ]
    return _combinations(swept)


def _combinations(swept: Sequence[Sequence[str]]) -> list[list[str]]:
    if (count := math.prod(map(len, swept))) > MOST_JOBS:
        raise UsageError(f"the sweep has {count:,} jobs; {MOST_JOBS:,} are taken at most")
    return [list(job) for job in product(*swept)]


def _assignments(override: Override) -> list[str]:
    return [f"{override.get_key_element()}={value}" for value in _values(override)]


def spelled_out(opened: Session, overrides: Sequence[str]) -> list[str]:
    """The overrides with `group=glob(*)` as the list of choices it stands for, without `_parts` of others."""
    with explained(opened, overrides):
        return [_spelled(override) for override in opened.parse(overrides)]


def _spelled(override: Override) -> str:
    if isinstance(override.value(), Glob):
        return f"{override.get_key_element()}={','.join(_values(override))}"
    return str(override.input_line)


def _values(override: Override) -> list[str]:
    """What an override stands for in a sweep, in Hydra's grammar; of one that is no sweep its one value.

    Raises:
        UsageError: it is a sweep over a continuous range, or over nothing.
    """
    if not override.is_sweep_override():
        return [str(override.get_value_element_as_str())]
    if not override.is_discrete_sweep():
        raise UsageError(f"{override.input_line} needs a sweeper that searches: add hydra/sweeper=optuna or the like")
    values = list(islice(override.sweep_string_iterator(), MOST_JOBS + 1))  # a range has as many as it says
    if isinstance(override.value(), Glob):
        values = [value for value in values if not value.startswith("_")]
    if not values:
        raise UsageError(f"{override.input_line} stands for no value at all")
    return values


def _sets(opened: Session, override: Override) -> bool:
    plain = not (override.is_add() or override.is_force_add() or override.is_delete() or override.is_hydra_override())
    return plain and not opened.chooses(override)


def _refuse_gaps(config: DictConfig, name: str) -> None:
    """Refuse mandatory values (`???`) nobody gave, and a recipe that does not start from /base."""
    gaps = sorted(OmegaConf.missing_keys(config))
    if gaps:
        raise UsageError(f"recipe {name} leaves {', '.join(gaps)} to you: add {gaps[0]}=...")
    if "seed" not in config:
        raise UsageError(
            f"recipe {name} does not start from /base; begin it with: defaults: [/base, _self_] (or leave out ~seed)"
        )
