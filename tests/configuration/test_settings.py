"""The sections' defaults are those of the yaml files, key by key."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lasasr.configuration import settings
from lasasr.configuration.signature_defaults import canonical

CONFIGS = Path(__file__).parents[2] / "configs"
GROUPS = {  # that hold no part: the choice of base.yaml says what they are by default
    "augment": "augment/none.yaml",
    "debug": "debug/none.yaml",
}


def read(name: str) -> dict[str, Any]:
    found = yaml.safe_load((CONFIGS / name).read_text())
    assert isinstance(found, dict)
    return found


def plain(value: Any) -> Any:
    """A dataclass as yaml would say it; an interpolation as what it is where no variable is set."""
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, str) and value.startswith("${oc.env:"):
        return value.rstrip("}").partition(",")[2]
    return {key: plain(one) for key, one in value.items()} if isinstance(value, dict) else canonical(value)


@pytest.mark.parametrize(
    ("file", "made"), [("base.yaml", settings.Recognition()), ("lm_base.yaml", settings.Language())]
)
def test_yaml_says_the_same(file: str, made: Any) -> None:
    written = {key: value for key, value in read(file).items() if key != "defaults"}
    written |= {group: read(path) for group, path in GROUPS.items() if file == "base.yaml"}
    parts = {key for key, value in written.items() if isinstance(value, dict) and "_target_" in value}
    assert plain(made) == {key: plain(value) for key, value in written.items() if key not in parts}


def test_every_group_without_a_part_is_a_section() -> None:
    chosen = {
        group: choice for one in read("base.yaml")["defaults"] if one != "_self_" for group, choice in one.items()
    }
    without = {group for group, choice in chosen.items() if "@" not in group and not _has_part(group, choice)}
    assert without == set(GROUPS)


def _has_part(group: str, choice: str | list[str]) -> bool:
    if isinstance(choice, list):  # several are chosen at once
        return all(_has_part(group, one) for one in choice)
    own = read(f"{group}/{choice}.yaml")
    above = [one for one in own.get("defaults", []) if one != "_self_"]
    return "_target_" in own or any(_has_part(group, one) for one in above)


def test_each_field_says_whether_it_is_trained() -> None:
    idle = settings.idle_keys(settings.Recognition())
    assert {"seed", "name", "threads", "alignment.look_every", "evaluate.splits", "validation.maps"} <= idle
    assert not idle & {
        "ema",
        "bf16_if_fast",
        "early_stopping",
        "checkpoint.final",
        "warm_start.run",
        "augment.waveform",
    }
    assert {"evaluate.splits", "checkpoint.every_s"} <= settings.idle_keys(settings.Language())
    assert "tokenizer_sentences" not in settings.idle_keys(settings.Language())
