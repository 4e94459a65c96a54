"""One form for configurations that train the same, whoever wrote them and however; torch is not loaded for it."""

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from lasasr.cli.compose import compose
from lasasr.configuration import moved
from lasasr.configuration.identity import (
    differing,
    idle_values,
    normal_form,
    system_digest,
    trained_values,
    whole_digest,
)

RECIPES = ("synthetic/las_char", "timit/attention_phone61", "lm/text_char", "librispeech/las_100h_bpe1k")


def given(recipe: str) -> list[str]:
    return ["corpus.train=a.txt", "corpus.dev=b.txt"] if recipe == "lm/text_char" else []


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    return compose("synthetic/las_char", ["augment=rooms"])


def changed(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy with one value set; `...` takes the key away."""
    made = deepcopy(config)
    *above, name = key.split(".")
    section: Any = made
    for part in above:
        section = section[int(part)] if isinstance(section, list) else section.setdefault(part, {})
    if value is ...:
        del section[name]
    else:
        section[name] = value
    return made


SAME = [
    ("seed", 7),
    ("runs_dir", "/elsewhere"),
    ("prepared_dir", "/elsewhere"),
    ("recipe", "mine"),
    ("choices", {}),
    ("schema", 1),
    ("name", "mine"),
    ("threads", 3),
    ("loading.num_workers", 4),
    ("alignment.look_every", 1),
    ("evaluate.splits", ["dev"]),
    ("evaluate", ...),
    ("validation.maps", 0),
    ("checkpoint.every_s", 5),
    ("trainer.log_every_n_steps", 1),
    ("trainer.accelerator", "cpu"),
    ("trainer.enable_progress_bar", False),
    ("trainer.profiler", "simple"),
    ("logger", {"_target_": "lightning.pytorch.loggers.CSVLogger"}),
    ("listen.lstm", "recomputed"),
    ("spell.compile", True),
    ("corpus.workers", 2),
    ("attend._partial_", ...),
    # absent, or at its default
    ("ema", ...),
    ("warm_start", ...),
    ("debug", ...),
    ("checkpoint.monitor", ...),
    ("attend.scale", ...),
    ("attend.dim", 128.0),
    ("search.limits", ...),
    ("search.pruning.ctc_window", ...),
    ("search.subtract", None),
    ("validation.search.limits", ...),
    ("loss.quantity_weight", ...),
    ("optimizer.weight_decay", ...),
    ("optimizer.amsgrad", False),
    ("trainer.num_nodes", ...),
    ("trainer.gradient_clip_algorithm", None),
    ("augment.waveform.1.sample_rate_hz", ...),
    ("augment.waveform.0.factors", [0.9, 1, 1.1]),
]
OTHER = [
    ("ema", 0.9),
    ("early_stopping", 3),
    ("early_stopping", False),
    ("bf16_if_fast", False),
    ("checkpoint.monitor", "cer"),
    ("checkpoint.final", "last"),
    ("warm_start.run", "runs/x"),
    ("debug.overfit_utterances", 20),
    ("attend.dim", 64),
    ("attend.scale", True),
    ("attend._target_", "lasasr.attend.content.AdditiveAttention"),
    ("search.beam", 4),
    ("search.limits.max_ratio", 3.0),
    ("validation.search.limits.max_ratio", 3.0),
    ("corpus.seed", 1),
    ("optimizer.lr", 1e-4),
    ("trainer.max_steps", 10),
    ("trainer.devices", 2),
    ("trainer.precision", "16-mixed"),
    ("augment.waveform.1.probability", 0.1),
    ("augment.specaugment", None),
    ("batching.max_utterances", 8),
    ("mine", 1),
    ("callbacks.mine", {"_target_": "mine.Callback"}),
]


@pytest.mark.parametrize(("key", "value"), SAME)
def test_what_makes_no_other_system(composed: dict[str, Any], key: str, value: Any) -> None:
    assert differing(normal_form(composed), normal_form(changed(composed, key, value))) == []
    assert system_digest(changed(composed, key, value)) == system_digest(composed)


@pytest.mark.parametrize(("key", "value"), OTHER)
def test_what_makes_another_system(composed: dict[str, Any], key: str, value: Any) -> None:
    other = changed(composed, key, value)
    assert system_digest(other) != system_digest(composed)
    assert all(one.startswith(key.partition(".")[0]) for one in differing(normal_form(composed), normal_form(other)))


def test_a_path_below_a_place_is_the_same_wherever_that_is(composed: dict[str, Any]) -> None:
    there = json.loads(json.dumps(composed).replace('"data/noise', '"/big/noise').replace('"data"', '"/big"'))
    there = json.loads(json.dumps(there).replace('"data/impulse_responses', '"/big/impulse_responses'))
    assert there != composed
    assert normal_form(there) == normal_form(composed)
    assert normal_form(composed)["augment.noise_folder"] == "<data_dir>/noise"


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_whole_configuration_without_its_defaults_is_the_same(recipe: str) -> None:
    """Every key of every yaml may be absent, as far as it is at its default."""
    config = compose(recipe, given(recipe))
    kept = normal_form(config)
    fewer = {key: value for key, value in config.items() if key == "choices" or not isinstance(value, dict)}
    for key, value in [*kept.items(), *idle_values(config).items()]:
        if "[" not in key:
            value = value.replace("<data_dir>", config["data_dir"]) if isinstance(value, str) else value
            fewer = changed(fewer, key, value)
    fewer |= {"augment": config["augment"]} if "augment" in config else {}
    assert len(json.dumps(fewer)) < len(json.dumps(config))
    assert normal_form(fewer) == kept


def test_values_with_defaults_and_idle_ones_are_told_apart(composed: dict[str, Any]) -> None:
    values = trained_values(composed)
    assert (values["attend.dim"], values["early_stopping"], values["augment.waveform[1].probability"]) == (
        128,
        None,
        0.5,
    )
    assert not {"threads", "loading.num_workers", "evaluate.batch_s", "seed"} & set(values)
    assert idle_values(changed(composed, "loading.num_workers", 3))["loading.num_workers"] == 3
    assert not {"seed", "data_dir", "threads"} & set(idle_values(composed))
    assert whole_digest(changed(composed, "threads", 3)) != whole_digest(composed)


def test_moved_classes_and_renamed_keys_have_their_names_of_today(
    composed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(moved.MOVED, "old.place.LocationAttention", "lasasr.attend.location.LocationAttention")
    monkeypatch.setitem(moved.RENAMED_KEYS, "hear.deep", "search.limits")
    monkeypatch.setitem(moved.RENAMED_KEYS, "average", "ema")
    old = changed(composed, "attend._target_", "old.place.LocationAttention")
    old = changed(changed(old, "hear", {"deep": old["search"]["limits"]}), "search.limits", ...)
    old = changed(changed(old, "average", None), "ema", ...)
    before = deepcopy(old)
    assert normal_form(old) == normal_form(composed)
    assert old == before
    assert normal_form(changed(old, "average", 0.9))["ema"] == 0.9


def test_a_class_that_is_not_there_keeps_all_its_keys(composed: dict[str, Any]) -> None:
    own = changed(composed, "attend", {"_target_": "not.there.Attention", "dim": 128})
    assert normal_form(own)["attend.dim"] == 128


def test_true_is_not_one() -> None:
    assert differing({"a": True}, {"a": 1}) == ["a"]
    assert differing({"a": [1.0]}, {"a": [1]}) == []
    assert differing({"a": None}, {}) == ["a"]


def test_torch_is_not_loaded(composed: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(composed))
    program = (
        "import json, sys; from lasasr.configuration import identity; "
        f"print(identity.system_digest(json.load(open({str(tmp_path / 'config.json')!r})))); "
        "assert not {'torch', 'lightning', 'hydra'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == system_digest(composed)
