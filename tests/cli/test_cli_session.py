"""Files parsed once in a process, choices composed once in a session: what Hydra does by itself, each time anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra._internal.core_plugins.importlib_resources_config_source import ImportlibResourcesConfigSource
from omegaconf import OmegaConf
from omegaconf.base import Container
from yaml import YAMLError

from lasasr.cli import session
from lasasr.cli.session import PackagedFiles

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml"))


def test_they_are_what_hydra_reads_by_itself() -> None:
    assert len(NAMES) > 100
    ours, hydras = (kind("lasasr", "pkg://lasasr.configs") for kind in (PackagedFiles, ImportlibResourcesConfigSource))
    for name in NAMES:
        read, expected = ours.load_config(name), hydras.load_config(name)
        assert read == expected, name
        assert OmegaConf.to_yaml(read.config) == OmegaConf.to_yaml(expected.config)


def test_what_a_composition_does_to_one_is_not_seen_by_the_next() -> None:
    files = PackagedFiles("lasasr", "pkg://lasasr.configs")
    first, before = files.load_config("base"), files.load_config("base")
    assert OmegaConf.is_dict(first.config)
    first.config["seed"] = "other"
    first.config.optimizer = {}
    first.header["package"] = "elsewhere"
    assert files.load_config("base") == before != first


def test_one_that_is_edited_is_read_anew_and_one_that_is_no_yaml_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "edited_yaml_package"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    files = PackagedFiles("own", f"pkg://{package.name}")
    for number in (1, 2):
        (package / "one.yaml").write_text(f"# @package listen\nlayers: {number}\n")
        read = files.load_config("one")
        assert (read.config, read.header) == ({"layers": number}, {"package": "listen"})
    (package / "one.yaml").write_text("a: [")
    with pytest.raises(YAMLError, match=r"one\.yaml"):
        files.load_config("one")


ON_TOP = {
    "a key": ["seed=3"],
    "a key of a part that is chosen": ["attend.dim=8", "attend=dot", "listen=blstm"],
    "a key added": ["+one.two={three: [4, 5], six: null}", "attend=dot", "++seed=x"],
    "a key deleted": ["~trainer.max_epochs", "attend=dot", "~augment"],
    "an interpolation": ["name=a-${seed}-${attend.dim}", "seed=7"],
    "a mapping where a group is": ["attend={dim: 8}"],
    "a key twice": ["seed=3", "attend=dot", "seed=4"],
    "another package": ["+scorer@search.scorers.length=length", "search.scorers.length.weight=0.5"],
    "Hydra's own": ["hydra.job.name=x", "seed=3"],
}


def nodes(node: Any, place: str = "") -> Iterator[tuple[Any, ...]]:
    """All of a configuration, unresolved, with its flags."""
    kind = node._metadata
    is_config = isinstance(node, Container) and isinstance(node._content, dict | list)  # no interpolation, not missing
    yield place, type(node), kind.flags, kind.ref_type, kind.object_type, None if is_config else node._value()
    if is_config:
        pairs = node._content.items() if isinstance(node._content, dict) else enumerate(node._content)
        for key, inner in pairs:
            yield from nodes(inner, f"{place}.{key}")


@pytest.mark.parametrize("overrides", ON_TOP.values(), ids=ON_TOP)
def test_keys_set_on_top_of_choices_make_what_hydra_composes(overrides: list[str]) -> None:
    with session.on_recipe("synthetic/las_char") as opened:
        found = opened.compose(overrides)
        shared = {key: list(nodes(config)) for key, config in opened._shared.items()}
        expected = hydra.compose(opened.config, list(overrides), return_hydra_config=True)
        assert list(nodes(found)) == list(nodes(expected))
        assert bool(shared) is not any("hydra." in override for override in overrides)
        opened.compose([*overrides, "batching.max_utterances=3"])
        assert shared == {key: list(nodes(config)) for key, config in opened._shared.items()}  # not changed by it


@pytest.mark.parametrize(
    "overrides", [["atend.dim=8"], ["~atend"], ["+seed=3"], ["listen@a=blstm"], ["seed=3", "attend=x"]]
)
def test_what_hydra_refuses_is_refused_in_its_words(overrides: list[str]) -> None:
    with session.on_recipe("synthetic/las_char") as opened:
        with pytest.raises(Exception) as hydras:
            hydra.compose(opened.config, list(overrides), return_hydra_config=True)
        with pytest.raises(type(hydras.value)) as found:
            opened.compose(overrides)
        assert str(found.value) == str(hydras.value)


@pytest.mark.parametrize("recipe", ["synthetic/las_char", "lm/synthetic_char", "librispeech40/pretrained"])
def test_groups_are_the_same_however_a_recipe_was_composed_before(recipe: str) -> None:
    with session.on_recipe(recipe) as opened:
        expected = opened.groups()
    for overrides in ([], ["seed=3"], ["attend=dot"]):
        with session.on_recipe(recipe) as opened:
            if "lm/" not in recipe or overrides != ["attend=dot"]:
                opened.compose(overrides)
            assert opened.groups() == expected


def test_a_group_of_a_folder_that_a_recipe_adds_is_a_choice(tmp_path: Path) -> None:
    (tmp_path / "parts" / "extra").mkdir(parents=True)
    for name in ("one", "two"):
        (tmp_path / "parts" / "extra" / f"{name}.yaml").write_text(f"value: {name}\n")
    lines = ["defaults: [/base, extra: one, _self_]", "hydra: {searchpath: [parts]}"]
    (tmp_path / "own.yaml").write_text("\n".join(lines).replace("parts", str(tmp_path / "parts")))
    with session.on_recipe(str(tmp_path / "own.yaml")) as opened:
        config = opened.compose(["extra=two", "seed=3"])
        assert (config.extra.value, config.seed) == ("two", 3)
