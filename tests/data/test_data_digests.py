"""What audio files were when they were prepared, and what is wrong with single cuts."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path

import pytest
from data_corpus import cut, write_corpus, write_manifest
from lhotse import CutSet

from lasasr.data import digests
from lasasr.data.manifest import UnusableError, read_manifest
from lasasr.errors import LasasrError


def silent(task: str, done: int, total: int) -> None:
    """No progress."""


def recorded(manifest: Path) -> dict[str, digests.Digest]:
    digests.record(manifest, read_manifest(manifest, str.strip).cuts, silent)
    return digests.recorded(manifest)


def test_size_and_digest_are_those_of_the_whole_file(tmp_path: Path) -> None:
    digests_by_path = recorded(write_corpus(tmp_path, 3000, 700_000))
    paths = [tmp_path / "u0.wav", tmp_path / "u1.wav"]
    assert sorted(digests_by_path) == [str(path) for path in paths]
    for path in paths:
        content = path.read_bytes()
        assert digests_by_path[str(path)] == (len(content), hashlib.blake2b(content, digest_size=16).hexdigest())


def test_they_are_noted_once(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000)
    before = recorded(manifest)
    (tmp_path / "u0.wav").write_bytes(b"something else")
    assert recorded(manifest) == before
    assert digests.digest(tmp_path / "u0.wav") != before[str(tmp_path / "u0.wav")]


def test_a_missing_file_is_left_to_those_who_read_it(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000, 4000)
    (tmp_path / "u0.wav").unlink()
    assert set(recorded(manifest)) == {str(tmp_path / "u1.wav")}


def test_a_mixture_names_all_its_files(tmp_path: Path) -> None:
    write_corpus(tmp_path, 16_000, 16_000)
    first, second = (cut(tmp_path / f"{name}.wav", name, "a") for name in ("u0", "u1"))
    mixed = first.mix(second.drop_supervisions())
    assert set(digests.sources(mixed.to_dict())) == {str(tmp_path / "u0.wav"), str(tmp_path / "u1.wav")}
    assert set(recorded(write_manifest(tmp_path, CutSet.from_cuts([mixed])))) == set(digests.sources(mixed.to_dict()))


def test_what_could_not_be_read_before_is_added(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000, 4000)
    content = (tmp_path / "u0.wav").read_bytes()
    (tmp_path / "u0.wav").unlink()
    (before,) = recorded(manifest).values()
    (tmp_path / "u0.wav").write_bytes(content)
    (tmp_path / "u1.wav").write_bytes(b"something else")
    digests_by_path = recorded(manifest)
    assert digests_by_path[str(tmp_path / "u1.wav")] == before
    assert digests_by_path[str(tmp_path / "u0.wav")] == digests.digest(str(tmp_path / "u0.wav"))


def aged(manifest: Path, by_s: float) -> None:
    """As if the digests had been recorded so long after now."""
    path = digests.beside(manifest)
    with gzip.open(path, "rt") as packed:
        content = json.load(packed)
    content["recorded_at_ns"] += int(by_s * 1e9)
    with gzip.open(path, "wt") as packed:
        json.dump(content, packed)


def test_what_has_changed_is_found_and_what_is_gone_is_not_counted(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000, 4000, 5000, 6000)
    recorded(manifest)
    assert digests.changed(manifest, silent) == []
    content = bytearray((tmp_path / "u1.wav").read_bytes())
    content[-1] ^= 1
    (tmp_path / "u1.wav").write_bytes(content)
    (tmp_path / "u3.wav").write_bytes(content)
    (tmp_path / "u2.wav").unlink()
    assert digests.changed(manifest, silent) == [str(tmp_path / name) for name in ("u1.wav", "u3.wav")]


def test_only_what_was_written_to_since_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_corpus(tmp_path, 3000, 4000)
    recorded(manifest)
    aged(manifest, by_s=1e4)
    monkeypatch.setattr(digests, "digest", lambda source: pytest.fail(f"{source} was read"))
    assert digests.changed(manifest, silent) == []


def test_an_older_file_moved_over_another_is_found(tmp_path: Path) -> None:
    """Its mtime is older than the digests; its ctime is not."""
    manifest = write_corpus(tmp_path, 3000)
    other = tmp_path / "other.wav"
    other.write_bytes(b"x" * (tmp_path / "u0.wav").stat().st_size)
    os.utime(other, (1e9, 1e9))
    recorded(manifest)
    other.rename(tmp_path / "u0.wav")
    assert digests.changed(manifest, silent) == [str(tmp_path / "u0.wav")]


def test_digests_of_a_version_that_noted_no_time_are_as_old_as_their_file(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000)
    digests_by_path = recorded(manifest)
    with gzip.open(digests.beside(manifest), "wt") as packed:
        json.dump({"schema": 1, "files": digests_by_path}, packed)
    assert digests.recorded(manifest) == digests_by_path
    (tmp_path / "u0.wav").write_bytes(b"something else")
    assert digests.changed(manifest, silent) == [str(tmp_path / "u0.wav")]


@pytest.mark.parametrize("content", [b"", b"no gzip", b"\x1f\x8b\x08"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    manifest = write_corpus(tmp_path, 3000)
    recorded(manifest)
    digests.beside(manifest).write_bytes(content)
    with pytest.raises(LasasrError, match=r"train.digests.json.gz is damaged .*; delete it"):
        digests.recorded(manifest)


def test_what_is_wrong_with_single_cuts_can_be_collected(tmp_path: Path) -> None:
    write_corpus(tmp_path, 3000, 3000)
    path = tmp_path / "u0.wav"
    cuts = [cut(path, "good", "a"), cut(path, "twin", "b"), cut(path, "twin", "c"), cut(path, "mute", " ")]
    cuts.append(cut(path, "unsaid", "d").drop_supervisions())
    manifest = tmp_path / "mixed.jsonl"
    manifest.write_text("".join(json.dumps(single_cut.to_dict()) + "\n" for single_cut in cuts))
    unusable: list[UnusableError] = []
    assert read_manifest(manifest, str.strip, unusable).ids == ("good", "twin")
    kinds = [("duplicate id", "twin"), ("empty transcript", "mute"), ("not one transcript", "unsaid")]
    assert [(error.kind, error.id) for error in unusable] == kinds
    with pytest.raises(UnusableError, match="utterance id twin occurs twice"):
        read_manifest(manifest, str.strip)
