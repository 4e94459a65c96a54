"""perplexity.json holds the text that the model was made with; other text stands beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from loaded import language

from lasasr.artifacts import perplexity_results
from lasasr.artifacts.runs import Run
from lasasr.errors import LasasrError

SETTINGS = language(recipe="lm/x", choices={"corpus": "text"}, seed=1, corpus={"dev": "a/dev.txt"})
OTHER = language(**{**SETTINGS.plain, "corpus": {"dev": "b/novel.txt"}})


def record(split: str = "dev", data: str | None = "d" * 16, words: int = 100) -> dict[str, Any]:
    counts = dict.fromkeys(perplexity_results.COUNTS, words)
    return {"split": split, "per_token": 2.0, **counts, **({"data": data} if data else {})}


def measured_run(tmp_path: Path, own: dict[str, Any], at_training: dict[str, Any] | None = None) -> Run:
    run = Run(tmp_path / "run")
    run.start(SETTINGS.plain, [])
    perplexity_results.write_own(run.folder, own)
    run.finish(results=own if at_training is None else at_training)
    return run


def own_splits(run: Run) -> dict[str, Any]:
    return perplexity_results.read(run.folder / "perplexity.json")


def test_another_split_is_added_and_the_own_one_measured_again(tmp_path: Path) -> None:
    run = measured_run(tmp_path, {"dev": record()})
    again = {**record(), "per_token": 2.0001}
    assert perplexity_results.write(run, {"dev": again, "train": record("train")}, SETTINGS) == [
        run.folder / "perplexity.json"
    ]
    assert own_splits(run) == {"dev": again, "train": record("train")}
    assert perplexity_results.others(run.folder) == []


@pytest.mark.parametrize("data", [None, "d" * 16])
def test_other_text_stands_beside_it(tmp_path: Path, data: str | None) -> None:
    """Whether the content of the own text is known or, as of 0.1.0, its counts only."""
    run = measured_run(tmp_path, {"dev": record(data=data)})
    before = (run.folder / "perplexity.json").read_bytes()
    other = record(data="e" * 16, words=101)
    (path,) = perplexity_results.write(run, {"dev": other}, OTHER)
    assert (run.folder / "perplexity.json").read_bytes() == before
    assert path.name.startswith("perplexity@dev_dev-novel.txt-")
    assert json.loads(path.read_text())["splits"] == {"dev": other}
    assert perplexity_results.write(run, {"dev": other}, OTHER) == [path] == perplexity_results.others(run.folder)
    (third,) = perplexity_results.write(run, {"dev": record(data="f" * 16, words=7)}, OTHER)
    assert third != path


def test_what_010_wrote_over_the_own_one_makes_way(tmp_path: Path) -> None:
    own, foreign = record(data=None), record(data=None, words=9)
    run = measured_run(tmp_path, {"dev": foreign}, at_training={"dev": own})
    perplexity_results.write(run, {"dev": record()}, SETTINGS)
    assert own_splits(run) == {"dev": record()}
    (path,) = perplexity_results.others(run.folder)
    assert json.loads(path.read_text())["splits"] == {"dev": foreign}


def test_a_further_split_is_the_runs_own_where_its_card_knows_its_content(tmp_path: Path) -> None:
    run = measured_run(tmp_path, {"dev": record()})
    run.note(data={"splits": {"train": {"content": "a" * 16}}})
    (path,) = perplexity_results.write(run, {"train": record("train", "b" * 16)}, SETTINGS)
    assert path.name.startswith("perplexity@train_data-")
    perplexity_results.write(run, {"train": record("train", "a" * 16)}, SETTINGS)
    assert set(own_splits(run)) == {"dev", "train"}


@pytest.mark.parametrize("content", ["", "[]", '{"schema": 2, "splits": {}}', '{"schema": 1, "splits": {"dev": 3}}'])
def test_a_damaged_file_is_named_and_measured_again(tmp_path: Path, content: str) -> None:
    run = measured_run(tmp_path, {"dev": record()})
    path = run.folder / "perplexity.json"
    path.write_text(content)
    with pytest.raises(LasasrError, match=r"perplexity\.json is"):
        perplexity_results.read(path)
    perplexity_results.write(run, {"dev": record()}, SETTINGS)
    assert own_splits(run) == {"dev": record()}
