"""What a run folder says of training that came to an end of another kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loaded import composed

from lasasr.artifacts import runs
from lasasr.cli import train
from lasasr.cli.compose import load
from lasasr.errors import DivergenceError, LasasrError, UsageError
from lasasr.tasks.recognition import RecognitionTask
from lasasr.training.run import check

RECIPE = "synthetic/las_char"


def works(error: Exception | None) -> Callable[..., dict[str, Any]]:
    def work(*arguments: Any) -> dict[str, Any]:
        if error is not None:
            raise error
        return {"steps": 3}

    return work


def test_divergence_stands_in_the_card_until_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, settings = runs.Run(tmp_path / "run"), composed(RECIPE)
    monkeypatch.setattr(RecognitionTask, "train", works(DivergenceError("the loss is not finite at step 7")))
    with pytest.raises(DivergenceError):
        train.run_in(place, settings, [], resume=False)
    assert (place.status, place.card().diverged) == ("unfinished", "the loss is not finite at step 7")
    monkeypatch.setattr(RecognitionTask, "train", works(LasasrError("the disk is full")))
    with pytest.raises(LasasrError):
        train.run_in(place, settings, [], resume=True)
    assert "diverged" not in place.card()
    monkeypatch.setattr(RecognitionTask, "train", works(None))
    train.run_in(place, settings, [], resume=True)
    assert (place.status, place.card().diverged, place.card().steps) == ("finished", None, 3)


@pytest.mark.parametrize(
    ("recipe", "wrong"),
    [
        (RECIPE, "trainer.accelerator=cudda"),
        (RECIPE, "trainer.precision=8-true"),
        (RECIPE, "warm_start.run=no/run"),
        (RECIPE, "loss.label_smoothing=3.0"),
        (RECIPE, "sampling.most=3.0"),
        ("lm/synthetic_char", "trainer.accelerator=cudda"),
        ("lm/synthetic_char", "trainer.precision=8-true"),
    ],
)
def test_what_is_refused_leaves_no_folder(tmp_path: Path, recipe: str, wrong: str) -> None:
    place = runs.Run(tmp_path / "run")
    with pytest.raises(LasasrError, match=wrong.partition("=")[2]):
        train.run_in(place, load(recipe, [wrong]), [wrong], resume=False)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_table_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("id\taudio\ttext\n1\tgone.wav\tone\n")
    place = runs.Run(tmp_path / "runs" / "run")
    tables = [f"corpus.{split}={tmp_path}/train.tsv" for split in ("train", "dev")]
    wrong = ["corpus=table", *tables, f"prepared_dir={tmp_path}/prepared", "evaluate.splits=[dev]"]
    with pytest.raises(LasasrError, match=r"train\.tsv"):
        train.run_in(place, load(RECIPE, wrong), wrong, resume=False)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["checkpoints", "tensorboard", "results"])
def test_what_training_has_written_stays_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    place = runs.Run(tmp_path / "run")

    def work(*arguments: Any) -> dict[str, Any]:
        (place.folder / name).mkdir()
        raise LasasrError("the disk is full")

    monkeypatch.setattr(RecognitionTask, "train", work)
    with pytest.raises(LasasrError, match="the disk is full"):
        train.run_in(place, composed(RECIPE), [], resume=False)
    assert {path.name for path in place.folder.iterdir()} >= {name, "config.yaml", "card.json"}


def test_what_has_begun_needs_its_warm_start_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = composed(RECIPE, ["warm_start.run='~/run'"])
    check(gone, begun=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(LasasrError, match=f"{tmp_path}/run does not exist"):
        check(gone)


def test_masks_are_counted_before_anything_is_prepared() -> None:
    with pytest.raises(UsageError, match=r"augment\.specaugment\.time_masks must be in \[0, 1000\], got 5000"):
        check(composed(RECIPE, ["augment=specaugment_ld", "augment.specaugment.time_masks=5000"]))
