"""A half-written file is never taken for a whole one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lasasr.errors import LasasrError
from lasasr.files import read_json, replacing, replacing_folder, write_json, write_text


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
