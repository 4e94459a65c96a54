"""Texts that any tool made: rows, lists, scores and their weights."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from lasasr.data.taught import ScoredText, TaughtTexts
from lasasr.errors import LasasrError
from lasasr.preparation.texts_table import read_texts, weighted


def test_rows_of_one_id_are_its_n_best(tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    table.write_text("id\ttext\tscore\nb\tworse\t-3\na\tonly\t\nb\tbetter\t-1.5\n")
    assert read_texts(table) == {"b": [("better", -1.5), ("worse", -3.0)], "a": [("only", None)]}


def test_json_lines_of_transcribe_and_of_results_are_read(tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"
    nbest = [{"text": "x", "score": -1.0}, {"text": "y", "score": -2.0}]
    lines = [{"id": "a", "text": "x", "nbest": nbest}, {"id": "b", "hypothesis": "z", "nbest": []}]
    table.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_texts(table) == {"a": [("x", -1.0), ("y", -2.0)], "b": [("z", None)]}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("id\tscore\na\t1\n", "column text is missing"),
        ("id\ttext\tscore\na\tx\tbest\n", "line 2: score 'best' is not a number"),
        ("id\ttext\tscore\na\tx\tnan\n", "score 'nan' is not a number"),
        ("id\ttext\n\tx\n", "line 2: id is missing or empty"),
    ],
)
def test_nonsense_is_named(tmp_path: Path, lines: str, said: str) -> None:
    table = tmp_path / "t.tsv"
    table.write_text(lines)
    with pytest.raises(LasasrError, match=said):
        read_texts(table)


@pytest.mark.parametrize(
    ("line", "said"), [('{"id": "a"}', "text is missing"), ('{"id": "a", "nbest": ["x"]}', "is no object with text")]
)
def test_nonsense_in_json_is_named(tmp_path: Path, line: str, said: str) -> None:
    table = tmp_path / "t.jsonl"
    table.write_text(line + "\n")
    with pytest.raises(LasasrError, match=f"line 1: .*{said}"):
        read_texts(table)


def test_weights_are_probabilities_of_each_list_and_teachers_count_alike() -> None:
    first = [ScoredText("x", -100.0), ScoredText("y", -101.0)]
    second = [ScoredText("y", None), ScoredText("z", None)]
    share = 1 / (1 + math.exp(-1))
    expected = {"x": share / 2, "y": (1 - share) / 2 + 0.25, "z": 0.25}
    assert dict(weighted([first, second])) == pytest.approx(expected)
    assert weighted([[ScoredText("x", -5.0)]]) == [("x", 1.0)]


def test_a_batch_pads_texts_and_lists() -> None:
    batch = TaughtTexts([[([5, 6], 1.0)], [([7], 0.25), ([], 0.75)]]).batch([1, 0])
    assert batch["teacher_tokens"].shape == (2, 2, 2)
    assert batch["teacher_token_lengths"].tolist() == [[1, 0], [2, 0]]
    assert batch["teacher_weights"].tolist() == [[0.25, 0.75], [1.0, 0.0]]
    assert batch["teacher_tokens"][1, 0].tolist() == [5, 6]
