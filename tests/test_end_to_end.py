"""The command, from a recipe to text, as a user runs it; on a corpus rendered for the occasion."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from commandline import TINY, Command

from lasasr import Recognizer
from lasasr.artifacts import hub
from lasasr.errors import LasasrError


def test_a_run_folder_holds_what_is_promised(tiny_run: Path) -> None:
    assert (tiny_run / "overrides.txt").read_text().splitlines() == list(TINY)
    config = yaml.safe_load((tiny_run / "config.yaml").read_text())
    assert config["schema"] == 1
    assert config["choices"]["attend"] == "location"
    card = json.loads((tiny_run / "card.json").read_text())
    assert card["status"] == "finished"
    assert card["steps"] > 0
    assert {"commit", "versions", "hardware", "command", "data", "results", "aligned_at_step"} <= set(card)
    assert card["validations"][-1]["step"] == card["steps"]
    assert list((tiny_run / "tensorboard").glob("events*"))
    assert list((tiny_run / "plots").glob("attention-test-*.png"))
    checkpoints = list((tiny_run / "checkpoints").glob("*.ckpt"))
    assert len(checkpoints) >= 2
    for path in checkpoints:
        assert "state_dict" in torch.load(path, weights_only=True)


def names_on_page(title: str) -> list[set[str]]:
    """The file names of each row in the first table below a heading of docs/files.md."""
    page = (Path(__file__).parent.parent / "docs" / "files.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|(.*)\|$", page.split(f"\n## {title}\n")[1].split("\n## ")[0], re.MULTILINE)
    return [names for row in rows if (names := set(re.findall(r"`([^`]+?)/?`", row.partition("|")[0])))]


def test_the_page_of_files_has_what_runs_and_bundles_hold(tiny_run: Path) -> None:
    of_run, of_bundle = names_on_page("A run"), names_on_page("A bundle")
    some = {"refused", "profile", "average-best5", ".writer"}  # of some runs only
    written = {path.name for path in tiny_run.iterdir()} - {".writer"}
    assert set.union(*of_run) == written | some
    assert {path.name for path in (tiny_run / "bundle").iterdir()} <= set.union(*of_bundle)
    for names in of_bundle:
        assert all(any(fnmatch(name, pattern) for pattern in hub.PATTERNS) for name in names), names
    for pattern in hub.PATTERNS:
        assert any(fnmatch(name, pattern) for names in of_bundle for name in names), pattern


def test_counts_are_over_the_whole_split_and_each_utterance_once(tiny_run: Path) -> None:
    summary = json.loads((tiny_run / "results" / "test.json").read_text())
    lines = [json.loads(line) for line in (tiny_run / "results" / "test.jsonl").read_text().splitlines()]
    assert len({line["id"] for line in lines}) == len(lines) == summary["utterances"] == 6
    for name in ("substitutions", "deletions", "insertions"):
        assert summary[name] == sum(line[name] for line in lines)
    assert summary["reference_length"] == sum(len(line["reference"].split()) for line in lines)
    assert summary["percent"] == pytest.approx(100 * summary["errors"] / summary["reference_length"])
    assert summary["parameters"] > 0
    assert summary["attend"] == "location"


def test_a_finished_run_says_so_and_is_left_alone(tiny_run: Path, new_lasasr: Command) -> None:
    before = (tiny_run / "card.json").stat().st_mtime_ns
    again = new_lasasr("train", "synthetic/las_char", *TINY)
    assert again.returncode == 0
    assert again.stdout.splitlines()[0] == "synthetic/las_char, seed 1: loading torch, reading the corpus ..."
    assert "is finished" in again.stdout
    assert (tiny_run / "card.json").stat().st_mtime_ns == before


def test_lightning_is_loaded_only_to_train(
    tiny_run: Path, tmp_path: Path, workplace: Path, environment: dict[str, str]
) -> None:
    copied = shutil.copytree(tiny_run, tmp_path / "run")
    commands = [["train", "--resume", str(copied)], ["evaluate", str(copied), "evaluate.maps=0"]]
    script = (
        "import json, sys; from lasasr.cli.main import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    assert main(words) == 0, words\n"
        "    assert not {'lightning', 'torchmetrics', 'tensorboard'} & set(sys.modules), words\n"
    )
    command = [sys.executable, "-c", script, json.dumps(commands)]
    done = subprocess.run(
        command, cwd=workplace, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_bundle_transcribes_without_lightning_and_like_the_evaluation(
    tiny_run: Path, tmp_path: Path, workplace: Path, lasasr: Command
) -> None:
    out = tmp_path / "bundle"
    assert lasasr("export", str(tiny_run), "--out", str(out)).returncode == 0
    lines = [json.loads(line) for line in (tiny_run / "results" / "test.jsonl").read_text().splitlines()]
    audio = {path.stem: path for path in (workplace / "prepared").rglob("*.flac")}
    paths = [str(audio[line["id"]]) for line in lines]
    script = (
        "import sys, json; from lasasr import Recognizer; r = Recognizer.load(sys.argv[1]);"
        "print(json.dumps([h.text for h in r.transcribe(sys.argv[2:])]));"
        "assert not {'lightning', 'lhotse'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", script, str(out), *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [line["hypothesis"] for line in lines]


def test_any_rate_and_channels_are_transcribed(tiny_run: Path, tmp_path: Path, lasasr: Command) -> None:
    path = tmp_path / "telephone.wav"
    soundfile.write(path, np.random.default_rng(0).normal(size=(8000, 2)) * 0.1, 8000)
    done = lasasr("transcribe", str(tiny_run), str(path), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["audio"] == str(path)


def test_timestamps_are_lines_below_the_text_and_stand_in_the_results(
    tiny_run: Path, workplace: Path, lasasr: Command
) -> None:
    lines = [json.loads(line) for line in (tiny_run / "results" / "test.jsonl").read_text().splitlines()]
    assert all([word["word"] for word in line["words"]] in ([], line["hypothesis"].split()) for line in lines)
    chosen = max(lines, key=lambda line: len(line["words"]))
    (audio,) = (workplace / "prepared").rglob(f"{chosen['id']}.flac")
    done = lasasr("transcribe", str(tiny_run), str(audio), "--timestamps")
    assert done.returncode == 0, done.stderr
    text, *words = done.stdout.splitlines()
    assert text == f"{audio}\t{chosen['hypothesis']}"
    assert [line.split()[2] for line in words] == [word["word"] for word in chosen["words"]]
    assert len(lasasr("transcribe", str(tiny_run), str(audio)).stdout.splitlines()) == 1
    found = json.loads((tiny_run / "results" / "test.json").read_text())["alignment"]["boundaries"]
    assert (found["against"], found["unit"], found["utterances"]) == ("corpus", "word", 6)


def test_long_audio_is_cut_and_what_was_done_is_said(
    tiny_run: Path, workplace: Path, tmp_path: Path, lasasr: Command
) -> None:
    files = sorted((workplace / "prepared").rglob("*test-*.flac"))[:4]
    pause = np.zeros(8000, dtype=np.float32)
    joined = np.concatenate([part for path in files for part in (soundfile.read(path, dtype="float32")[0], pause)])
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(joined, 3), 16000)
    bundle = yaml.safe_load((tiny_run / "bundle" / "config.yaml").read_text())
    assert 0 < bundle["trained_on"]["usual_s"] < bundle["trained_on"]["longest_s"] < len(joined) / 16000 * 3
    done = lasasr("transcribe", str(tiny_run), str(path), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    seconds, pieces = round(len(joined) * 3 / 16000), len(found["pieces"])
    assert f"{path}: {seconds} s in {pieces} pieces, cut at pauses (" in done.stderr
    assert found["text"] == " ".join(one["text"] for one in found["pieces"] if one["text"])
    assert all(0 <= word["start_s"] <= word["end_s"] <= seconds + 1 for word in found["words"])
    whole = lasasr("transcribe", str(tiny_run), str(path), "--json", "--max-piece-s", "500")
    (piece,) = json.loads(whole.stdout)["pieces"]  # all but the zeros at the end
    assert piece["end_s"] == pytest.approx((3 * len(joined) - len(pause)) / 16000, abs=0.03)
    assert whole.stderr.startswith("1 recording, ")
    assert "real-time factor" in whole.stderr
    refused = lasasr("transcribe", str(tiny_run), str(path), "--max-piece-s", "0.2")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("kind", ["missing", "empty", "noise", "nan", "silent_header"])
def test_audio_that_cannot_be_transcribed_is_named(tiny_run: Path, tmp_path: Path, lasasr: Command, kind: str) -> None:
    path = tmp_path / f"{kind}.wav"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "noise":
        path.write_bytes(b"this is no audio at all" * 9)
    elif kind == "nan":
        soundfile.write(path, np.full(4000, np.nan, dtype=np.float32), 16000, subtype="FLOAT")
    elif kind == "silent_header":
        soundfile.write(path, np.zeros(0), 16000)
    done = lasasr("transcribe", str(tiny_run), str(path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert path.name in done.stderr
    assert "Traceback" not in done.stderr


def test_the_other_files_of_a_folder_are_transcribed(tiny_run: Path, tmp_path: Path, lasasr: Command) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "a.wav").write_text("<html>not found</html>")
    time = np.arange(16_000) / 16_000
    soundfile.write(folder / "b.wav", 0.2 * np.sin(2500 * time) * np.sin(10 * time), 16_000)
    soundfile.write(folder / "c.wav", np.zeros(16_000), 16_000)
    done = lasasr("transcribe", str(tiny_run), str(folder), str(tmp_path / "none.wav"))
    assert done.returncode == 1
    texts = dict(line.split("\t") for line in done.stdout.splitlines())
    assert list(texts) == [str(folder / "b.wav"), str(folder / "c.wav")]
    assert texts[str(folder / "c.wav")] == ""
    assert "c.wav: no text: silence" in done.stderr
    *_, speed, first, second, count = done.stderr.splitlines()
    assert "real-time factor" in speed
    assert "a.wav cannot be read" in first
    assert "none.wav is missing" in second
    assert count == "lasasr: 2 of 4 recordings were not transcribed"


def files_of(run: Path) -> dict[str, bytes]:
    """The run's own results and maps."""
    places = [*(run / "results").glob("test.*"), *(run / "plots").glob("*.png")]
    return {path.name: path.read_bytes() for path in places}


def test_evaluate_under_another_search_leaves_the_runs_own(tiny_run: Path, tmp_path: Path, lasasr: Command) -> None:
    copy = tmp_path / "run"
    shutil.copytree(tiny_run, copy)
    before = files_of(copy)
    assert {"test.json", "test.jsonl", "test.txt"} < set(before)
    done = lasasr("evaluate", str(copy), "search=greedy", "evaluate.splits=[dev,test]")
    assert done.returncode == 0, done.stderr
    assert files_of(copy) == before
    (dev,), (test,) = ((copy / "results").glob(f"{split}@greedy-*.json") for split in ("dev", "test"))
    assert f"result:          {test}" in done.stdout
    assert "search: greedy" in done.stdout
    summary = json.loads(test.read_text())
    assert summary["search"]["_target_"].endswith("GreedySearch")
    assert (summary["search_choice"], len(summary["search_id"]), len(summary["data"])) == ("greedy", 8, 16)
    assert "search: greedy" in test.with_suffix(".txt").read_text()
    assert list((copy / "plots" / test.stem).glob("attention-test-*.png"))
    assert json.loads(dev.read_text())["split"] == "dev"
    again = lasasr("evaluate", str(copy), "search=greedy")
    assert again.returncode == 0, again.stderr
    assert len(list((copy / "results").glob("test@*.json"))) == 1
    assert lasasr("evaluate", str(copy), "listen.layers=9").returncode == 2
    assert lasasr("evaluate", str(copy), "evaluate.splits=[eval]").returncode == 2
    shown = lasasr("train", "synthetic/las_char", *TINY)  # the original, whose results are its own
    assert "search: beam beam=10 ctc_weight=0.1" in shown.stdout


def test_a_grid_writes_a_result_for_each_search(tiny_run: Path, tmp_path: Path, lasasr: Command) -> None:
    copy = tmp_path / "run"
    shutil.copytree(tiny_run, copy)
    before = files_of(copy)
    done = lasasr("evaluate", str(copy), "search=greedy,beam_ctc", "search.beam=2,3", "-m")
    assert done.returncode == 0, done.stderr
    assert files_of(copy) == before
    written = sorted(path.stem.rpartition("-")[0] for path in (copy / "results").glob("test@*.json"))
    assert written == ["test@beam-2", "test@beam-3", "test@greedy"]
    assert done.stdout.count("result:  ") == 3
    assert not list((copy / "plots").glob("*/*.png"))  # of a grid only where maps are asked for
    compared = lasasr("compare", str(copy), "--search", "beam-3", "--out", str(tmp_path / "c.json"))
    assert compared.returncode == 0, compared.stderr
    assert json.loads((tmp_path / "c.json").read_text())["search"]["beam"] == 3
    lacking = lasasr("compare", str(copy), str(tiny_run), "--search", "greedy", "--split", "test")
    assert (lacking.returncode, lacking.stderr.count("\n")) == (1, 1)
    assert f"lasasr evaluate {tiny_run} search=greedy" in lacking.stderr


def test_what_010_overwrote_is_told_and_decoded_again(tiny_run: Path, tmp_path: Path, lasasr: Command) -> None:
    runs = tmp_path / "runs"
    copy = runs / tiny_run.relative_to(tiny_run.parents[2])
    shutil.copytree(tiny_run, copy)
    summary = json.loads((copy / "results" / "test.json").read_text())
    greedy = {"_target_": "lasasr.search.greedy.GreedySearch"}
    later = ("search_id", "search_choice", "search_models", "data")
    old = {key: value for key, value in summary.items() if key not in later} | {"search": greedy}
    (copy / "results" / "test.json").write_text(json.dumps(old))
    told = lasasr("train", "synthetic/las_char", *TINY, LASASR_RUNS=str(runs))
    assert told.returncode == 0, told.stderr
    assert "the run's own result is missing: test.json was written by search=greedy" in told.stdout
    assert "95 % int., %" not in told.stdout  # no table: it would be read as the run's own
    again = lasasr("evaluate", str(copy))
    assert again.returncode == 0, again.stderr
    (moved,) = (copy / "results").glob("test@greedy-*.json")
    assert json.loads(moved.read_text()) == old
    own = json.loads((copy / "results" / "test.json").read_text())
    assert {**own, "decode_s": 0, "rtf": 0} == {**summary, "decode_s": 0, "rtf": 0}
    shown = lasasr("train", "synthetic/las_char", *TINY, LASASR_RUNS=str(runs)).stdout
    assert "missing" not in shown
    assert f"other result:    {moved.name}" in shown


@pytest.mark.parametrize(
    ("name", "content"),
    [("config.yaml", b"{"), ("config.yaml", b"a: 1\n"), ("tokenizer.json", b"{}"), ("model.safetensors", b"\0" * 64)],
)
def test_a_damaged_bundle_is_refused_with_the_file_named(
    tiny_run: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(tiny_run / "bundle", copy)
    (copy / name).write_bytes(content)
    with pytest.raises(LasasrError, match=name):
        Recognizer.load(copy)


def test_a_bundle_cannot_name_foreign_code(tiny_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(tiny_run / "bundle", copy)
    config = yaml.safe_load((copy / "config.yaml").read_text())
    config["search"] = {"_target_": "os.system", "command": f"touch {tmp_path / 'ran'}"}
    (copy / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(LasasrError, match=r"os\.system"):
        Recognizer.load(copy)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["train", "synthetic/las_chair"], 2, "synthetic/las_char"),
        (["train", "synthetic/las_char", "attend=locaton"], 2, "location"),
        (["train", "synthetic/las_char", "listen.layer=2"], 2, "listen.layers"),
        (["train", "synthetic/las_char", "listen.layers=two"], 2, "listen.layers"),
        (["train", "synthetic/las_char", "listen.subsampling_factor=3"], 2, "subsampling_factor"),
        (["train", "synthetic/las_char", "optimizer._target_=os.system"], 2, "os.system"),
        (["train", "librispeech/las_mini"], 1, "LibriSpeech"),
        (["train", "--resume", "runs/nothing"], 1, "runs/nothing"),
        (["train"], 2, "RECIPE"),
    ],
)
def test_wrong_requests_are_one_line(lasasr: Command, arguments: list[str], status: int, words: str) -> None:
    done = lasasr(*arguments, *(TINY[:4] if "synthetic/las_char" in arguments else ()))
    assert done.returncode == status, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert words in last
    assert "Traceback" not in done.stderr
