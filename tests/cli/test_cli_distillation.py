"""Learning from teachers: what they are asked once, what is kept, and who is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import soundfile
import torch
from doctor_corpus import Corpus

from lasasr.artifacts.runs import Run
from lasasr.cli.main import main
from lasasr.data.encodings import Encodings
from lasasr.losses.distillation import unpacked
from lasasr.models.recognizer import Recognizer

RECIPE = "synthetic/las_char"
SMALL = (
    "listen.hidden_dim=8",
    "spell.hidden_dim=8",
    "attend.dim=8",
    "batching.max_utterances=4",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=-1",
    "trainer.max_steps=2",
    "trainer.val_check_interval=2",
    "trainer.check_val_every_n_epoch=null",
    "evaluate.maps=0",
    "evaluate.splits=[]",
    "validation.maps=0",
)
TABLES = ("corpus=table", *(f"corpus.{split}=tables/{split}.jsonl" for split in ("train", "dev", "test")))


def at(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.chdir(folder)
    for name in ("PREPARED", "RUNS", "DATA"):
        patch.setenv(f"LASASR_{name}", name.lower())


def train(*words: str) -> int:
    return main(["train", RECIPE, *TABLES, *SMALL, *words])


def run_of(name: str) -> Run:
    (folder,) = Path("runs/synthetic/las_char").glob(f"{name}*")
    return Run(folder)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two teachers, and a student of both."""
    folder = tmp_path_factory.mktemp("taught")
    (folder / "tables").mkdir()
    Corpus(folder / "tables", (6, 3, 2)).plain()
    with pytest.MonkeyPatch.context() as patch:
        at(patch, folder)
        assert train("name=first", "seed=1") == train("name=second", "seed=2") == 0
        teachers = ",".join(str(run_of(name).folder) for name in ("first", "second"))
        assert train("name=student", "loss=distillation", f"loss.teachers=[{teachers}]", "seed=3") == 0
    return folder


@pytest.fixture
def place(taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(taught, tmp_path, dirs_exist_ok=True)
    at(monkeypatch, tmp_path)
    return tmp_path


def kept_folder(place: Path) -> Path:
    (folder,) = (path for path in (place / "prepared" / "taught").iterdir() if path.is_dir())
    return folder


def test_what_is_kept_is_the_mean_of_the_teachers(place: Path) -> None:
    stored = Encodings(kept_folder(place))
    rows = [json.loads(line) for line in Path("tables/dev.jsonl").read_text().splitlines()]
    teachers = [Recognizer.load(run_of(name).bundle) for name in ("first", "second")]
    restored = [unpacked(stored.get(name)) for name in stored._places]
    for row in rows:
        waveform = torch.from_numpy(soundfile.read(f"tables/{row['audio']}", dtype="float32")[0])[None]
        sizes = torch.tensor([waveform.shape[1]])
        tokens = torch.tensor([teachers[0].tokenizer.encode(row["text"])])
        shares = torch.zeros(())
        with torch.inference_mode():
            for teacher in teachers:
                acoustics = teacher.encode_waveforms(waveform, sizes)
                spelled = teacher.model.forced(
                    acoustics.encoded, acoustics.lengths, tokens, torch.tensor([tokens.shape[1]])
                )
                shares = shares + spelled.logits[0].softmax(-1) / 2
        near = [
            torch.zeros_like(shares).scatter(-1, ids, logs.exp()).sub(shares).abs().max()
            for logs, ids in restored
            if len(ids) == len(shares)
        ]
        assert min(near) < 1e-3  # float16


def test_the_teachers_are_asked_once_and_stand_in_the_card(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = run_of("student").card()
    assert sorted(card.teachers) == sorted(str(run_of(name).folder) for name in ("first", "second"))
    teachers = ",".join(card.teachers)
    before = {path: path.stat().st_mtime_ns for path in kept_folder(place).iterdir()}
    shutil.rmtree(run_of("student").folder)
    assert train("name=other", "loss=distillation", f"loss.teachers=[{teachers}]", "seed=4") == 0
    assert "asking" not in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in kept_folder(place).iterdir()} == before
    assert train("name=warm", "loss=distillation", f"loss.teachers=[{teachers}]", "loss.temperature=2.0") == 0
    assert "asking" in capsys.readouterr().err  # other distributions


def test_a_teacher_that_changed_ends_a_run_that_goes_on(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    student, first = run_of("student"), run_of("first")
    config = student.folder / "config.yaml"
    config.write_text(config.read_text().replace("max_steps: 2", "max_steps: 4"))
    shutil.copy(run_of("second").bundle / "model.safetensors", first.bundle / "model.safetensors")
    student.note(status="unfinished")
    assert main(["train", "--resume", str(student.folder)]) == 1
    assert f"{first.folder}, which it learns from, is not what it was" in capsys.readouterr().err


def test_a_finished_run_of_another_teacher_is_not_taken_for_this_one(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    student, first = run_of("student"), run_of("first")
    words = ("loss=distillation", f"loss.teachers=[{','.join(student.card().teachers)}]", "seed=3")
    assert train(*words) == 0
    assert "is finished" in capsys.readouterr().out
    shutil.copy(run_of("second").bundle / "model.safetensors", first.bundle / "model.safetensors")
    assert train(*words) == 1
    assert f"{first.folder}, which it learnt from, has changed since" in capsys.readouterr().err
    shutil.rmtree(first.folder)
    assert train(*words) == 0
    assert "what it learnt from could not be checked" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["loss=distillation"], 2, "loss.teachers names no teacher: loss.teachers=[RUN]"),
        (["loss=distillation_texts"], 2, "or loss.texts=TABLE"),
        (["loss=distillation", "loss.teachers=[nowhere]"], 1, "nowhere does not exist"),
        (["loss=distillation_texts", "loss.texts=no.tsv"], 1, "loss.texts=no.tsv is missing"),
        (
            ["loss=distillation_texts", "loss.texts=tables/dev.jsonl"],
            1,
            "has no text of train utterance train-00 and 5",
        ),
        (["loss=distillation_texts", "loss.texts=t.tsv", "loss.teachers=[FIRST]"], 2, "are both given"),
    ],
)
def test_what_cannot_teach_is_refused(
    place: Path, words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [word.replace("FIRST", str(run_of("first").folder)) for word in words]
    assert train(*named) == status
    assert said in capsys.readouterr().err.strip().splitlines()[-1]


def test_other_tokens_are_refused_by_name_and_taught_by_texts(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher = run_of("first").folder
    for split in ("train", "dev"):
        table = Path(f"tables/{split}.jsonl")
        rows = [json.loads(line) for line in table.read_text().splitlines()]
        table.write_text("".join(json.dumps(row | {"text": f"{row['text']} zq"}) + "\n" for row in rows))
    assert train("loss=distillation", f"loss.teachers=[{teacher}]") == 2
    assert f"loss.teachers: {teacher} has other tokens" in capsys.readouterr().err
    words = ("loss=distillation_texts", f"loss.teachers=[{teacher}]", "loss.nbest=3")
    assert train(*words, "name=texts") == 0
    assert "asking" in capsys.readouterr().err
    assert train(*words, "name=again", "seed=5") == 0
    assert "asking" not in capsys.readouterr().err


def test_texts_of_any_tool_teach(place: Path) -> None:
    tables = [Path(f"tables/{split}.jsonl").read_text().splitlines() for split in ("train", "dev")]
    rows = [json.loads(line) for table in tables for line in table]
    lines = ["id\ttext\tscore"]
    lines += [f"{row['id']}\t{text}\t{score}" for row in rows for text, score in ((row["text"], -1.0), ("go up", -2.0))]
    Path("texts.tsv").write_text("\n".join(lines) + "\n")
    assert train("loss=distillation_texts", "loss.texts=texts.tsv", "name=table") == 0
    assert list(run_of("table").card().teachers) == ["texts.tsv"]
    Path("texts.tsv").write_text("\n".join(lines).replace("go up", "gö up"))
    assert train("loss=distillation_texts", "loss.texts=texts.tsv", "seed=7") == 1
