"""The sections' defaults are those of the yaml files, key by key."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lasasr.cli.compose import compose
from lasasr.configuration import settings
from lasasr.configuration.settings import Language, Recognition, Settings
from lasasr.configuration.signature_defaults import canonical
from lasasr.errors import LasasrError, UsageError

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
    """An interpolation as what it is where no variable is set."""
    if isinstance(value, str) and value.startswith("${oc.env:"):
        return value.rstrip("}").partition(",")[2]
    return {key: plain(one) for key, one in value.items()} if isinstance(value, dict) else canonical(value)


@pytest.mark.parametrize(("file", "kind"), [("base.yaml", Recognition), ("lm_base.yaml", Language)])
def test_yaml_says_the_same(file: str, kind: type[Settings]) -> None:
    written = {key: value for key, value in read(file).items() if key != "defaults"}
    written |= {group: read(path) for group, path in GROUPS.items() if file == "base.yaml"}
    parts = {key for key, value in written.items() if isinstance(value, dict) and "_target_" in value}
    defaults = settings.section_defaults(kind)
    assert plain({**defaults.pop(""), **defaults}) == {
        key: plain(value) for key, value in written.items() if key not in parts
    }


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
    idle = settings.idle_keys(Recognition)
    assert {"seed", "name", "threads", "alignment.look_every", "evaluate.splits", "validation.maps"} <= idle
    assert not idle & {
        "ema",
        "bf16_if_fast",
        "early_stopping",
        "checkpoint.final",
        "warm_start.run",
        "augment.waveform",
    }
    assert {"evaluate.splits", "checkpoint.every_s"} <= settings.idle_keys(Language)
    assert "tokenizer_sentences" not in settings.idle_keys(Language)


LM = ("lm/text_char", ["corpus.train=a.txt", "corpus.dev=b.txt"])


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    return compose("synthetic/las_char")


def test_what_a_command_says_is_what_is_loaded() -> None:
    plain = compose("synthetic/las_char", ["evaluate.splits=[dev,test]", "ema=0.5", "checkpoint.every_s=7"])
    loaded = settings.load(plain, "test")
    assert isinstance(loaded, Recognition)
    assert (loaded.evaluate.splits, loaded.ema, loaded.checkpoint.every_s) == (("dev", "test"), 0.5, 7.0)
    assert loaded.listen == plain["listen"]
    assert loaded.validation.search == plain["validation"]["search"]
    assert loaded.plain == plain


def test_the_section_of_the_model_says_what_is_trained(composed: dict[str, Any]) -> None:
    assert isinstance(settings.load(compose(*LM), "test"), Language)
    with pytest.raises(
        UsageError, match=r"^mine: loss, validation.search has no _target_, so there is nothing to build"
    ):
        settings.load({**composed, "loss": {}, "validation": {"search": {"beam": 3}}}, "mine")
    with pytest.raises(UsageError, match=r"^mine: it has lm \(a language model\) and listen \(a recognizer\), but "):
        settings.load({**composed, "lm": {}}, "mine")


def test_a_path_that_no_file_has_is_refused_by_its_key(composed: dict[str, Any]) -> None:
    settings.load({**composed, "runs_dir": "é" * 127 + "/" + "x" * 255}, "mine")
    settings.load({**composed, "runs_dir": "s3://bucket/" + "x" * 300}, "mine")
    with pytest.raises(UsageError, match=r"^mine: runs_dir has a name of more than 255 bytes"):
        settings.load({**composed, "runs_dir": "runs/" + "é" * 128}, "mine")
    with pytest.raises(UsageError, match=r"^mine: augment\.waveform\[0\]\.folder has a name"):
        settings.load({**composed, "augment": {**composed["augment"], "waveform": [{"folder": "x" * 256}]}}, "mine")


def without(plain: dict[str, Any], key: str) -> dict[str, Any]:
    section, _, name = key.rpartition(".")
    if section:
        return {**plain, section: without(plain[section], name)}
    return {other: value for other, value in plain.items() if other != name}


@pytest.mark.parametrize("recipe", ["recognizer", "language model"])
def test_every_key_with_a_default_may_be_absent_and_every_other_is_missed(
    recipe: str, composed: dict[str, Any]
) -> None:
    plain = composed if recipe == "recognizer" else compose(*LM)
    kind = settings.kind_of(plain)
    defaults = settings.section_defaults(kind)
    keys = {
        f"{section}.{key}" if section else key: value for section, own in defaults.items() for key, value in own.items()
    }
    for key, default in keys.items():
        value: Any = settings.load(without(plain, key), "test")
        for name in key.split("."):
            value = getattr(value, name)
        assert canonical(value) == canonical(default), key
    for section in set(defaults) - {"", "validation"}:
        assert section not in plain or settings.load(without(plain, section), "test")
    parts = set(plain) - set(defaults) - set(defaults[""])
    assert len(parts) > 8
    for name in parts - {kind.task.section}:
        with pytest.raises(UsageError, match=rf"^test: it lacks {name}, which {kind.task.trains} needs$"):
            settings.load(without(plain, name), "test")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("seed", "one", "'one', not a whole number"),
        ("seed", True, "true, not a whole number"),
        ("threads", 1.5, "1.5, not a whole number from 1 to 4096 or nothing"),
        ("bf16_if_fast", 1, "1, not true or false"),
        ("ema", "high", "'high', not a number or nothing"),
        ("ema", float("nan"), "nan, not a number or nothing"),
        ("evaluate", None, "null, not a part with keys"),
        ("evaluate.splits", "test", "'test', not a list of texts"),
        ("evaluate.splits", ["test", 3], "['test', 3], not a list of texts"),
        ("validation.maps", [2], "[2], not a whole number"),
        ("validation.search", "greedy", "'greedy', not a part with keys"),
        ("checkpoint.final", "first", "'first', not best or last"),
        ("augment.waveform", [3], "[3], not a list of parts with keys"),
        ("listen", "pyramid", "'pyramid', not a part with keys"),
        ("trainer.max_steps", "many", "'many', not a whole number"),
        ("trainer.devices", {"x": 1}, "{'x': 1}, not a whole number or a text or a list of whole numbers"),
        ("callbacks", "mine", "'mine', not a part with keys; callbacks takes callbacks by name, as "),
        ("recipe", 3, "3, not a text"),
        ("threads", 0, "0, not a whole number from 1 to 4096 or nothing"),
        ("threads", 10**15, "1000000000000000, not a whole number from 1 to 4096 or nothing"),
        ("seed", -1, "-1, not a whole number from 0 to 4294967295"),
        ("seed", 2**32, "4294967296, not a whole number from 0 to 4294967295"),
        ("debug.overfit_utterances", 0, "0, not a whole number of at least 1 or nothing"),
        ("checkpoint.best", -2, "-2, not a whole number of at least -1"),
        ("checkpoint.every_s", float("inf"), "inf, not a number of at least 0"),
        ("trainer.accumulate_grad_batches", 0, "0, not a whole number of at least 1"),
        ("trainer.gradient_clip_val", -0.5, "-0.5, not a number of at least 0 or nothing"),
    ],
)
def test_a_value_of_another_kind_is_one_line_that_names_file_and_key(
    composed: dict[str, Any], key: str, value: Any, words: str
) -> None:
    section, _, name = key.rpartition(".")
    changed = {**composed, section: {**composed[section], name: value}} if section else {**composed, name: value}
    for refusal in (UsageError, LasasrError):
        with pytest.raises(refusal) as caught:
            settings.load(changed, "runs/x/config.yaml", refusal)
        assert str(caught.value).startswith(f"runs/x/config.yaml: {key} is {words}")
        assert type(caught.value) is refusal
