"""Systems are distinguished and named by the values of settings, not by how these were written."""

from pathlib import Path
from typing import Any

from comparison_runs import SEARCH, config

from lasasr.comparison.settings import Settings, differing, names, settings


def settings_of(attend: str = "dot", seed: int = 1, **changes: Any) -> Settings:
    return settings(config(Path("runs"), attend, seed=seed, **changes), changes.get("search", SEARCH))


def test_seed_folder_threads_and_evaluation_make_no_other_system() -> None:
    same = [
        settings_of(),
        settings_of(seed=2),
        settings_of(runs_dir="elsewhere"),
        settings_of(threads=4),
        settings_of(evaluate={"splits": ["dev"]}),
    ]
    assert len({system.identity for system in same}) == 1
    assert settings_of(listen={"layers": 3.0}).identity == settings_of().identity
    assert (
        len({settings_of().identity, settings_of("additive").identity, settings_of(listen={"layers": 4}).identity}) == 3
    )


def test_the_mean_of_checkpoints_is_another_system() -> None:
    plain = config(Path("runs"))
    plain_system, averaged_system = settings(plain), settings(plain, averaged=5)
    assert names([plain_system, averaged_system]) == ["as the recipe says", "averaged=5"]


def test_a_choice_stands_for_what_it_brings() -> None:
    assert names([settings_of("dot"), settings_of("additive")]) == ["attend=dot", "attend=additive"]


def test_keys_below_a_choice_are_named_where_the_choice_is_the_same() -> None:
    system_names = names([settings_of("dot"), settings_of("dot", dim=64), settings_of("additive")])
    assert system_names == ["attend=dot attend.dim=8", "attend=dot attend.dim=64", "attend=additive"]


def loss(**options: Any) -> dict[str, Any]:
    return {"_target_": "lasasr.loss.JointLoss", "ctc_weight": 0.3, **options}


def test_an_option_that_is_younger_than_other_runs_is_at_its_default_there() -> None:
    old, young = settings_of("dot", loss=loss()), settings_of("dot", loss=loss(quantity_weight=0.0, prior="uniform"))
    assert old.identity == young.identity
    assert names([old, settings_of("additive", loss=loss(quantity_weight=0))]) == ["attend=dot", "attend=additive"]
    system_names = names([old, settings_of("additive", loss=loss(quantity_weight=2))])
    assert system_names == ["attend=dot", "attend=additive loss.quantity_weight=2"]
    assert names([young, settings_of("dot", loss=loss(quantity_weight=2))]) == [
        "loss.quantity_weight=0",
        "loss.quantity_weight=2",
    ]


def test_how_training_is_run_and_watched_is_in_no_name() -> None:
    trainer = {"_target_": "lightning.pytorch.Trainer", "log_every_n_steps": 10, "max_steps": 5}
    quiet = {**trainer, "log_every_n_steps": 1, "accelerator": "cpu"}
    loading = {"_target_": "lasasr.data.loader.Loading", "num_workers": 4}
    plain, other = settings_of(trainer=trainer), settings_of(trainer=quiet, loading=loading, name="mine", threads=3)
    assert plain.identity == other.identity
    assert names([plain, settings_of("additive", trainer=quiet, loading=loading)]) == ["attend=dot", "attend=additive"]
    assert names([plain, settings_of(trainer={**quiet, "max_steps": 6})]) == [
        "trainer.max_steps=5",
        "trainer.max_steps=6",
    ]


def test_searches_that_differ_by_defaults_alone_are_one() -> None:
    younger = {**SEARCH, "nbest": 1, "beam": 10.0, "pruning": {"_target_": "lasasr.search.pruning.Pruning"}}
    other = settings(config(Path("runs")), younger)
    assert other.identity == settings_of().identity
    assert other.choices["search"] == "beam_ctc"


def test_keys_and_choices_together() -> None:
    assert names([settings_of("dot"), settings_of("additive", listen={"layers": 4})]) == [
        "attend=dot listen.layers=3",
        "attend=additive listen.layers=4",
    ]


def test_another_search_is_named_by_its_class() -> None:
    other = settings(config(Path("runs")), {"_target_": "lasasr.search.greedy.GreedySearch"})
    assert names([settings_of(), other]) == ["search=beam_ctc", "search=GreedySearch"]


def test_names_stay_apart_when_they_are_long() -> None:
    system_names = names([settings_of(listen={f"k{i}": i for i in range(40)} | {"last": last}) for last in (1, 2)])
    assert len(set(system_names)) == 2
    keys = {f"k{i}": "x" * 30 for i in range(9)}
    system_names = names(
        [settings_of(listen=keys | {"k0": str(i)} | {"z": i}, loss=keys | {"k1": i}, lr=1 / (3 + i)) for i in range(3)]
    )
    assert len(set(system_names)) == 3


def test_one_system_is_named_by_its_attention() -> None:
    assert names([settings_of("location")]) == ["attend=location"]


def test_differing_also_finds_what_only_one_has() -> None:
    assert differing([{"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}]) == ["b", "c"]
    assert differing([{"a": None}, {}]) == ["a"]
