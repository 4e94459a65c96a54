"""The base installation: what transcribes, and what the other verbs say."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from commandline import TINY

from lasasr.cli import missing_packages
from lasasr.cli.main import VERBS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DISTRIBUTIONS = {"PIL": "pillow", "yaml": "pyyaml", "hydra": "hydra-core", "espeakng_loader": "espeakng-loader"}
RUN = "import sys; sys.modules.update(dict.fromkeys({blocked!r})); from lasasr.cli.main import main; sys.exit(main())"
IN_BASE = {"transcribe", "export"}


def lasasr(blocked: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command where some packages cannot be imported."""
    code = [sys.executable, "-c", RUN.format(blocked=blocked), *arguments]
    return subprocess.run(code, capture_output=True, text=True, check=False, timeout=120)


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!\[]", requirement)[0] for requirement in requirements}


def test_each_module_is_brought_by_the_extra_that_is_named_and_not_by_the_base() -> None:
    for module, extra in missing_packages.EXTRAS.items():
        distribution = DISTRIBUTIONS.get(module, module)
        assert distribution in names(PROJECT["optional-dependencies"][extra])
        assert distribution not in names(PROJECT["dependencies"])


def test_the_base_has_its_line_where_it_was_left_out() -> None:
    assert {DISTRIBUTIONS.get(module, module) for module in missing_packages.BASE} == names(PROJECT["dependencies"])
    done = lasasr(missing_packages.BASE, "export", "bundle", "--out", "out")
    assert done.returncode == 1
    assert re.fullmatch(
        r"lasasr: this needs \w+, which is not installed: pip install lasasr \(it was installed with --no-deps\)\n",
        done.stderr,
    ), done.stderr


def test_everything_of_train_has_its_line() -> None:
    brought = {DISTRIBUTIONS.get(module, module) for module in missing_packages.EXTRAS}
    assert names(PROJECT["optional-dependencies"]["train"]) <= brought


@pytest.mark.parametrize("extra", ["synthetic", "dev"])
def test_the_commands_of_earlier_versions_bring_training_too(extra: str) -> None:
    assert "lasasr[train]" in PROJECT["optional-dependencies"][extra]


@pytest.mark.parametrize("arguments", [("train", "synthetic/las_char"), ("doctor", "synthetic/las_char")])
def test_a_verb_names_the_command_that_brings_its_packages(arguments: tuple[str, ...]) -> None:
    assert arguments[0] in set(VERBS) - IN_BASE
    done = lasasr(tuple(missing_packages.EXTRAS), *arguments)
    assert done.returncode == 1
    assert re.fullmatch(
        r"lasasr: this needs \w+, which is not installed: pip install 'lasasr\[train\]'\n", done.stderr
    ), done.stderr


def test_the_base_installation_transcribes_without_any_package_of_an_extra() -> None:
    data = ROOT / "tests" / "data" / "v0_1_0" / "work"
    audio = data / "data" / "audio" / "test-00.flac"
    done = lasasr((*missing_packages.EXTRAS, "torchaudio"), "transcribe", str(data / "bundles" / "bpe"), str(audio))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{audio}\t")


@pytest.mark.slow
def test_training_and_decoding_need_no_torchaudio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside torch without CUDA its import fails."""
    for name in ("LASASR_DATA", "LASASR_PREPARED", "LASASR_RUNS"):
        monkeypatch.setenv(name, str(tmp_path / name))
    done = lasasr(("torchaudio",), "train", "synthetic/las_char", *TINY)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("LASASR_RUNS/synthetic/las_char/*/results/test.json"))
