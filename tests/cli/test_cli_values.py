"""The kind of value that a key takes, by yaml and by annotation."""

from pathlib import Path

import pytest
from cli_yaml import write
from lightning.pytorch import Trainer
from omegaconf import DictConfig, OmegaConf

from lasasr.cli.compose import compose
from lasasr.cli.values import TRAINER_NUMBERS
from lasasr.configuration.arguments import annotations_of
from lasasr.configuration.typed import matches
from lasasr.errors import UsageError


@pytest.fixture
def with_trainer(dictionary: Path) -> str:
    text = "{_target_: lightning.pytorch.Trainer, max_epochs: 20, devices: 1, val_check_interval: 1.0}"
    write(dictionary, "configs/trainer/plain.yaml", text)
    Path("mine.yaml").write_text("defaults: [/base, {/trainer@trainer: plain}, _self_]")
    return "mine.yaml"


@pytest.mark.parametrize(("override", "value"), [("devices=auto", "auto"), ("devices=[0,1]", [0, 1])])
def test_what_the_annotation_of_the_target_takes_passes(with_trainer: str, override: str, value: object) -> None:
    assert compose(with_trainer, [f"trainer.{override}"])["trainer"]["devices"] == value


def test_what_lightning_takes_is_known_without_loading_it() -> None:
    def refuse(config: object) -> None:
        raise AssertionError("classes are loaded")

    override = "trainer.val_check_interval=1.0"  # the recipe has a number of batches
    assert compose("synthetic/las_char", [override], refuse)["trainer"]["val_check_interval"] == 1.0
    with pytest.raises(UsageError, match=r"trainer\.max_steps takes a whole number \(it is 900\), got 1\.5"):
        compose("synthetic/las_char", ["trainer.max_steps=1.5"], refuse)


def test_numbers_of_the_trainer_are_taken_as_lightning_annotates_them() -> None:
    numbers = OmegaConf.load(Path(__file__).parents[2] / "configs" / "trainer" / "default.yaml")
    assert isinstance(numbers, DictConfig)
    assert {key for key, value in numbers.items() if type(value) in (int, float)} == {*TRAINER_NUMBERS}
    annotations = annotations_of(Trainer)
    for value in (None, True, 0, 3, -1, 1.0, 2.5, "text", [0, 1], [0.5], {"hours": 1}, {"hours": 0.5}):
        for name, kind in TRAINER_NUMBERS.items():
            assert matches(value, kind) == matches(value, annotations[name]), (name, value)


@pytest.mark.parametrize("value", ["many", "1.5", "[1]"])
def test_what_neither_yaml_nor_annotation_takes_is_refused(with_trainer: str, value: str) -> None:
    with pytest.raises(UsageError, match=r"trainer\.max_epochs takes a whole number \(it is 20\)"):
        compose(with_trainer, [f"trainer.max_epochs={value}"])
