"""The card of a run: what its JSON says by attribute and by key, whichever version wrote it; what it cannot say."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from lasasr.artifacts import run_card
from lasasr.artifacts.run_card import RunCard
from lasasr.artifacts.runs import Run
from lasasr.errors import LasasrError

ROOT = Path(__file__).parents[2]
OLD = sorted((ROOT / "tests" / "data").rglob("card.json"))
NAMES = [key.name for key in fields(RunCard) if key.name != "plain"]
SOUND = {"schema": 1, "status": "finished", "recipe": "synthetic/las_char", "seed": 1}


def plain(value: Any) -> Any:
    """An attribute as JSON holds it."""
    if isinstance(value, run_card.Data | run_card.Averaged):
        return {key: plain(inner) for key, inner in vars(value).items() if inner is not None}
    return [plain(inner) for inner in value] if isinstance(value, tuple) else value


def test_there_are_cards_of_every_kind_of_earlier_run() -> None:
    statuses = [run_card.read(path).status for path in OLD]
    assert set(statuses) == {"finished", "unfinished"}
    assert any(not card.alignment_watched and card.status == "finished" for card in map(run_card.read, OLD))  # an LM's


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.parent.name)
def test_an_old_card_says_what_its_json_says(path: Path) -> None:
    content, card = json.loads(path.read_text()), run_card.read(path)
    assert dict(card) == content
    assert set(content) <= set(NAMES)
    assert {name: plain(getattr(card, name)) for name in content} == content
    absent = {name: getattr(card, name) for name in NAMES if name not in content}
    assert absent == {name: getattr(RunCard(), name) for name in absent}


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.parent.name)
def test_a_card_that_is_written_again_keeps_every_key_in_its_order(path: Path, tmp_path: Path) -> None:
    content = json.loads(path.read_text()) | {"mine": {"of": [1, None]}}
    run = Run(tmp_path)
    run.card_path.write_text(json.dumps(content))
    run.note(steps=3, seed=9)
    again = json.loads(run.card_path.read_text())
    assert again == content | {"steps": 3, "seed": 9}
    assert [name for name in again if name in content] == list(content)
    assert run.card()["mine"] == {"of": [1, None]}
    assert (run.card().steps, run.card().get("nothing")) == (3, None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "done"}, "status is 'done', not unfinished or finished"),
        ({"seed": "one"}, "seed is 'one', not a whole number or nothing"),
        ({"seed": True}, "seed is true, not a whole number or nothing"),
        ({"steps": 1.5}, "steps is 1.5, not a whole number or nothing"),
        ({"versions": {"torch": 2}}, "versions.torch is 2, not a text"),
        ({"data": 3}, "data is 3, not a part with keys"),
        ({"data": None}, "data is null, not a part with keys"),
        ({"data": {"corpus": 3}}, "data.corpus is 3, not a text or nothing"),
        ({"data": {"splits": {"dev": 3}}}, "data.splits.dev is 3, not a part with keys"),
        ({"data": {"splits": {"dev": {"utterances": "8"}}}}, "data.splits.dev.utterances is '8', not a whole number"),
        ({"averaged": [1]}, "averaged is [1], not a part with keys or nothing"),
        ({"averaged": {"checkpoints": [1]}}, "averaged.checkpoints is [1], not a list of texts"),
        ({"results": {"test": 4.2}}, "results.test is 4.2, not a part with keys"),
        ({"validations": 3}, "validations is 3, not a list of parts with keys"),
        ({"validations": [{"step": 1}, 3]}, "validations[1] is 3, not a part with keys"),
        ({"validations": [{"step": 1, "wer": "x"}]}, "validations[0].wer is 'x', not a whole number or a number"),
        ({"validations": [{"step": 1}, {"wer": 3}]}, "it lacks validations[1].step"),
        ({"results": {"test": {"ci95": [0.0, float("inf")]}}}, "results.test.ci95[1] is inf, not a finite number"),
        ({"mine": {"x": float("nan")}}, "mine.x is nan, not a finite number"),
    ],
)
def test_a_value_of_another_kind_is_one_line_with_file_key_and_value(
    change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "card.json"
    path.write_text(json.dumps(SOUND | change))
    with pytest.raises(LasasrError, match=f"^{re.escape(f'{path} is damaged: {reason}')}[^\n]*$"):
        run_card.read(path)
    path.unlink()
    with pytest.raises(LasasrError, match=f"^{re.escape(f'{path} cannot be written: {reason}')}[^\n]*$"):
        run_card.write(path, SOUND | change)
    assert not path.exists()


def test_null_is_what_may_be_null(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    run_card.write(path, SOUND | {"averaged": None, "peak_memory_mib": None, "aligned_at_step": None})
    card = run_card.read(path)
    assert (card.averaged, card.peak_memory_mib, card.alignment_watched) == (None, None, True)
    run_card.write(path, SOUND | {"aligned_at_step": None, "alignment_unknown": "no references"})
    assert not run_card.read(path).alignment_watched


def test_the_content_of_a_split_is_that_of_its_result_or_else_of_what_was_noted() -> None:
    data = run_card.Data(splits={"dev": run_card.SplitData(content="a"), "test": run_card.SplitData(content="b")})
    card = RunCard(data=data, results={"test": {"data": "c"}})
    assert [card.content_at_training(split) for split in ("dev", "test", "other")] == ["a", "c", None]


def test_the_page_has_every_key() -> None:
    page = (ROOT / "docs" / "card.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == NAMES
