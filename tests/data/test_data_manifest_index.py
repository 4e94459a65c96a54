"""The index of a manifest gives what reading the manifest gives, and nothing that it does not."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from data_corpus import write_corpus

from lasasr.data import derived, manifest_index
from lasasr.data.manifest import Utterances, read_manifest
from lasasr.data.packed import PackedBytes
from lasasr.errors import LasasrError
from lasasr.text.transcript import rule

ENGLISH = rule("english")


def same(left: Utterances, right: Utterances) -> None:
    for field in fields(Utterances):
        np.testing.assert_array_equal(getattr(left, field.name), getattr(right, field.name))


def test_an_index_gives_what_the_manifest_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_corpus(tmp_path, 1600, 3200, 800)
    read = read_manifest(manifest, ENGLISH)
    same(manifest_index.utterances(manifest, ENGLISH), read)
    monkeypatch.delattr(manifest_index, "read_manifest")  # from now on there is only the index
    indexed = manifest_index.utterances(manifest, ENGLISH)
    same(indexed, read)
    assert indexed.cut(1).to_dict() == read.cut(1).to_dict()
    same(indexed.first(2), read.first(2))


def test_a_manifest_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 1600)
    assert len(manifest_index.utterances(manifest, ENGLISH)) == 1
    write_corpus(tmp_path, 1600, 1600)
    assert len(manifest_index.utterances(manifest, ENGLISH)) == 2


def test_each_rule_has_its_index(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 1600)
    for name in ("english", "none"):
        same(manifest_index.utterances(manifest, rule(name)), read_manifest(manifest, rule(name)))
    assert len(list(tmp_path.glob("train.index-*"))) == 2


def test_a_cut_from_an_index_is_checked_as_one_from_a_manifest(tmp_path: Path) -> None:
    """Lhotse runs a source of type `command` in a shell."""
    manifest = write_corpus(tmp_path, 1600)
    arrays = dict(manifest_index.utterances(manifest, ENGLISH).__dict__)
    cut = json.loads(arrays["cuts"][0])
    cut["recording"]["sources"] = [{"type": "command", "channels": [0], "source": f"touch {tmp_path}/was-run"}]
    cuts = PackedBytes.of([json.dumps(cut).encode()])
    path = manifest_index.beside(manifest, ENGLISH)
    stored = derived.stored_or_computed(path, _made_from(path), dict)
    path.unlink()
    forged = {**stored, "cuts": cuts.values, "cuts.ends": cuts.ends}
    derived.stored_or_computed(path, _made_from_manifest(manifest), lambda: forged)
    with pytest.raises(LasasrError, match="has its audio in a command"):
        manifest_index.utterances(manifest, ENGLISH).cut(0).load_audio()
    assert not (tmp_path / "was-run").exists()


def _made_from_manifest(manifest: Path) -> dict[str, object]:
    return {"schema": manifest_index.SCHEMA, "rule": str(ENGLISH), **derived.stamps([manifest])}


def _made_from(index: Path) -> dict[str, object]:
    return _made_from_manifest(index.with_name("train.jsonl.gz"))
