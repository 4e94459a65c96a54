"""`lasasr export --hub` and `--push`: the card passes the hub's library, and a stand-in for the hub takes all of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hub_stand_in import TOKEN, hub_stand_in

from lasasr.artifacts import hub, results, run_paths
from lasasr.cli.main import main
from lasasr.models.recognizer import Recognizer

library = pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")

RUNS = Path(__file__).parents[1] / "data" / "v0_1_0" / "work" / "runs" / "synthetic" / "las_char"
LICENSED = ("--license", "cc-by-4.0")
SCRIPT = """
import sys
from pathlib import Path
from lasasr import Recognizer
from lasasr.artifacts import hub
from lasasr.cli.main import main

def push(name, *more):
    out = name.replace("/", "-") + "-".join(more)
    return main(["export", sys.argv[1], "--out", out, "--push", name, "--license", "cc-by-4.0", *more])

assert push("someone/demo") == 0
fetched = hub.fetch("someone/demo")
written = {path.name for path in Path("someone-demo").iterdir()}
assert {path.name for path in fetched.iterdir()} == written - {"README.md"}
for local in (False, True):
    recognizer = Recognizer.from_pretrained("someone/demo", local_files_only=local)
    assert recognizer.parts == Recognizer.load(sys.argv[1]).parts
assert push("someone/demo", "--private") == 2
assert push("someone/hidden", "--private") == 0
assert push("forbidden/demo") == 1
assert push("broken/demo") == 1
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 0.1.0, whose corpus is said to lie in a local folder, and which has a result of another search."""
    folder = tmp_path / "run"
    shutil.copytree(next(RUNS.glob("dim-8_attend-location*-s1-*")), folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["corpus"]["train"] = "/home/somebody/secret/train.tsv"
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / "overrides.txt").write_text("attend=location\ncorpus.train=/home/somebody/secret/train.tsv\n")
    summary, lines = results.read(folder / "results", "test")
    results.write(folder / "results", "test", summary, lines, "test@greedy-12345678")
    return folder


def test_the_card_passes_the_library_and_says_what_was_measured(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "named"
    assert main(["export", str(run), "--out", str(out), "--hub", *LICENSED]) == 0
    card = library.ModelCard((out / "README.md").read_text())
    summary = results.list_results(run / "results")[0].summary()
    name, read_back = library.repocard_data.model_index_to_eval_results(card.data.to_dict()["model-index"])
    assert name == card.data.model_name == "named"
    assert (card.data.license, card.data.language, card.data.library_name) == ("cc-by-4.0", "en", "lasasr")
    assert {"automatic-speech-recognition", "attend-location"} <= set(card.data.tags)
    found = next(result for result in read_back if result.metric_type == summary["metric"])
    assert (found.dataset_name, found.dataset_split) == ("table", "test")
    assert found.metric_value == pytest.approx(summary["percent"], abs=0.005)
    low, high = summary["ci95"]
    for said in (f"{summary['percent']:.2f} %", f"{low:.2f} to {high:.2f}", "| greedy |", "## Limits"):
        assert said in card.text
    assert "lasasr train synthetic/las_char attend=location corpus.train=train.tsv" in card.text
    assert "somebody" not in card.content
    library.metadata_save(out / "README.md", library.metadata_load(out / "README.md"))  # writes what it has read
    assert library.ModelCard.load(out / "README.md").data.to_dict() == card.data.to_dict()


def test_the_folder_is_a_bundle_with_all_its_digests(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["export", str(run), "--out", str(out), "--hub", *LICENSED]) == 0
    listed = {line.split("  ")[1] for line in (out / hub.SUMS).read_text().splitlines()}
    assert listed == {path.name for path in run_paths.bundle_folder(run).iterdir()}
    assert listed | {hub.SUMS, "README.md"} == {path.name for path in out.iterdir()}
    assert Recognizer.from_pretrained(out).parts == Recognizer.load(run).parts


def test_it_is_uploaded_read_back_and_refused(run: Path, tmp_path: Path) -> None:
    with hub_stand_in() as stand_in:
        environment = {
            "HF_ENDPOINT": stand_in.address,
            "HF_TOKEN": TOKEN,
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_XET": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(run)],
            env={**os.environ, **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed
        uploaded = stand_in.models["someone/demo"]
        assert uploaded == {path.name: path.read_bytes() for path in (tmp_path / "someone-demo").iterdir()}
        assert b'from_pretrained("someone/demo")' in uploaded["README.md"]
        assert stand_in.private == {"someone/demo": False, "someone/hidden": True, "broken/demo": False}
    assert TOKEN not in printed
    assert f"{stand_in.address}/someone/demo\n" in done.stdout
    assert "--private, but someone/demo is there already and public" in done.stderr
    for name, reason in (("forbidden", "have the rights"), ("broken", "the disk of the hub is full")):
        pattern = rf"{name}/demo is not uploaded \(.*{reason}.*\(token\).*hf upload {name}/demo {name}-demo\n"
        assert re.search(pattern, done.stderr)
        assert (tmp_path / f"{name}-demo" / "model.safetensors").exists()


def test_files_of_an_older_model_are_deleted(run: Path, tmp_path: Path) -> None:
    """Beside the new digests, a file of a bundle that they do not list would make it unreadable."""
    out = tmp_path / "out"
    assert main(["export", str(run), "--out", str(out), "--hub", *LICENSED]) == 0
    with hub_stand_in() as stand_in:
        stand_in.models["someone/demo"] = {"lm-0/config.yaml": b"old", "pictures/a.png": b"kept"}
        stand_in.commits["someone/demo"], stand_in.private["someone/demo"] = 1, False
        script = f"from pathlib import Path; from lasasr.artifacts.hub_upload import upload;\
            upload(Path({str(out)!r}), 'someone/demo', False)"
        environment = {"HF_ENDPOINT": stand_in.address, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
        subprocess.run([sys.executable, "-c", script], env={**os.environ, **environment}, check=True)
        files = stand_in.models["someone/demo"]
    assert "lm-0/config.yaml" not in files
    assert files["pictures/a.png"] == b"kept"


def test_without_a_token_the_folder_is_kept(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(library, "get_token", lambda: None)
    out = tmp_path / "out"
    assert main(["export", str(run), "--out", str(out), "--push", "someone/demo", *LICENSED]) == 1
    assert re.search(r"no token of the hub; .*hf auth login; hf upload someone/demo .*out\n", capsys.readouterr().err)
    assert (out / "README.md").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--hub"], "--hub needs the licence"),
        (["--hub", "--license", "My Licence"], "no name of a licence"),
        (["--hub", *LICENSED, "--language", "English"], "no code of a language"),
        (["--push", "demo", *LICENSED], "'demo' is no name of the hub: write user/model"),
        (["--push", "../demo", *LICENSED], r"'\.\./demo' is no name of the hub"),
        (["--hub", "--onnx", *LICENSED], "give one of them"),
        (["--private"], "--private is of --push"),
        (["--license", "mit"], "--license is of --hub"),
    ],
)
def test_contradictions_are_named(
    words: list[str], reason: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run), "--out", str(tmp_path / "out"), *words]) == 2
    assert re.search(reason, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_what_others_could_not_use_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--out", str(tmp_path / "out"), "--hub", *LICENSED]
    bundle = tmp_path / "bundle"
    shutil.copytree(run_paths.bundle_folder(run), bundle)
    assert main(["export", str(bundle), *words]) == 1
    assert "a model card needs the run, with its results, not a bundle alone" in capsys.readouterr().err
    shutil.rmtree(run / "results")
    assert main(["export", str(run), *words]) == 1
    assert "lasasr evaluate RUN first" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
