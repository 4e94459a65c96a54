"""The shipped yaml: every recipe and every choice of every group composes, and every value has its parameter's type."""

import inspect
import typing
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_object

from lasasr.cli import recipes
from lasasr.cli.compose import compose
from lasasr.configuration.typed import matches
from lasasr.models.factory import check_targets

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
BASE = "synthetic/las_char"
LM_BASE = "lm/synthetic_char"  # where a group is one of language models alone
ADDED = {"scorer": "search.scorers"}  # group → the named mapping whose entries it describes
NEEDED = {  # beside it
    ("listen", "pretrained"): ["~listen.hidden_dim", "listen.layers=last", "listen.weights=folder"],
    ("adapt", "replay"): ["+corpus@adapt.replay.corpus=librispeech"],
}
TRAINED = ROOT / "tests" / "data" / "v0_1_0" / "work" / "bundles" / "bpe"  # what an adaptation begins with
CHOICES = sorted(
    (path.parent.relative_to(CONFIGS).as_posix(), path.stem)
    for path in CONFIGS.rglob("*.yaml")
    if path.parent != CONFIGS and not path.name.startswith("_")
)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LASASR_DATA", "LASASR_PREPARED", "LASASR_RUNS", "LASASR_ALLOW"):
        monkeypatch.delenv(name, raising=False)


def targets(config: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(config, Mapping):
        if "_target_" in config:
            yield place, config
        for key, value in config.items():
            yield from targets(value, f"{place}.{key}" if place else str(key))
    elif isinstance(config, list):
        for number, value in enumerate(config):
            yield from targets(value, f"{place}[{number}]")


def wrong_values(config: Mapping[str, Any]) -> Iterator[str]:
    """Keys that are no parameter of their `_target_`, or whose value its annotation does not take."""
    for place, part in targets(config):
        made = get_object(part["_target_"])
        function = made.__init__ if isinstance(made, type) else made
        hints, parameters = typing.get_type_hints(function), inspect.signature(function).parameters
        open_ended = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
        for key, value in part.items():
            if key in ("_target_", "_partial_", "_convert_", "_recursive_"):
                continue
            if key not in parameters and not open_ended:
                yield f"{place}.{key} is no parameter of {part['_target_']}"
            elif key in hints and not isinstance(value, Mapping | list) and not fits(hints[key], value):
                yield f"{place}.{key}: {value!r} is not of the type {hints[key]}"


def fits(annotation: Any, value: Any) -> bool:
    """As `matches`, but where fractions are meant a whole number must be written with a point."""
    if isinstance(value, int) and not isinstance(value, bool) and matches(0.5, annotation):
        return annotation is Any or int in typing.get_args(annotation)
    return matches(value, annotation)


def check(config: Mapping[str, Any]) -> None:
    check_targets(config)
    assert list(wrong_values(config)) == []


@pytest.mark.parametrize("recipe", recipes.shipped())
def test_every_recipe_composes_and_sets_only_keys_that_are_read(recipe: str) -> None:
    check(compose(str(recipes.shipped_folder() / f"{recipe}.yaml")))  # a file is asked which keys it sets


@pytest.mark.parametrize("recipe", [name for name in recipes.shipped() if name.startswith("lm/")])
def test_every_language_model_takes_a_further_key(recipe: str) -> None:
    compose(recipe, ["+trainer.limit_val_batches=2"])  # all its parts are asked which keys they take


@pytest.mark.parametrize("choice", ["none", "speed_noise"])
@pytest.mark.parametrize("recipe", [name for name in recipes.shipped() if not name.startswith("lm/")])
def test_every_recipe_takes_another_augmentation_and_a_further_key(recipe: str, choice: str) -> None:
    """Whatever options of SpecAugment its body has, and whatever its front end says of its rate."""
    config = compose(recipe, [f"augment={choice}", *(["+trainer.limit_val_batches=2"] if choice == "none" else [])])
    check(config)
    assert config["augment"]["specaugment"] is None
    rates = [part["sample_rate_hz"] for part in config["augment"]["waveform"] if "sample_rate_hz" in part]
    assert rates == ([config["frontend"].get("sample_rate_hz", 16_000)] if choice == "speed_noise" else [])


def together() -> list[list[tuple[str, str]]]:
    """All choices, each once, those of different groups in one composition.

    But for language models, adaptations, whose parts are those of a bundle, and scorers, which greedy search lacks.
    """
    alone = [[each] for each in CHOICES if each[0] in ("lm", "adapt", "scorer")]
    groups: dict[str, list[tuple[str, str]]] = {}
    for group, choice in CHOICES:
        if [(group, choice)] not in alone:
            groups.setdefault(group, []).append((group, choice))
    return alone + [[each for each in row if each] for row in zip_longest(*groups.values())]


@pytest.mark.parametrize("chosen", together(), ids=lambda chosen: ",".join(map("=".join, chosen)))
def test_every_choice_composes(chosen: list[tuple[str, str]]) -> None:
    words = {f"{group}@{ADDED[group]}.{choice}" if group in ADDED else group: choice for group, choice in chosen}
    overrides = [f"{'+' if '@' in key else ''}{key}={choice}" for key, choice in words.items()]
    overrides += [word for each in chosen for word in NEEDED.get(each, [])]
    overrides += [f"warm_start.run={TRAINED}"] if "adapt" in words else []
    config = compose(LM_BASE if "lm" in words else BASE, overrides)
    assert config["choices"].items() >= words.items()
    check(config)


def test_choices_are_composed_once_each() -> None:
    assert sorted(each for row in together() for each in row) == CHOICES


def test_a_recipe_is_short() -> None:
    for path in recipes.shipped_folder().rglob("*.yaml"):
        assert len(path.read_text().splitlines()) <= 25, path


def test_every_group_has_a_default_in_base() -> None:
    defaults = {group.partition("@")[0] for base in (BASE, LM_BASE) for group in compose(base)["choices"]}
    lists = {"adapt", "logger"}  # of which several are chosen: Hydra notes no single choice
    assert lists <= compose(BASE).keys()
    assert {group for group, _ in CHOICES} == defaults | lists | set(ADDED)
