"""The kind of value that a key takes, by yaml and by annotation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Union

import pytest
from cli_yaml import write

from lasasr.cli.compose import compose
from lasasr.cli.values import admits
from lasasr.errors import UsageError


@pytest.mark.parametrize(
    ("annotation", "value", "takes"),
    [
        (int, 3, True),
        (int, True, False),
        (int, 3.0, False),
        (int, None, False),
        (float, 3, True),
        (float, "3", False),
        (bool, True, True),
        (bool, 1, False),
        (int | str, "auto", True),
        (Union[int, None], None, True),  # noqa: UP007 - what older packages write
        (list[int] | str | int, [0, 1], True),
        (Sequence[float], [1.0], True),
        (dict[str, int], {"a": 1}, True),
        (Literal["min", "max"], "max", True),
        (Literal["min", "max"], "mean", False),
        (Any, object(), True),
        (None, 3, False),
    ],
)
def test_admits_reads_annotations(annotation: Any, value: Any, takes: bool) -> None:
    assert admits(annotation, value) is takes


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
