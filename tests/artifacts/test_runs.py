"""What stands in a run folder; it is finished only when the card says so."""

import math
from pathlib import Path

import pytest
from run_config import CONFIG

from lasasr.artifacts.run_choice import run_for
from lasasr.artifacts.runs import Run
from lasasr.errors import LasasrError

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_a_run_is_finished_when_its_card_says_so(run: Run) -> None:
    assert run_for({**CONFIG, "seed": 4}, []).status == "absent"
    assert run.status == "unfinished"
    run.note(parameters=12)
    assert run.status == "unfinished"
    run.finish(results={"test": {"percent": 4.2}}, train_s=3)
    assert run.status == "finished"
    card = run.card()
    assert (card.schema, card.seed, card.commit, card.parameters, card.train_s) == (1, 3, "abc", 12, 3.0)
    assert card.results == {"test": {"percent": 4.2}}
    assert str(card.started_at) <= str(card.finished_at)


def test_what_was_written_is_read(run: Run) -> None:
    assert run.config() == {"schema": 1, **CONFIG}
    assert run.overrides() == ["attend=dot", "seed=3"]


def test_a_card_lost_after_training_began_is_unfinished(run: Run) -> None:
    run.checkpoints.mkdir()
    (run.folder / "card.json").unlink()
    assert run.status == "unfinished"


def test_a_card_that_cannot_be_written_leaves_the_older_one(run: Run) -> None:
    before = run.card()
    for fact in ({"percent": math.nan}, {"steps": "many"}, {"validations": [{"wer": 3.0}]}):
        with pytest.raises(
            LasasrError, match=r"card\.json cannot be written: .*(percent|steps|validations\[0\]\.step)"
        ):
            run.finish(**fact)
    assert run.card() == before
    assert sorted(path.name for path in run.folder.iterdir()) == ["card.json", "config.yaml", "overrides.txt"]


@pytest.mark.parametrize("text", ['{"schema": 1, "sta', "[]", '{"schema": 9}', ""])
def test_a_damaged_card_is_named(run: Run, text: str) -> None:
    (run.folder / "card.json").write_text(text)
    with pytest.raises(LasasrError, match=r"^[^\n]*card\.json[^\n]*$"):
        _ = run.status


@pytest.mark.parametrize("text", ["a: [1", "- 1", "schema: 2"])
def test_a_damaged_config_is_named(run: Run, text: str) -> None:
    (run.folder / "config.yaml").write_text(text)
    with pytest.raises(LasasrError, match=r"^[^\n]*config\.yaml[^\n]*$"):
        run.config()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (Run(tmp_path).config, Run(tmp_path).card, Run(tmp_path).overrides):
        with pytest.raises(LasasrError, match="is missing"):
            read()
