"""RECIPE and overrides → one plain configuration; every mistake in them is a `UsageError` of one line.

What comes back is resolved, holds only dicts, lists and scalars, and names the `recipe` and the group `choices` beside
the values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import Any, cast

from hydra.core.override_parser.types import Glob, Override
from omegaconf import DictConfig, OmegaConf, open_dict

from lasasr import moved
from lasasr.cli import recipes, session, values
from lasasr.cli.errors import explained, foundation
from lasasr.cli.known import refuse_not_taken, refuse_unknown
from lasasr.cli.session import Session
from lasasr.errors import UsageError

Config = dict[str, Any]
MOST_JOBS = 10_000  # of a sweep: each is composed before the first one runs


def compose(recipe: str, overrides: Sequence[str] = ()) -> Config:
    """The configuration of one run.

    Raises:
        UsageError: unknown recipe, key or choice, a value of the wrong kind, a value still missing, ...
    """
    with session.on_recipe(recipe) as opened:
        name = recipes.find(recipe).name
        made = composed(opened, overrides, name)
        if recipe.endswith(".yaml"):  # a file; those that are shipped are held to it by the tests
            with explained(opened, overrides):
                _refuse_unknown(opened, overrides, name)
            refuse_not_taken(made, name)
        return made


def _refuse_unknown(opened: Session, overrides: Sequence[str], name: str) -> None:
    config = opened.compose(overrides)
    start = replace(opened, config="lm_base" if "lm" in config else "base")
    choices = {str(group): choice for group, choice in config.hydra.runtime.choices.items()}
    chosen = [group for group in start.compose([]).hydra.runtime.choices if not group.startswith("hydra/")]
    base = start.compose([f"{group}={choices[group]}" if choices.get(group) else f"~{group}" for group in chosen])
    with open_dict(config):
        del config["hydra"]
    added = [str(one.key_or_group) for one in opened.parse(overrides) if one.is_add() or one.is_force_add()]
    refuse_unknown(config, base, choices, added, name)


def recompose(config: Mapping[str, Any], overrides: Sequence[str]) -> Config:
    """A run's configuration with overrides on top; `search=beam` composes that group anew.

    Args:
        config: what `compose` returned, perhaps read back from the run's config.yaml.

    Raises:
        UsageError: as `compose`.
    """
    choices, name = dict(config["choices"]), str(config["recipe"])
    plain = {key: value for key, value in config.items() if key not in ("choices", "recipe", "schema")}
    with session.on_stored({}, choices, name) as opened, explained(opened, overrides):
        chosen = {one.key_or_group for one in opened.parse(overrides) if opened.chooses(one)}
    kept = {key: value for key, value in plain.items() if key not in chosen}
    with session.on_stored(kept, choices, name) as opened:
        made = composed(opened, overrides, name)
    made["choices"] = choices | {key: value for key, value in made["choices"].items() if value is not None}
    return made


def composed(opened: Session, overrides: Sequence[str], name: str) -> Config:
    """Compose in an open session, resolve, and check the values."""
    with explained(opened, overrides):
        config = opened.compose(overrides)
        choices = OmegaConf.to_container(config.hydra.runtime.choices)
        with open_dict(config):
            del config["hydra"]
        plain = plain_config(config, cast(Config, choices), name)
        setting = [one for one in opened.parse(overrides) if _sets(opened, one)]
        if setting:
            values.check(setting, foundation(opened, opened.parse(overrides)), plain)
    return plain


def plain_config(config: DictConfig, choices: Mapping[str, Any], name: str) -> Config:
    """What Hydra composed, as plain values with `recipe` and `choices` beside them.

    Args:
        config: without Hydra's own keys.
        choices: config group → choice, Hydra's own groups among them (they are left out).
    """
    _refuse_gaps(config, name)
    made = moved.current_config(OmegaConf.to_container(config, resolve=True))
    assert isinstance(made, dict)
    chosen = {group: choice for group, choice in choices.items() if not group.startswith("hydra/")}
    return {"recipe": name, "choices": chosen, **{str(key): value for key, value in made.items()}}


def expand(recipe: str, overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of every job of a sweep, as Hydra's basic sweeper makes them: the product of all choices.

    Raises:
        UsageError: an override cannot be read, or is a sweep over a continuous range.
    """
    with session.on_recipe(recipe) as opened, explained(opened, overrides):
        parsed = opened.parse([*_swept_by_recipe(opened, overrides), *overrides])
        jobs = {one.get_key_element(): _values(one) for one in parsed if not one.is_hydra_override()}
    if (count := math.prod(map(len, jobs.values()))) > MOST_JOBS:
        raise UsageError(f"the sweep has {count:,} jobs; {MOST_JOBS:,} are taken at most")
    return [[f"{key}={value}" for key, value in zip(jobs, job, strict=True)] for job in product(*jobs.values())]


def spelled_out(recipe: str, overrides: Sequence[str]) -> list[str]:
    """The overrides with `group=glob(*)` as the list of choices it stands for, without `_parts` of others."""
    with session.on_recipe(recipe) as opened, explained(opened, overrides):
        return [_spelled(one) for one in opened.parse(overrides)]


def _spelled(override: Override) -> str:
    if isinstance(override.value(), Glob):
        return f"{override.get_key_element()}={','.join(_values(override))}"
    return str(override.input_line)


def _values(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [str(override.get_value_element_as_str())]
    if not override.is_discrete_sweep():
        raise UsageError(f"{override.input_line} needs a sweeper that searches: add hydra/sweeper=optuna or the like")
    found = list(islice(override.sweep_string_iterator(), MOST_JOBS + 1))  # a range has as many as it says
    return [one for one in found if not one.startswith("_")] if isinstance(override.value(), Glob) else found


def _swept_by_recipe(opened: Session, overrides: Sequence[str]) -> list[str]:
    """What the recipe itself sweeps over, in `hydra.sweeper.params`."""
    fixed = [str(one.input_line) for one in opened.parse(overrides) if not one.is_sweep_override()]
    params = opened.compose(fixed).hydra.sweeper.get("params") or {}
    return [f"{key}={value}" for key, value in params.items()]


def _sets(opened: Session, override: Override) -> bool:
    plain = not (override.is_add() or override.is_force_add() or override.is_delete() or override.is_hydra_override())
    return plain and not opened.chooses(override)


def _refuse_gaps(config: DictConfig, name: str) -> None:
    """Refuse mandatory values (`???`) nobody gave, and a recipe that does not start from /base."""
    gaps = sorted(OmegaConf.missing_keys(config))
    if gaps:
        raise UsageError(f"recipe {name} leaves {', '.join(gaps)} to you: add {gaps[0]}=...")
    if "seed" not in config:
        raise UsageError(f"recipe {name} does not start from /base; begin it with: defaults: [/base, _self_]")
