"""A tilde after = is the home folder, as bash reads it in an assignment."""

import subprocess
from pathlib import Path

import pytest

from lasasr.cli.home_folder import with_home_folder
from lasasr.cli.main import main

VALUES = ("~/a.tsv", "~", "~root/a", "~nobody-of-this-name/a", "a~/b", "a/~", "x,~/y")


@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_read_as_bash_reads_it(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    told = subprocess.run(["bash", "-c", f"x={value}; printf %s $x"], capture_output=True, text=True, check=True)
    for key in ("corpus.train=", "++search.lm=", "+adapt@adapt.replay=", "--reference=", "runs_dir="):
        assert with_home_folder(f"{key}{value}") == f"{key}{told.stdout}"


@pytest.mark.parametrize("argument", ["~attend", "~listen.top=~/x", "talks/~", "a b=~/x", "='~/x'", "k='~/x'", "-v"])
def test_what_is_no_assignment_stays(argument: str) -> None:
    assert with_home_folder(argument) == argument


def test_the_command_takes_a_corpus_below_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["prepare", "synthetic/las_char", "corpus=table", "corpus.train=~/no.tsv", "prepared_dir=~/it"]) == 1
    assert f"corpus.train={tmp_path}/no.tsv is missing" in capsys.readouterr().err
    assert not list(Path().iterdir())  # no folder is called ~
