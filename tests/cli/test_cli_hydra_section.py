"""What Hydra itself is asked by a recipe, a run's configuration or an override runs nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lasasr.artifacts import runs
from lasasr.cli.compose import compose, recompose
from lasasr.cli.main import main
from lasasr.cli.sweep import resume, sweep
from lasasr.errors import LasasrError, UsageError

OWN = "open('mark', 'w')\nfrom hydra.experimental.callback import Callback\nclass Own(Callback): pass\n"
LOGGING = "{version: 1, handlers: {own: {(): own.Own}}, root: {handlers: [own]}}"
POWERFUL = {
    "hydra.callbacks": "{callbacks: {own: {_target_: own.Own}}}",
    "hydra.hydra_logging": f"{{hydra_logging: {LOGGING}}}",
    "hydra.job_logging": f"{{job_logging: {LOGGING}}}",
    "hydra.job.env_set": "{job: {env_set: {LASASR_ALLOW: own}}}",
}
FILE = "{version: 1, handlers: {own: {class: own.Own}}, root: {handlers: [own]}}"
COMMAND = "{version: 1, handlers: {own: {class: subprocess.Popen, args: [touch, mark]}}, root: {handlers: [own]}}"
SWEPT = {"hydra.hydra_logging": f"{{hydra_logging: {COMMAND}}}", "hydra.job_logging": f"{{job_logging: {FILE}}}"}
LAUNCHING = {
    "hydra.sweeper": "{sweeper: {_target_: own.Own}}",
    "hydra.launcher": "{launcher: {_target_: own.Own}}",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a module whose import leaves a mark."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("LASASR_ALLOW", raising=False)
    (tmp_path / "own.py").write_text(OWN)
    yield tmp_path
    sys.modules.pop("own", None)


def recipe(text: str) -> str:
    Path("mine.yaml").write_text(text)
    return "mine.yaml"


def nothing(run: runs.Run, config: dict[str, Any], overrides: list[str]) -> None:
    """The work of a job."""


@pytest.mark.parametrize(
    ("key", "section"),
    [*POWERFUL.items(), *SWEPT.items(), *LAUNCHING.items(), ("hydra.job.chdir", "{job: {chdir: true}}")],
)
def test_a_recipe_that_sets_it_is_not_swept(folder: Path, key: str, section: str) -> None:
    for text in (f"defaults: [/base, _self_]\nhydra: {section}\n", "defaults: [/base, extra: own, _self_]\n"):
        Path("extra").mkdir(exist_ok=True)
        Path("extra/own.yaml").write_text(f"# @package _global_\nhydra: {section}\n")
        with pytest.raises(UsageError, match=rf"^recipe mine.yaml sets {key}.*, which can run commands"):
            sweep(recipe(text), ["seed=1,2"], nothing)
    assert not (folder / "mark").exists()


@pytest.mark.parametrize(
    ("key", "override"),
    [
        ("hydra.callbacks", "+hydra.callbacks.own={_target_: own.Own}"),
        ("hydra.job_logging", "+hydra.job_logging.handlers.own={(): own.Own}"),
        ("hydra.job.env_set", "+hydra.job.env_set.LASASR_ALLOW=own"),
    ],
)
def test_an_override_that_a_sweep_was_stored_with_may_not_either(folder: Path, key: str, override: str) -> None:
    override = override.replace("{()", "{'()'")
    with pytest.raises(UsageError, match=rf"sets {key}.*, which can run commands|cannot read"):
        sweep("synthetic/las_char", ["seed=1,2", override], nothing)
    assert not (folder / "mark").exists()


@pytest.mark.parametrize(
    "override",
    [
        "+hydra.callbacks.own={_target_: own.Own}",
        "+hydra.job_logging.handlers={own: {class: own.Own}}",
        "hydra.searchpath=[pkg://own]",
    ],
)
def test_nor_one_that_was_written_into_a_sweep(folder: Path, override: str) -> None:
    sweep("synthetic/las_char", ["seed=1,2"], nothing)
    (file,) = Path("runs").rglob("sweep.json")
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "overrides": [*stored["overrides"], override]}))
    with suppress(UsageError):  # one that Hydra would not compose as planned is resumed without Hydra
        resume(file.parent, nothing)
    assert not (folder / "mark").exists()
    file.write_text(json.dumps({**stored, "runs": [], "jobs": [], "overrides": ["seed=1,2", override]}))
    with pytest.raises(UsageError, match=r"LASASR_ALLOW=(hydra|own)$"):  # as of a sweeper that searches
        resume(file.parent, nothing)
    assert not (folder / "mark").exists()


def test_who_trusts_the_file_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASASR_ALLOW", "hydra")
    text = f"defaults: [/base, _self_]\nhydra: {POWERFUL['hydra.callbacks']}\n"
    sweep(recipe(text), ["seed=1,2"], nothing)
    assert (folder / "mark").exists()


def test_a_grid_of_a_recipe_is_still_swept(folder: Path) -> None:
    text = "defaults: [/base, _self_]\nhydra: {sweeper: {params: {attend: 'dot,location'}}}\n"
    assert len(sweep(recipe(text), [], nothing)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "hydra: {searchpath: ['pkg://own']}",
        "hydra: {searchpath: ['file://.', 'pkg://own/configs']}",
        "package: pkg://own\nhydra: {searchpath: ['${package}']}",
    ],
)
@pytest.mark.parametrize("line", [[], ["-m", "seed=1,2"], ["--cfg", "job"]])
def test_a_recipe_has_no_package_imported(
    folder: Path, text: str, line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", recipe(f"defaults: [/base, _self_]\n{text}\n"), *line]) == 2
    assert "which would import own" in capsys.readouterr().err
    assert not (folder / "mark").exists()


def test_an_override_has_no_package_imported_unless_it_is_allowed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for overrides in (["hydra.searchpath=[pkg://own]"], ["hydra.searchpath=['file:///tmp', 'pkg://own']"]):
        with pytest.raises(UsageError, match="would import own; write file://FOLDER"):
            compose("synthetic/las_char", overrides)
    assert not (folder / "mark").exists()
    assert compose("synthetic/las_char", ["hydra.searchpath=[pkg://lasasr.configs, file:///tmp]"])["seed"] == 1
    monkeypatch.setenv("LASASR_ALLOW", "own")
    compose("synthetic/las_char", ["hydra.searchpath=[pkg://own]"])
    assert (folder / "mark").exists()


@pytest.mark.parametrize(
    "edit",
    [{"hydra": {"searchpath": ["pkg://own"]}}, {"defaults": [{"/attend": "dot"}]}, {"defaults": ["_self_", "/base"]}],
)
def test_the_configuration_of_a_run_tells_hydra_nothing(folder: Path, edit: dict[str, Any]) -> None:
    config = compose("synthetic/las_char") | edit
    with pytest.raises(LasasrError, match=rf"holds {next(iter(edit))}, which no run writes"):
        recompose(config, ["search=greedy"])
    assert not (folder / "mark").exists()


@pytest.mark.parametrize("text", ["${oc.env:SECRET}", r"\${seed}", r"a\\${seed}", "$x {y} $$ ${", "${seed}${seed}"])
def test_what_a_run_has_stored_is_text(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET", "read")
    config = compose("synthetic/las_char")
    config["corpus"]["root"] = text
    runs.Run(tmp_path / "run").start(config, [])
    assert recompose(runs.Run(tmp_path / "run").config(), ["search=greedy"])["corpus"]["root"] == text
