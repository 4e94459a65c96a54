"""Training on a frozen encoder from the command line: encoded once, or in every epoch; then moved and used."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from contextlib import redirect_stderr
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
from doctor_corpus import Corpus
from safetensors.torch import load_file, save_file

from lasasr.artifacts import files
from lasasr.artifacts.runs import Run
from lasasr.cli.main import main
from lasasr.models.recognizer import Recognizer

sys.path.append(str(Path(__file__).parents[1] / "listen" / "pretrained"))
from pretrained_folders import folder_of, shelf

assert shelf  # a fixture

NOISE = "augment=speed_noise"
RECIPE = """\
defaults:
  - /base
  - /listen@listen.top: pyramid
  - override /corpus: table
  - override /listen: pretrained
  - override /search: greedy
  - override /logger: csv
  - _self_
corpus: {train: tables/train.jsonl, dev: tables/dev.jsonl, test: tables/test.jsonl}
batching: {max_utterances: 4}
listen: {weights: weights, top: {hidden_dim: 4, layers: 1, subsampling_factor: 2}}
attend: {dim: 8}
spell: {hidden_dim: 8, embedding_dim: 8, readout_dim: 8}
trainer: {accelerator: cpu, max_steps: 3, val_check_interval: 3, check_val_every_n_epoch: null, log_every_n_steps: 1}
evaluate: {maps: 0}
validation: {maps: 0}
"""


class Ground(NamedTuple):
    """A recipe, tables, weights and a run of them."""

    folder: Path
    said: str  # by the run


def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in ("PREPARED", "RUNS", "DATA"):
        monkeypatch.setenv(f"LASASR_{name}", name.lower())


@pytest.fixture(scope="module")
def ground(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Made once; each test gets a copy."""
    folder = tmp_path_factory.mktemp("ground")
    (folder / "tables").mkdir()
    Corpus(folder / "tables", (8, 3, 3)).plain()
    shutil.copytree(folder_of("whisper", shelf), folder / "weights")
    (folder / "mine.yaml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as monkeypatch, redirect_stderr(io.StringIO()) as said:
        in_folder(folder, monkeypatch)
        trained(folder)
    return Ground(folder, said.getvalue())


@pytest.fixture
def trained_place(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all of it; also the working directory."""
    shutil.copytree(ground.folder, tmp_path, dirs_exist_ok=True)
    in_folder(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture
def place(trained_place: Path) -> Path:
    """The same where nothing was trained or prepared yet."""
    for name in ("prepared", "runs"):
        shutil.rmtree(trained_place / name)
    return trained_place


def trained(place: Path, *overrides: str) -> Run:
    shutil.rmtree(place / "runs", ignore_errors=True)
    assert main(["train", "mine.yaml", *overrides]) == 0
    return only_run(place)


def only_run(place: Path) -> Run:
    (folder,) = (place / "runs" / "mine").iterdir()
    return Run(folder)


def losses(run: Run) -> list[float]:
    with (run.folder / "csv" / "metrics.csv").open() as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]


def test_losses_are_the_same_encoded_once(
    ground: Ground, trained_place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, once = trained_place, only_run(trained_place)
    assert "encoding train once: 8 utterances, " in ground.said
    assert "trained: " in ground.said
    kept = sorted((place / "prepared" / "encoded").rglob("*.safetensors"))
    assert len(kept) == 3  # of train, dev and test
    expected, card = losses(once), once.card()
    assert card["pretrained"]["model_type"] == "whisper"
    assert 0 < card["trained_parameters"] < card["parameters"]

    again = trained(place, "loading.cache_encoded=false")
    assert "runs in every epoch: loading.cache_encoded is false" in capsys.readouterr().err
    assert losses(again) == pytest.approx(expected, rel=1e-3)
    assert again.card()["results"]["test"]["errors"] == card["results"]["test"]["errors"]


def test_another_run_finds_what_is_encoded_and_waits_for_nobody_who_encodes(
    trained_place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = trained_place
    kept = {path: path.stat().st_mtime_ns for path in (place / "prepared" / "encoded").rglob("*.safetensors")}
    (place / "tables").rename(place / "elsewhere")  # audio that was moved is the same audio
    shutil.copytree(place / "elsewhere", place / "tables")
    (folder,) = (folder for folder in (place / "prepared" / "encoded").iterdir() if folder.is_dir())

    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("another process"):
            pytest.fail(line)

    with monkeypatch.context() as patched:
        patched.setattr("lasasr.distributed.launch.say", say)
        with files.locked(folder.with_name(f".{folder.name}.lock"), lambda: pytest.fail("nobody else is there")):
            trained(place, "attend=dot")
            assert "encoding" not in capsys.readouterr().err + " ".join(said)
            with pytest.raises(pytest.fail.Exception, match="another process encodes train: waiting"):
                main(["train", "mine.yaml", "augment=speed"])  # two of its forms are not there
    assert kept == {path: path.stat().st_mtime_ns for path in (place / "prepared" / "encoded").rglob("*.safetensors")}
    capsys.readouterr()
    trained(place, "listen.layers=weighted")
    assert "encoding train once" in capsys.readouterr().err


def test_specaugment_acts_on_encodings_kept_or_not(trained_place: Path) -> None:
    place = trained_place
    augmented = ("augment=specaugment_lb", "augment.specaugment.time_width=9")
    plain, once = losses(only_run(place)), losses(trained(place, *augmented))
    assert once != pytest.approx(plain, rel=1e-3)
    assert losses(trained(place, *augmented, "loading.cache_encoded=false")) == pytest.approx(once, rel=1e-3)


def test_audio_that_changes_in_every_epoch_is_not_kept(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "mine.yaml", NOISE, "loading.cache_encoded=true"]) == 2
    assert "cache_encoded=true, but augment.waveform changes the audio in every epoch" in capsys.readouterr().err
    assert main(["train", "mine.yaml", "listen.freeze=none", "loading.cache_encoded=true"]) == 2
    assert "cache_encoded=true, but the encoder is trained" in capsys.readouterr().err
    thawed_in_silence = ("listen.window=full", "listen.thaw_after=1", "loading.cache_encoded=true")
    assert main(["train", "mine.yaml", *thawed_in_silence]) == 2
    assert "layers that listen.thaw_after thaws read the silence of listen.window=full" in capsys.readouterr().err
    assert not (place / "runs").exists()
    trained(place, NOISE)
    assert "every epoch: augment.waveform changes the audio" in capsys.readouterr().err
    assert not (place / "prepared" / "encoded").exists()


def test_utterances_at_each_speed_are_kept(trained_place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, plain = trained_place, losses(only_run(trained_place))
    once = losses(trained(place, "augment=speed"))
    said = capsys.readouterr().err
    assert "encoding train once: 16 utterances in 3 forms, " in said  # speed 1 is there already
    assert "encoding train: 16\n" in said  # counted over all forms, so that the time that is left is, too
    assert said.count("encoding train: done") == 1
    computed = losses(trained(place, "augment=speed", "loading.cache_encoded=false"))
    assert once == pytest.approx(computed, rel=1e-3)
    assert once != pytest.approx(plain, rel=1e-3)
    assert main(["doctor", "mine.yaml", "--quick", "augment=speed"]) == 0
    assert "30 utterances are encoded once" in " ".join(capsys.readouterr().out.split())


def test_doctor_says_the_size(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "mine.yaml", "--quick", "listen.layers=weighted"]) == 0
    assert "14 utterances are encoded once" in " ".join(capsys.readouterr().out.split())


def test_utterances_that_are_too_long_at_the_slowest_speed_are_found_before(place: Path) -> None:
    """The positions of the weights end at 3 s; at 0.9 times the speed 2.8 s take 3.1 s."""
    for seconds, status in ((2.6, 0), (2.8, 1)):
        shutil.rmtree(place / "prepared", ignore_errors=True)
        sound = next((place / "tables").glob("train*.wav"))
        samples = np.random.default_rng(1).normal(0, 0.1, int(seconds * 16000)).astype(np.float32)
        soundfile.write(sound, samples, 16000)
        assert main(["doctor", "mine.yaml", "--quick", "augment=speed"]) == status
        (report,) = (place / "prepared" / "doctor").iterdir()
        assert ("longer than the encoder reaches" in report.read_text()) == bool(status)
        assert main(["doctor", "mine.yaml", "--quick"]) == 0


def test_a_bundle_is_moved_and_transcribes(trained_place: Path) -> None:
    place, run = trained_place, only_run(trained_place)
    assert main(["export", str(run.folder), "--out", "bundle"]) == 0
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    shutil.move(place / "bundle", elsewhere)
    shutil.rmtree(place / "weights")
    audio = next((place / "tables").glob("*.wav"))
    assert main(["transcribe", str(elsewhere / "bundle"), str(audio)]) == 0


def test_export_chooses_what_the_bundle_holds_of_the_weights(
    trained_place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, run = trained_place, only_run(trained_place)

    def export(source: Path, out: str, *words: str) -> int:
        return main(["export", str(source), *words, "--out", out])

    assert export(run.folder, "whole") == export(run.folder, "small", "listen.bundle=reference") == 0
    sizes = {name: (place / name / "model.safetensors").stat().st_size for name in ("whole", "small")}
    assert sizes["whole"] - sizes["small"] > 0.5 * (place / "weights" / "model.safetensors").stat().st_size
    whole, small = Recognizer.load("whole"), Recognizer.load("small")
    for name, value in whole.state_dict().items():
        assert value.equal(small.state_dict()[name])
    assert small.parts.listen["weights"] == str(place / "weights")
    assert export(place / "small", "again", "listen.bundle=weights") == 0  # nothing was lost
    assert (place / "again" / "model.safetensors").read_bytes() == (place / "whole" / "model.safetensors").read_bytes()
    capsys.readouterr()
    changed = {**load_file("whole/model.safetensors")}
    name = next(name for name in changed if ".body." in name)
    save_file({**changed, name: changed[name] + 1.0}, place / "again" / "model.safetensors", {"schema": "1"})
    (place / "weights").rename(place / "away")
    for source, word, status, reason in (
        ("whole", "listen.bundle=copy", 2, "listen.bundle=copy: it must be weights or reference"),
        ("whole", "listen.bundle=reference", 1, "listen.weights=weights is neither a folder nor"),
        ("again", "listen.bundle=reference", 2, "the weights are not those of"),
    ):
        if source == "again":
            (place / "away").rename(place / "weights")
        assert export(place / source, "other", word) == status
        assert reason in capsys.readouterr().err
        assert not (place / "other").exists()


def test_check_tries_the_contract(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "listen=pretrained", "listen.weights=weights"]) == 0
    assert capsys.readouterr().out.count("kept") == 7


def test_the_hub_gets_no_local_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
    run = trained(place, f"listen.weights={place / 'weights'}")
    words = ["export", str(run.folder), "--hub", "--license", "mit", "--out"]
    assert main([*words, "shared"]) == 0
    assert not [path for path in (place / "shared").iterdir() if str(place).encode() in path.read_bytes()]
    (place / "weights").rename(place / "away")
    assert Recognizer.from_pretrained(place / "shared").parts.listen["weights"] == "weights"
    (place / "away").rename(place / "weights")
    run = trained(place, f"listen.weights={place / 'weights'}", "listen.bundle=reference")
    words[1] = str(run.folder)
    assert main([*words, "referring"]) == 1
    assert "add listen.bundle=weights" in capsys.readouterr().err
    assert not (place / "referring").exists()
    assert main([*words, "referring", "listen.bundle=weights"]) == 0  # what it names is the way out
    tensors = [(place / name / "model.safetensors").read_bytes() for name in ("shared", "referring")]
    assert tensors[0] == tensors[1]
    assert not [path for path in (place / "referring").iterdir() if str(place).encode() in path.read_bytes()]


def test_a_reference_is_found_from_another_folder(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(place, "listen.weights=weights", "listen.bundle=reference")
    assert main(["export", str(run.folder), "--out", str(tmp_path / "bundle")]) == 0
    monkeypatch.chdir(tmp_path)
    assert Recognizer.load("bundle").parts.listen["weights"] == str((place / "weights").resolve())
