"""`lasasr adapted` on runs that are decoded on each other's test sets and on a table, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from doctor_corpus import Corpus

from lasasr.cli.main import main

RECIPE = "synthetic/las_char"
SMALL = (
    "listen.hidden_dim=8",
    "spell.hidden_dim=8",
    "attend.dim=8",
    "batching.max_utterances=4",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=-1",
    "trainer.max_steps=1",
    "trainer.val_check_interval=1",
    "trainer.check_val_every_n_epoch=null",
    "evaluate.maps=0",
    "validation.maps=0",
    "search=greedy",
)


def tables(folder: str) -> list[str]:
    return ["corpus=table", *(f"corpus.{split}={folder}/{split}.jsonl" for split in ("train", "dev", "test"))]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recognizers: of one corpus, and of another one that has another vocabulary."""
    folder = tmp_path_factory.mktemp("adapted")
    for name, sizes in (("old", (8, 3, 7)), ("new", (6, 2, 6))):
        (folder / name).mkdir()
        corpus = Corpus(folder / name, sizes)
        for number, row in enumerate(corpus.rows["test"]):
            row["speaker"] = f"speaker-{number}"
        corpus.plain()
    with pytest.MonkeyPatch.context() as patch:
        at(patch, folder)
        assert main(["train", RECIPE, *tables("old"), *SMALL, "name=before"]) == 0
        more = ["tokenizer=of_run", f"tokenizer.run={folder}/runs/synthetic/las_char/before"]
        (before,) = (folder / "runs/synthetic/las_char").glob("before*")
        more[1] = f"tokenizer.run={before}"
        more.append("corpus.transcript=librispeech")  # as where a corpus of another kind is adapted to
        assert main(["train", RECIPE, *tables("new"), *SMALL, *more, "name=after", "optimizer.lr=1.0e-2"]) == 0
    return folder


def at(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.chdir(folder)
    for name in ("PREPARED", "RUNS", "DATA"):
        patch.setenv(f"LASASR_{name}", name.lower())


@pytest.fixture
def runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    at(monkeypatch, tmp_path)
    before, after = (next(Path("runs/synthetic/las_char").glob(f"{name}*")) for name in ("before", "after"))
    return str(before), str(after)


def adapted(*words: str) -> Any:
    assert main(["adapted", *words]) == 0
    return json.loads(Path("adapted.json").read_text())


def test_both_runs_are_decoded_on_both_test_sets_once(
    runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*runs, "--source", "before:test", "--target", "after:test", "--html", "p.html", "--svg", "p.svg")
    contents = adapted(*words)
    said = capsys.readouterr().out
    assert (contents["source"]["utterances"], contents["target"]["utterances"]) == (7, 6)
    (method,) = contents["methods"]
    for side, own, other in (("source", runs[0], runs[1]), ("target", runs[1], runs[0])):
        names = sorted(path.stem for path in (Path(own) / "results").glob("*.json"))
        assert "test" in names
        elsewhere = list((Path(other) / "results").glob("test@*.json"))
        assert len(elsewhere) == 1
        rate = json.loads(elsewhere[0].read_text())["percent"]
        assert rate == pytest.approx(method[side]["after" if other == runs[1] else "before"])
    assert method["target"]["word"] in said
    assert Path("p.html").exists()
    assert Path("p.svg").exists()
    stamps = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("results/*")}
    assert adapted(*words)["methods"] == contents["methods"]
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("results/*")} == stamps


def test_a_table_and_another_search(runs: tuple[str, str]) -> None:
    contents = adapted(*runs, "search=beam", "search.beam=2", "--source", "before:test", "--target", "new/test.jsonl")
    assert contents["target"]["split"] == "new/test.jsonl"
    assert contents["search"].startswith("beam beam=2")
    after = adapted(*runs, "search=beam", "search.beam=2", "--source", "before:test", "--target", "after:test")
    assert contents["methods"][0]["target"]["after"] == after["methods"][0]["target"]["after"]  # the same recordings


def test_a_run_and_its_copy_show_no_forgetting(runs: tuple[str, str]) -> None:
    shutil.copytree(runs[0], "copy")
    (method,) = adapted(runs[0], "same=copy", "--source", "before:test", "--target", "after:test")["methods"]
    assert (method["target"]["word"], method["source"]["word"]) == ("no gain shown", "no forgetting shown")
    assert method["name"] == "same"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["BEFORE"], 2, "adapted takes BEFORE and at least one AFTER"),
        (
            ["BEFORE", "AFTER", "--target", "test"],
            2,
            "--target test is neither before:SPLIT nor after:SPLIT nor a table",
        ),
        (["BEFORE", "AFTER", "--target", "no.tsv"], 1, "--target no.tsv is missing"),
        (["BEFORE", "AFTER", "--target", "after:eval"], 1, "the corpus has no split 'eval'"),
        (["BEFORE", "nowhere"], 1, "nowhere does not exist"),
        (["BEFORE", "x=AFTER", "x=BEFORE"], 2, "a method is NAME=RUN or NAME=RUN,RUN, each name once"),
        (["BEFORE", "AFTER/results/test.json"], 2, "is one result: name its run"),
        (["BEFORE", "AFTER", "search.beem=3"], 2, "search.beem"),
        (["BEFORE", "AFTER", "search=beam_ctcc"], 2, "beam_ctc"),
    ],
)
def test_nonsense_is_refused_by_name(
    runs: tuple[str, str], words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [word.replace("BEFORE", runs[0]).replace("AFTER", runs[1]) for word in words]
    usual = ["--source", "before:test", *(() if "--target" in named else ("--target", "after:test"))]
    assert main(["adapted", *named, *usual]) == status
    errors = capsys.readouterr().err.strip().splitlines()
    assert said in errors[-1]
    assert not Path("adapted.json").exists()
