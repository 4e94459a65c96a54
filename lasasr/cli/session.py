"""Hydra, opened on one recipe or on the configuration of a run, and closed again without a trace."""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.core_plugins.importlib_resources_config_source import ImportlibResourcesConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lasasr.artifacts.files import MOST_DEPTH
from lasasr.cli import bounded, recipes
from lasasr.cli.hydra_section import check_composed, check_search_path
from lasasr.configuration.sections import Plain
from lasasr.errors import LasasrError, UsageError

DICTIONARY = ("pkg://lasasr.configs", f"pkg://{recipes.PACKAGE}")
VERSION_BASE = "1.3"
STORED = "_run_"  # name of a run's configuration in Hydra's store


class Dictionary(SearchPathPlugin):
    """Lets every primary config, also a user's own, name `/base`, the groups and the shipped recipes."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the shipped folders after the recipe's own."""
        for path in DICTIONARY:
            search_path.append(provider="lasasr", path=path)


class PackagedFiles(ImportlibResourcesConfigSource):
    """Hydra's files of packages, each text parsed once: a composition reads some forty, and a sweep composes often."""

    def _read_config(self, res: Any) -> ConfigResult:
        try:
            config, header = _parsed(res.read_text(encoding="utf-8"))
        except YAMLError:
            return super()._read_config(res)  # names the file in its error
        path = f"{self.scheme()}://{self.path}"
        return ConfigResult(config=copy.deepcopy(config), path=path, provider=self.provider, header=dict(header))


@cache  # of what is installed, not of what a user may write without end
def _parsed(text: str) -> tuple[Any, dict[str, str | None]]:
    return OmegaConf.load(io.StringIO(text)), ConfigSource._get_header_dict(text[:512])


@dataclass(frozen=True)
class Session:
    """Hydra opened on the primary config `config`, which messages call `name`."""

    name: str
    config: str
    _shared: dict[tuple[str, ...], DictConfig] = field(default_factory=dict, repr=False, compare=False)
    _groups: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)
    _choices: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)
    _parsed: dict[str, Override] = field(default_factory=dict, repr=False, compare=False)

    @property
    def loader(self) -> ConfigLoaderImpl:
        """Hydra's view of all yaml files."""
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, ConfigLoaderImpl)
        return loader

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The composed configuration, with Hydra's own below `hydra`; Hydra's errors pass through.

        Raises:
            UsageError: a recipe would run code by it, or fill the memory (`bounded`); a folder to search is a package
                that may not be imported.
        """
        for override in self.parse([text for text in overrides if "searchpath" in text]):
            check_search_path(override.value(), str(override.input_line))
        config = self._set_on_top(overrides) or hydra.compose(self.config, list(overrides), return_hydra_config=True)
        check_composed(config, f"recipe {self.name}")
        bounded.refuse(config, self.name)
        if not overrides:
            self._note_groups(config.hydra.runtime.choices)
        return config

    def _note_groups(self, choices: Iterable[Any]) -> None:
        self._groups[self.config] = [group for group in map(str, choices) if not group.startswith("hydra/")]

    def _set_on_top(self, overrides: Sequence[str]) -> DictConfig | None:
        """The same where overrides set keys: on a copy of what their choices compose, which is composed only once.

        It is what Hydra does behind its composition. Jobs of a sweep, the checks of values and the search for a
        mistake need the configuration without the keys, too, and the composition takes nearly all of the time.
        None: no override sets a key, or one is Hydra's own or a sweep, of which Hydra knows more.
        """
        parsed = self.parse(overrides)
        if not parsed or any(override.is_hydra_override() or override.is_sweep_override() for override in parsed):
            return None
        # with the folders that the recipe adds
        _, repository = self.loader._parse_overrides_and_create_caching_repo(self.config, [])
        keys, chosen = [], []
        for override in parsed:
            if isinstance(override.value(), dict) or not repository.group_exists(override.key_or_group):
                keys.append(override)
            else:
                chosen.append(str(override.input_line))
        if not keys:
            return None
        config = copy.deepcopy(self.shared(chosen))
        self.loader._apply_overrides_to_config(keys, config)
        config.hydra.overrides.task = [each.input_line for each in parsed]
        config.hydra.job.override_dirname = get_overrides_dirname(parsed, **config.hydra.job.config.override_dirname)
        return config

    def shared(self, overrides: Sequence[str]) -> DictConfig:
        """What `compose` gives, composed once in this session: to look at, not to change."""
        key = (self.config, *overrides)
        if key not in self._shared:
            self._shared[key] = self.compose(overrides)
        return self._shared[key]

    def groups(self) -> list[str]:
        """The config groups that the primary config chooses from, without Hydra's own."""
        if self.config not in self._groups:  # it was composed with choices of a command line only
            self._note_groups(self.loader.compute_defaults_list(self.config, [], RunMode.RUN).overrides.known_choices)
        return self._groups[self.config]

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """The overrides, read by Hydra's grammar.

        Raises:
            UsageError: one has more brackets within brackets than the grammar can be followed into.
        """
        for override in overrides:
            if sum(map(override.count, "[{(")) > MOST_DEPTH:
                raise UsageError(f"{override[:40]}... has more than {MOST_DEPTH} brackets; write a recipe")
        if new := [override for override in dict.fromkeys(overrides) if override not in self._parsed]:
            read = OverridesParser.create(config_loader=self.loader).parse_overrides(new)
            self._parsed.update(zip(new, read, strict=True))
        return [self._parsed[override] for override in overrides]

    def choices(self, group: str) -> list[str]:
        """The choices of a config group; none if there is no such group. A name with `_` is a part of others."""
        if group not in self._choices:  # the loader would copy all that it knows to answer, and each override asks
            options = self.loader.repository.get_group_options(group, ObjectType.CONFIG)
            self._choices[group] = [name for name in options if not name.startswith("_")]
        return self._choices[group]

    def chooses(self, override: Override) -> bool:
        """Whether the override chooses from a config group rather than setting a key."""
        group = override.key_or_group
        return bool(group) and not isinstance(override.value(), dict) and bool(self.choices(group))


@contextmanager
def on_recipe(recipe: str) -> Iterator[Session]:
    """Open Hydra on a recipe; its folder comes first in the search path, so that it may bring groups of its own.

    Hydra is opened on that very folder: a group that the command line adds (+scorer@search.scorers.mine=mine) is looked
    for beside the recipe, as Hydra has it, and so in the dictionary too.

    Raises:
        UsageError: there is no such recipe, or it would have Hydra import a package to look for yaml files.
    """
    file = recipes.find(recipe)
    path = file.folder / file.config
    with _alone(), hydra.initialize_config_dir(str(path.parent), job_name="lasasr", version_base=VERSION_BASE):
        if recipe.endswith(".yaml"):
            _check_file(recipe, path.name)
        yield Session(recipe, path.name)


def _check_file(recipe: str, config: str) -> None:
    loader = GlobalHydra.instance().config_loader()
    assert isinstance(loader, ConfigLoaderImpl)
    try:
        primary = loader.repository.load_config(config_path=config)
    except (OmegaConfBaseException, YAMLError, ValueError):  # composing it will say what is wrong
        return
    if primary is not None and OmegaConf.is_dict(primary.config):
        folders = OmegaConf.select(primary.config, "hydra.searchpath")
        check_search_path(list(folders) if OmegaConf.is_list(folders) else folders, f"recipe {recipe}")


@contextmanager
def on_stored(config: Plain, choices: Mapping[str, Any], name: str) -> Iterator[Session]:
    """Open Hydra on a resolved configuration, so that overrides apply to it as they do to a recipe.

    Args:
        config: plain values, without the groups that overrides will choose anew.
        choices: the groups that can be chosen anew.
        name: what messages call it.

    Raises:
        LasasrError: it holds what would tell Hydra what to read.
    """
    if steering := sorted({"defaults", "hydra"}.intersection(config)):
        raise LasasrError(f"the configuration of {name} holds {steering[0]}, which no run writes: it was edited")
    node = {"defaults": ["_self_", *({group: None} for group in choices)], **_literal(config)}
    ConfigStore.instance().store(name=STORED, node=node)
    try:
        with _alone(), hydra.initialize_config_module(recipes.PACKAGE, job_name="lasasr", version_base=VERSION_BASE):
            yield Session(name, STORED)
    finally:
        cast(Any, ConfigStore.instance()).repo.pop(f"{STORED}.yaml")


def _literal(value: Any) -> Any:
    """Plain values that stay what they are when Hydra resolves interpolations."""
    if isinstance(value, Mapping):
        return {key: _literal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_literal(inner) for inner in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value


@contextmanager
def _alone() -> Iterator[None]:
    """Set an open Hydra (we may run inside a job of a sweep) aside, and put it back."""
    if Dictionary not in Plugins.instance().discover(SearchPathPlugin):
        Plugins.instance().register(Dictionary)
    outer, sources = GlobalHydra.instance().hydra, SourcesRegistry.instance().types
    before = {scheme: sources[scheme] for scheme in ("file", "pkg")}
    GlobalHydra.instance().clear()
    sources |= {"file": bounded.BoundedFiles, "pkg": PackagedFiles}
    try:
        yield
    finally:
        sources |= before
        GlobalHydra.instance().hydra = outer
