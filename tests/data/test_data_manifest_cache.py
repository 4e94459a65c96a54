"""A manifest is read once, for as long as it is the same file and no other corpus is read."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from data_corpus import write_corpus

from lasasr.data import manifest_index
from lasasr.data.manifest import Utterances, read_manifest
from lasasr.data.manifest_cache import ManifestCache
from lasasr.errors import LasasrError
from lasasr.text.transcript import rule

ENGLISH, NONE = rule("english"), rule("none")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every reading of a file."""
    reads: list[str] = []

    def counted(path: Path, *options: object) -> Utterances:
        reads.append(path.name)
        return read_manifest(path, *options)  # type: ignore[arg-type]

    monkeypatch.setattr(manifest_index, "read_manifest", counted)
    return reads


def test_what_is_held_is_what_reading_gives(tmp_path: Path, reads: list[str]) -> None:
    path, cache = write_corpus(tmp_path, 1600, 3200), ManifestCache()
    first, uncached = cache.read(path, ENGLISH), read_manifest(path, ENGLISH)
    assert cache.read(path, ENGLISH) is first
    assert reads == ["train.jsonl.gz"]
    for field in fields(Utterances):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(uncached, field.name))


def test_each_split_is_held(tmp_path: Path, reads: list[str]) -> None:
    train, cache = write_corpus(tmp_path, 1600), ManifestCache()
    dev = train.with_name("dev.jsonl.gz")
    dev.write_bytes(train.read_bytes())
    for path in (train, dev, train, dev):
        assert cache.read(path, ENGLISH).path == path
    assert reads == ["train.jsonl.gz", "dev.jsonl.gz"]


def test_what_was_written_again_is_read_again(tmp_path: Path, reads: list[str]) -> None:
    path, cache = write_corpus(tmp_path, 1600), ManifestCache()
    assert len(cache.read(path, ENGLISH)) == 1
    write_corpus(tmp_path, 1600, 1600)
    assert len(cache.read(path, ENGLISH)) == 2
    path.unlink()
    with pytest.raises(LasasrError, match="is missing"):
        cache.read(path, ENGLISH)
    assert len(reads) == 3


def test_another_rule_and_another_folder_drop_what_is_held(tmp_path: Path, reads: list[str]) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        write_corpus(folder, 1600)
    cache, name = ManifestCache(), "train.jsonl.gz"
    held = []
    for read in ((first, ENGLISH), (first, NONE), (second, NONE), (first, NONE)):
        utterances = cache.read(read[0] / name, read[1])
        assert cache.read(read[0] / name, read[1]) is utterances
        assert not any(utterances is earlier for earlier in held)
        held.append(utterances)
    assert len(reads) == 3  # the last comes from the index that the second has written
    cache.clear()
    assert cache.read(first / name, NONE) is not utterances
