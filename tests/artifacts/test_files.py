"""A half-written file is never taken for a whole one."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from lasasr.artifacts import files
from lasasr.artifacts.files import read_json, replacing, replacing_folder, write_json, write_text
from lasasr.errors import LasasrError


def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text("old")

    def half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["card.json"]


def test_a_failure_without_an_old_file_leaves_none(tmp_path: Path) -> None:
    def half() -> None:
        with replacing(tmp_path / "deep" / "new.txt") as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert list((tmp_path / "deep").iterdir()) == []


def test_success_replaces_the_whole_file_with_ordinary_permissions(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "notes.txt"
    write_text(path, "a longer first version")
    write_text(path, "naïve\n")
    assert path.read_bytes() == "naïve\n".encode()
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    assert [file.name for file in path.parent.iterdir()] == ["notes.txt"]


def test_json_comes_back_as_it_went(tmp_path: Path) -> None:
    value = {"text": "naïve", "counts": [1, 2.5, None, True], "nested": {"a": {}}}
    write_json(tmp_path / "card.json", value)
    assert read_json(tmp_path / "card.json") == value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_json_cannot_say(tmp_path: Path, value: float) -> None:
    path = tmp_path / "card.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, value)
    assert read_json(path) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match=r"card\.json is missing"):
        read_json(tmp_path / "card.json")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00", b""])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(LasasrError, match=r"card\.json is not valid JSON .*delete it"):
        read_json(tmp_path / "card.json")


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def half() -> None:
        with replacing_folder(tmp_path / "deep" / "made") as temporary:
            (temporary / "a.txt").write_text("half")
            assert not (tmp_path / "deep" / "made").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert list((tmp_path / "deep").iterdir()) == []
    with replacing_folder(tmp_path / "deep" / "made") as temporary:
        (temporary / "a.txt").write_text("whole")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["made"]
    assert (tmp_path / "deep" / "made" / "a.txt").read_text() == "whole"
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "deep" / "made").stat().st_mode & 0o777 == 0o777 & ~umask


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "target").write_bytes(b"content")
    assert files.read_bounded(tmp_path / "link") == b"content"
    for name, kind in {"fifo": "a FIFO", ".": "a folder", "/dev/zero": "a device"}.items():
        with pytest.raises(LasasrError, match=f"is {kind}, not a file"):
            files.read_bounded(tmp_path / name)


@pytest.mark.parametrize(("size", "allowed"), [(1000, True), (1001, False)])
def test_reading_is_bounded(tmp_path: Path, size: int, allowed: bool) -> None:
    (tmp_path / "x").write_bytes(b"x" * size)
    if allowed:
        assert len(files.read_bounded(tmp_path / "x", 1000)) == size
    else:
        with pytest.raises(LasasrError, match="is not read"):
            files.read_bounded(tmp_path / "x", 1000)


@pytest.mark.parametrize("text", [r'"\ud83d\ude00"', r'"\\ud800"', '"\U0001f600"', r'["\uD7FF"]'])
def test_pairs_of_halves_are_characters(text: str) -> None:
    assert files.writable_json(text) == json.loads(text)


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"a\uDFFFb": 1}', r'[["\ude00\ud83d"]]'])
def test_half_a_character_is_refused_where_it_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(LasasrError, match=r"tokenizer\.json is not valid JSON \(it holds U\+D.*, half a character"):
        files.read_json(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("levels", [1, files.MOST_DEPTH, files.MOST_DEPTH + 1, 100_000])
def test_levels_of_json(levels: int) -> None:
    text = "[" * levels + "]" * levels
    if levels <= files.MOST_DEPTH:
        assert files.parse_json(text) == json.loads(text)
    else:
        with pytest.raises(ValueError, match="levels"):
            files.parse_json(text)
    assert files.parse_json("[" + "[]," * 200 + "[]]") == [[]] * 201  # many are not deep


def test_lines_are_those_of_a_text_reader(tmp_path: Path) -> None:
    text = "one\ntwo ü\r\n\n" + "long" * 100_000 + "\nlast"
    (tmp_path / "x.txt").write_bytes(text.encode())
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "lm-0").write_bytes(gzip.compress(text.encode()))  # what a bundle calls a packed file
    for name in ("x.txt", "x.txt.gz", "lm-0"):
        assert list(files.lines(tmp_path / name)) == text.splitlines(keepends=True)
        with pytest.raises(LasasrError, match=r"line 4: more than 0 MiB in one line"):
            list(files.lines(tmp_path / name, 100_000))


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"a line like any other\n" * 100_000, 9))
    assert len(list(files.lines(tmp_path / "x.gz"))) == 100_000  # in all not enough to matter
    monkeypatch.setattr(files, "ALWAYS_UNPACKED", 1 << 20)
    with pytest.raises(LasasrError, match=r"x\.gz unpacks to more than 100 times its size"):
        list(files.lines(tmp_path / "x.gz"))
