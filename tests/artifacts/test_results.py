"""results/<split>.json and .jsonl: whole, of one piece, or refused by name."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from lasasr.artifacts import files, results
from lasasr.errors import LasasrError

LINES = [
    {"id": "a", "reference": "one\u2028two", "hypothesis": "one", "substitutions": 0, "deletions": 1, "insertions": 0},
    {"id": "b", "reference": "three", "hypothesis": "tree ä", "substitutions": 1, "deletions": 0, "insertions": 1},
]
SUMMARY = {
    "split": "test",
    "metric": "wer",
    "percent": 100.0,
    "ci95": [50.0, 150.0],
    "errors": 3,
    "substitutions": 1,
    "deletions": 1,
    "insertions": 1,
    "reference_length": 3,
    "utterances": 2,
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    results.write(tmp_path, "test", SUMMARY, LINES)
    return tmp_path


def test_what_was_written_is_read(written: Path) -> None:
    assert results.read(written, "test") == ({"schema": 1, **SUMMARY}, LINES)
    assert results.splits(written) == ["test"]
    assert len((written / "test.jsonl").read_bytes().split(b"\n")) == 3  # two lines and the end


def test_a_missing_split_names_those_there_are(written: Path) -> None:
    with pytest.raises(LasasrError, match=r"tset\.json is missing: .* nearest: test"):
        results.read(written, "tset")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"errors": 4}, "errors is 4, but its utterances make 3"),
        ({"deletions": 2}, "deletions is 2, but its utterances make 1"),
        ({"utterances": 3}, "utterances is 3"),
        ({"errors": 3.0}, "errors is 3.0"),
        ({"errors": True}, "errors is True"),
        ({"metric": None}, "metric is None"),
        ({"percent": 99.0}, "percent is 99.0, but its errors make 100"),
        ({"percent": math.nan}, "percent is nan"),
    ],
)
def test_a_summary_that_is_not_of_its_utterances_is_neither_written_nor_read(
    written: Path, change: dict[str, Any], message: str
) -> None:
    wrong = {"schema": 1, **SUMMARY, **change}
    with pytest.raises(LasasrError, match=message):
        results.write(written, "test", wrong, LINES)
    assert results.read(written, "test")[0]["errors"] == 3  # what was there is untouched
    (written / "test.json").write_text(json.dumps(wrong))
    with pytest.raises(LasasrError, match=message):
        results.read(written, "test")


def test_no_older_summary_stands_beside_newer_utterances(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts may even agree: then nothing else would show that the two are not of one decoding."""

    def broken_off(*_: Any) -> None:
        raise KeyboardInterrupt

    newer = [{**line, "hypothesis": "other"} for line in LINES]
    monkeypatch.setattr(files, "write_json", broken_off)
    with pytest.raises(KeyboardInterrupt):
        results.write(written, "test", SUMMARY, newer)
    assert "other" in (written / "test.jsonl").read_text()
    with pytest.raises(LasasrError, match=r"test\.json is missing"):
        results.read(written, "test")


def test_results_of_another_split_are_not_taken_for_this_one(written: Path) -> None:
    for ending in ("json", "jsonl"):
        (written / f"test.{ending}").rename(written / f"dev.{ending}")
    with pytest.raises(LasasrError, match=r"dev\.json is damaged \(it holds the split test\)"):
        results.read(written, "dev")


def test_a_key_that_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match="summary lacks metric"):
        results.write(tmp_path, "test", {key: value for key, value in SUMMARY.items() if key != "metric"}, LINES)
    assert list(tmp_path.iterdir()) == []


def test_an_utterance_stands_once(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match="utterance a stands there twice"):
        results.write(tmp_path, "test", SUMMARY, [LINES[0], LINES[0]])


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.99])
def test_half_a_file_is_refused_by_name(written: Path, kept: float) -> None:
    path = written / "test.jsonl"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(LasasrError, match=r"^[^\n]*test\.json[^\n]* is damaged [^\n]*decode the split again[^\n]*$"):
        results.read(written, "test")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 2}'])
def test_a_damaged_summary_is_refused_by_name(written: Path, text: str) -> None:
    (written / "test.json").write_text(text)
    with pytest.raises(LasasrError, match=r"^[^\n]*test\.json[^\n]*$"):
        results.read(written, "test")


def test_without_its_utterances_a_summary_is_damaged(written: Path) -> None:
    (written / "test.jsonl").unlink()
    with pytest.raises(LasasrError, match="it is missing"):
        results.read(written, "test")
