"""The kind of value that a key takes, by yaml and by annotation."""

from pathlib import Path

import pytest
from cli_yaml import write

from lasasr.cli.compose import compose
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


@pytest.mark.parametrize("value", ["many", "1.5", "[1]"])
def test_what_neither_yaml_nor_annotation_takes_is_refused(with_trainer: str, value: str) -> None:
    with pytest.raises(UsageError, match=r"trainer\.max_epochs takes a whole number \(it is 20\)"):
        compose(with_trainer, [f"trainer.max_epochs={value}"])
