"""The tutorial and the notebooks do what they say, run as a reader runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^ {4}((?:python|lasasr) .+)$", PAGE, re.MULTILINE)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def block(language: str) -> str:
    """The block of a language, of which the page has one."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def output_block(command: str) -> list[str]:
    """The lines that the page shows as the output of a command."""
    (text,) = re.findall(rf"^ {{4}}{command} .*?^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(text).splitlines()


def doctors_findings(lines: list[str]) -> list[list[str]]:
    """Severity, split and name of each finding about an error or a warning."""
    return [re.split(r"  +", line)[:3] for line in lines if line.startswith(("error ", "warning "))]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Where `python` and `lasasr` are those of the tests, and nothing of the machine's own is found."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, words in (("python", ""), ("lasasr", "-m lasasr ")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n')
        (programs / name).chmod(0o755)
    places = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    others = {name: value for name, value in os.environ.items() if not name.startswith("LASASR_")}
    return {**others, **places}


def test_the_tutorial_has_every_step() -> None:
    verbs = [command.split()[1] for command in COMMANDS if command.startswith("lasasr")]
    assert verbs == ["import", "doctor", "train", "transcribe", "train", "compare"]


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, environment: dict[str, str]) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "say.py").write_text(block("python"))
    (work / "my.yaml").write_text(block("yaml"))
    shown = {}
    for command in COMMANDS:
        done = subprocess.run(
            ["sh", "-c", command], cwd=work, env=environment, capture_output=True, text=True, timeout=3600, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        sys.stdout.write(f"$ {command}\n{done.stdout}\n")  # pytest -rP shows it, to be compared with the page
        shown[command] = done.stdout
    assert output_block("lasasr import") == shown[COMMANDS[1]].splitlines()
    on_page = doctors_findings(output_block("lasasr doctor"))  # the first ones
    assert on_page
    assert on_page == doctors_findings(shown[COMMANDS[2]].splitlines())[: len(on_page)]
    assert list(work.glob("runs/my/first-*/plots/attention-test-*.png"))
    assert "these runs" in shown[COMMANDS[-1]]
    assert (work / "page.html").stat().st_size > 10_000
    assert r"\toprule" in (work / "table.tex").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(
    notebook: Path, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed (the extra notebooks)")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed (the extra notebooks)")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed (the extra notebooks)")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith("LASASR_")]:
        monkeypatch.delenv(name)
    read = nbformat.read(notebook, as_version=4)
    assert not any(cell.get("outputs") for cell in read.cells), "notebooks are kept without outputs"
    nbclient.NotebookClient(read, timeout=3600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    texts = "".join(str(output) for cell in read.cells for output in cell.get("outputs", []))
    assert "image/png" in texts
    assert "WER" in texts


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["attention", "own-data", "recognizer"]
