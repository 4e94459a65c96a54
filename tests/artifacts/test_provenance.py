"""The card's facts about code, versions and machine."""

import json
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import lasasr
from lasasr.artifacts import provenance

ROOT = Path(__file__).parents[2]


def test_it_is_plain_and_does_not_name_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/lasasr", "train", "x"])
    facts = provenance.provenance(gpus=["NVIDIA H200"])
    text = json.dumps(facts)
    assert facts["hardware"]["gpus"] == ["NVIDIA H200"]
    assert facts["hardware"]["cores"] >= 1
    assert facts["versions"]["torch"] == metadata.version("torch")
    assert f'"{socket.gethostname()}"' not in text
    assert f"{Path.home()}/" not in text


def test_the_command_can_be_given_to_a_shell_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/lasasr", "train", "x", "note='two words'", "seed=1,2"])
    line = provenance.command()
    assert line.startswith("lasasr train x ")
    echoed = subprocess.run(["bash", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True)
    assert echoed.stdout.splitlines() == ["lasasr", *sys.argv[1:]]


def test_the_module_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/lib/python3/site-packages/lasasr/__main__.py", "train", "x"])
    assert provenance.command() == "lasasr train x"


def git(folder: Path, *arguments: str) -> str:
    line = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_is_that_of_the_code_and_says_if_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "lasasr" / "__init__.py"
    source.parent.mkdir()
    source.write_text("one")
    monkeypatch.setattr(lasasr, "__file__", str(source))
    assert provenance.commit() is None  # an installed package
    git(tmp_path, "init", "-q")
    assert provenance.commit() is None  # nothing committed yet
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert provenance.commit() == head
    (tmp_path / "untracked").touch()
    assert provenance.commit() == head
    source.write_text("two")
    assert provenance.commit() == f"{head}+changed"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout of git")
def test_the_commit_of_this_checkout() -> None:
    """Where the module itself lies in the package may change; which checkout it belongs to must not be lost."""
    assert str(provenance.commit()).removesuffix("+changed") == git(ROOT, "rev-parse", "HEAD")


def test_a_package_inside_anothers_repository_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "-q")
    source = tmp_path / ".venv" / "site-packages" / "lasasr" / "__init__.py"
    source.parent.mkdir(parents=True)
    source.touch()
    monkeypatch.setattr(lasasr, "__file__", str(source))
    assert provenance.commit() is None


def test_a_checkout_of_this_project_knows_its_commit() -> None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or Path(lasasr.__file__).resolve().parents[1] != root:
        pytest.skip("the tests run outside a checkout")
    assert str(provenance.commit()).startswith(git(root, "rev-parse", "HEAD"))
