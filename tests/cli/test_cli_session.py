"""Files of packages, parsed once in a process: what Hydra reads by itself, in every composition anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra._internal.core_plugins.importlib_resources_config_source import ImportlibResourcesConfigSource
from omegaconf import OmegaConf
from yaml import YAMLError

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
