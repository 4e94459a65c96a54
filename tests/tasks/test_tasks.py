"""Tasks: which one a configuration has, what it refuses, and the order in which a training does its work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from loaded import composed, language, recognition

from lasasr.cli.main import main
from lasasr.configuration import settings
from lasasr.configuration.settings import Settings
from lasasr.tasks.base import Evaluated, Task
from lasasr.tasks.language import LanguageTask
from lasasr.tasks.lookup import task_of
from lasasr.tasks.recognition import RecognitionTask
from lasasr.training import data_check, machine

TEXT = ("corpus.train=a.txt", "corpus.dev=b.txt")


def test_every_kind_of_settings_has_its_task() -> None:
    assert type(task_of(recognition())) is RecognitionTask
    assert type(task_of(language())) is LanguageTask
    assert {type(one()) for one in (recognition, language)} == set(settings.KINDS)


def test_the_section_of_the_model_is_required_and_its_own() -> None:
    for kind in settings.KINDS:
        assert kind.task.section in kind.__dataclass_fields__
        assert not any(kind.task.section in other.__dataclass_fields__ for other in settings.KINDS if other is not kind)


def test_a_language_model_loads_nothing_of_recognizers() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests'); from loaded import language; "
        "from lasasr.tasks.lookup import task_of; task_of(language()); "
        "print([one for one in ('lasasr.tasks.recognition', 'lasasr.doctor.examination') if one in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["doctor", "lm/text_char", *TEXT], "lm/text_char trains a language model: doctor"),
        (["prepare", "lm/text_char", *TEXT, "--shards", "shards"], "lm/text_char is a language model's recipe"),
    ],
)
def test_verbs_refuse_what_they_do_not_take(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class Recorded(Task[Settings, Any, str]):
    """Notes what it is asked for."""

    calls: list[Any] = field(default_factory=list)
    fits: bool = True

    def check(self, begun: bool = False) -> None:
        self.calls.append(("check", begun))

    def prepare(self, progress: Any, again: bool = False) -> Any:
        self.calls.append("prepare")
        return SimpleNamespace()

    def describe(self, prepared: Any) -> Iterator[str]:
        yield ""

    def current_splits(self, progress: Any) -> Any:
        raise NotImplementedError

    def build(self, prepared: Any, begun: bool, progress: Any) -> str:
        self.calls.append(("build", begun))
        return "model"

    def fit(
        self, trained_as: Settings, folder: Path, resume: bool, prepared: Any, model: str, progress: Any
    ) -> dict[str, Any]:
        self.calls.append(("fit", trained_as.trainer["precision"]))
        return {"steps": 3} if self.fits else {}

    def finish(self, folder: Path, prepared: Any, model: str, progress: Any) -> dict[str, Any]:
        self.calls.append("finish")
        return {"results": {}}

    def evaluate(self, *_: Any) -> Evaluated:
        raise NotImplementedError

    def is_evaluated(self, *_: Any) -> bool:
        raise NotImplementedError


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("first_rank", [False, True])
def test_training_prepares_builds_fits_and_finishes(
    begun: bool, first_rank: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_check, "begin", lambda *_: {"corpus": "0"})
    monkeypatch.setattr(machine, "computes_bf16", lambda accelerator: True)
    if begun:
        (tmp_path / "checkpoints").mkdir()
        (tmp_path / "checkpoints" / "last.ckpt").touch()
    own = composed("synthetic/las_char", ["bf16_if_fast=true", "threads=1"])
    task = Recorded(own, fits=first_rank)
    facts = task.train(tmp_path, True, lambda *_: None)
    expected = ["prepare", ("build", begun), ("fit", "bf16-mixed"), *(["finish"] * first_rank)]
    assert task.calls == expected
    assert task.settings.trainer["precision"] == "32-true"
    told = {"steps": 3, "precision": "bf16-mixed", "threads": 1, "data": {"corpus": "0"}, "results": {}}
    assert facts == (told if first_rank else {})
