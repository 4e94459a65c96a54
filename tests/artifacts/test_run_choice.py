"""One run folder per configuration, found again whatever it is called."""

from pathlib import Path
from typing import Any

import pytest
from run_config import CONFIG

from lasasr.artifacts.run_choice import choose_run, run_for
from lasasr.artifacts.runs import Run
from lasasr.configuration.identity import system_digest
from lasasr.errors import LasasrError, UsageError

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_the_name_says_recipe_overrides_seed_and_hash() -> None:
    folder = run_for(CONFIG, ["seed=3", "listen.layers=2", "attend=dot"]).folder
    assert folder == Path(f"runs/synthetic/las_char/attend-dot_layers-2-s3-{system_digest(CONFIG)}")


def test_the_same_configuration_finds_its_folder_however_it_was_asked_for(run: Run) -> None:
    assert run_for(CONFIG, ["attend=dot"]) == run
    assert run_for(CONFIG, []) == run
    assert run_for({**CONFIG, "seed": 4}, ["attend=dot"]) != run


def begun(config: dict[str, Any], name: str, checkpoint: bool = True) -> Run:
    """A run of some name, as an earlier version would have left it."""
    run = Run(Path("runs") / config["recipe"] / name)
    run.start(config, [])
    if checkpoint:
        run.checkpoints.mkdir()
        (run.checkpoints / "last.ckpt").touch()
    return run


SAME: list[dict[str, Any]] = [
    {"attend": {"dim": 8.0, "_target_": "lasasr.attend.Dot", "scale": 1}},
    {"early_stopping": None, "ema": None, "threads": 4},
    {"loading": {"_target_": "lasasr.data.loader.Loading", "num_workers": 3}},
    {"name": "mine", "evaluate": {"splits": ["dev"]}},
    {"data_dir": "/corpora", "corpus": {"root": "/corpora/LibriSpeech", "splits": ["test", "dev"]}},
]


@pytest.mark.parametrize("changes", SAME)
def test_a_run_is_found_by_its_configuration_whatever_its_folder_is_called(changes: dict[str, Any]) -> None:
    old = begun(CONFIG, "attend-dot-s3-00000000")
    assert run_for({**CONFIG, **changes}, ["anything=else"]) == old
    del changes
    assert run_for({**CONFIG, "early_stopping": 2}, []) != old


@pytest.mark.parametrize("name", ["attend-dot-s3-0000000", "attend-dot-s4-00000000", "s3-00000000-copy", "best"])
def test_other_folders_are_not_looked_at(name: str) -> None:
    begun(CONFIG, name)
    assert run_for(CONFIG, []).status == "absent"


def test_fresh_leaves_the_run_and_the_newest_is_found_from_then_on() -> None:
    old = begun(CONFIG, "attend-dot-s3-00000000")
    first = choose_run(CONFIG, ["attend=dot"], fresh=True)
    assert first.run.folder.name == f"attend-dot-s3-{system_digest(CONFIG)}-2"
    assert first.remarks == (f"{old.folder} stays; it is trained again in {first.run.folder}",)
    first.run.start(CONFIG, [])
    assert run_for(CONFIG, []) == first.run
    second = run_for(CONFIG, [], fresh=True)
    assert second.folder.name == f"default-s3-{system_digest(CONFIG)}-3"
    assert old.status == "unfinished"
    assert choose_run({**CONFIG, "seed": 4}, [], fresh=True).remarks == ()


def test_a_default_that_has_changed_since_makes_another_run() -> None:
    """The folder has the name of today's configuration, but was begun with another default."""
    before = {**CONFIG, "early_stopping": 9}
    named = begun(before, f"default-s3-{system_digest(CONFIG)}")
    other, remarks = choose_run(CONFIG, [])
    assert other.folder == named.folder.with_name(f"{named.folder.name}-2")
    assert remarks == (
        f"{named.folder} was begun with other defaults (early_stopping=9, here null): this is another run, "
        f"{other.folder}",
    )
    other.start(CONFIG, [])
    assert choose_run(CONFIG, []) == (other, ())
    assert run_for(before, []) == named


def test_what_is_asked_for_in_vain_is_said() -> None:
    old = begun(CONFIG, "default-s3-00000000")
    loading = {"_target_": "lasasr.data.loader.Loading", "num_workers": 3}
    run, remarks = choose_run({**CONFIG, "loading": loading, "name": "x"}, ["loading.num_workers=3"])
    assert run == old
    assert remarks == (
        f'{old.folder} keeps loading._target_=its default, not "lasasr.data.loader.Loading", '
        'loading.num_workers=its default, not 3, name=its default, not "x": that changes nothing of what is trained',
    )
    assert choose_run(CONFIG, []).remarks == ()


def test_a_run_without_a_checkpoint_begins_with_what_is_asked_for_now() -> None:
    begun(CONFIG, "default-s3-00000000", checkpoint=False)
    assert choose_run({**CONFIG, "threads": 3}, []).remarks == ()


def test_a_damaged_run_of_that_name_is_named_and_others_are_passed_over() -> None:
    own, other = begun(CONFIG, f"x-s3-{system_digest(CONFIG)}"), begun(CONFIG, "x-s3-00000000")
    for run in (own, other):
        (run.folder / "config.yaml").write_text("a: [1")
    with pytest.raises(LasasrError, match=r"^[^\n]*config\.yaml is damaged[^\n]*--fresh[^\n]*$"):
        run_for(CONFIG, [])
    assert run_for(CONFIG, [], fresh=True).folder.name == f"default-s3-{system_digest(CONFIG)}-2"


def test_an_empty_folder_of_that_name_is_taken() -> None:
    empty = Path("runs", CONFIG["recipe"], f"x-s3-{system_digest(CONFIG)}")
    empty.mkdir(parents=True)
    assert run_for(CONFIG, []).folder == empty


def test_a_name_stands_for_the_overrides() -> None:
    ending = f"s3-{system_digest(CONFIG)}"
    assert run_for({**CONFIG, "name": "my-best"}, ["attend=dot"]).folder.name == f"my-best-{ending}"
    assert run_for({**CONFIG, "name": None}, ["name=null"]).folder.name == f"default-{ending}"
    with pytest.raises(UsageError, match=r"name='my best/one' cannot be part .* as name=my-best-one"):
        run_for({**CONFIG, "name": "my best/one"}, [])
    with pytest.raises(UsageError, match="name='///' cannot be part"):
        run_for({**CONFIG, "name": "///"}, [])
