"""Audio that is not any more what was prepared is refused when it is first read, and only then looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from data_corpus import Letters, cut, write_corpus, write_manifest

from lasasr.corpora.shar import SharCorpus
from lasasr.corpora.shar_writer import write_shards
from lasasr.data import digests, verify
from lasasr.data.datamodule import SpeechDataModule
from lasasr.data.dataset import SpeechDataset
from lasasr.data.digest_table import DigestTable, table
from lasasr.data.loader import Loader, Loading
from lasasr.data.manifest import read_manifest
from lasasr.data.sampler import Batching, BucketBatches, Request
from lasasr.errors import LasasrError, UsageError

SAMPLES = (1600, 3200, 2000, 2400)


def silent(*_progress: object) -> None:
    """Nobody watches."""


def prepared(manifest: Path) -> Path:
    digests.record(manifest, read_manifest(manifest, str).cuts, silent)
    return manifest


def dataset(manifest: Path, check: bool = True, **options: Any) -> SpeechDataset:
    return SpeechDataset(read_manifest(manifest, str), Letters(), verify=check, **options)


def flip(path: Path, index: int = -1) -> None:
    """Change one bit; the size stays."""
    content = bytearray(path.read_bytes())
    content[index] ^= 1
    path.write_bytes(content)


def test_what_is_as_it_was_passes(tmp_path: Path) -> None:
    of = dataset(prepared(write_corpus(tmp_path, *SAMPLES)))
    assert [len(of.waveform(index)) for index in range(len(of))] == list(SAMPLES)


def test_other_content_in_as_many_bytes_is_named(tmp_path: Path) -> None:
    of = dataset(prepared(write_corpus(tmp_path, *SAMPLES)))
    flip(tmp_path / "u1.wav")
    of.waveform(0)
    message = rf"utterance u1: {tmp_path}/u1.wav has changed since it was prepared \(other content .*lasasr prepare"
    for _ in range(2):  # again, too
        with pytest.raises(LasasrError, match=message):
            of.waveform(1)


def test_another_size_is_named_before_anything_is_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = dataset(prepared(write_corpus(tmp_path, *SAMPLES)))
    path = tmp_path / "u0.wav"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"\0\0")
    monkeypatch.setattr(digests, "digest", hashed([]))
    with pytest.raises(LasasrError, match=rf"u0.wav has changed .*\({size + 2} bytes, {size} before\)"):
        of.waveform(0)


def hashed(seen: list[str]) -> Any:
    def digest(source: str) -> Any:
        seen.append(source)
        raise AssertionError(f"{source} was read")

    return digest


def test_never_looks_at_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = prepared(write_corpus(tmp_path, *SAMPLES))
    flip(tmp_path / "u1.wav")
    monkeypatch.setattr(digests, "digest", hashed([]))
    assert len(dataset(manifest, check=False).waveform(1)) == SAMPLES[1]


def count_digests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    real = digests.digest

    def digest(source: str) -> digests.Digest | None:
        seen.append(source)
        return real(source)

    monkeypatch.setattr(verify.digests, "digest", digest)
    return seen


def test_each_file_is_read_once_however_many_utterances_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(tmp_path, 16_000)
    whole = cut(tmp_path / "u0.wav", "u0", "a")
    parts = [whole.truncate(offset=0.2 * n, duration=0.2).with_id(f"part {n}") for n in range(5)]
    of = dataset(prepared(write_manifest(tmp_path, parts)))
    seen = count_digests(monkeypatch)
    for _ in range(2):
        for index in range(len(of)):
            of.waveform(index)
    assert seen == [str(tmp_path / "u0.wav")]


def test_cached_audio_is_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = dataset(prepared(write_corpus(tmp_path, *SAMPLES)), cache_audio_mb=10.0)
    seen = count_digests(monkeypatch)
    for _ in range(3):
        of[Request(0, (0, 1, 2, 3))]
    assert sorted(seen) == [str(tmp_path / f"u{index}.wav") for index in range(4)]


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_say_it_and_look_once_between_them(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = prepared(write_corpus(tmp_path, *SAMPLES))
    note = tmp_path / "looked"
    real = digests.digest

    def digest(source: str) -> digests.Digest | None:
        with os.fdopen(os.open(note, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "a") as file:
            file.write(f"{source}\n")
        return real(source)

    monkeypatch.setattr(verify.digests, "digest", digest)
    of = dataset(manifest)
    batches = BucketBatches(of.durations_s, Batching(1), 1)
    for epoch in range(3):
        batches.set_epoch(epoch)
        assert len(list(Loader(of, batches, workers))) == 4
    assert sorted(note.read_text().split()) == [str(tmp_path / f"u{index}.wav") for index in range(4)]
    flip(tmp_path / "u2.wav")
    with pytest.raises(LasasrError, match=r"^utterance u2: .*u2.wav has changed since it was prepared"):
        list(Loader(dataset(manifest), batches, workers))


def test_a_member_of_a_shard_is_compared_alone(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    manifest = write_corpus(tmp_path / "files", *SAMPLES)
    write_shards({"train": manifest, "dev": manifest}, tmp_path / "shards", {"corpus": "x"}, silent)
    shard_manifest = SharCorpus(str(tmp_path / "shards")).prepare(tmp_path / "prepared", silent)["train"]
    of = dataset(prepared(shard_manifest))
    (tar,) = (tmp_path / "shards" / "train").glob("*.tar")
    source = digests.sources(read_manifest(shard_manifest, str).cut(1).to_dict())[0]
    offset = int(source.rpartition("?")[2].partition("+")[0])
    flip(tar, offset + 1000)
    of.waveform(0)
    with pytest.raises(LasasrError, match=r"utterance u1: .*recording.000000.tar\?\d+\+\d+ has changed"):
        of.waveform(1)
    of.waveform(2)


def test_a_mixture_is_looked_at_as_a_whole(tmp_path: Path) -> None:
    write_corpus(tmp_path, 16_000, 16_000)
    first, second = (cut(tmp_path / f"{name}.wav", name, "a") for name in ("u0", "u1"))
    of = dataset(prepared(write_manifest(tmp_path, [first.mix(second.drop_supervisions()).with_id("both")])))
    flip(tmp_path / "u1.wav")
    with pytest.raises(LasasrError, match=r"utterance both: .*u1.wav has changed"):
        of.waveform(0)


def test_what_was_never_recorded_or_is_gone_is_left_to_the_reading(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, *SAMPLES)
    assert len(dataset(manifest).waveform(0)) == SAMPLES[0]  # prepared without digests
    of = dataset(prepared(manifest))
    (tmp_path / "u0.wav").unlink()
    with pytest.raises(LasasrError, match=r"u0.wav is missing"):
        of.waveform(0)


def splits_of(manifest: Path) -> Any:
    return lambda split: read_manifest(manifest, str)


@pytest.mark.parametrize("verifies", ["first_epoch", "never"])
def test_training_and_validation_do_as_loading_says(tmp_path: Path, verifies: str) -> None:
    manifest = prepared(write_corpus(tmp_path, *SAMPLES))
    flip(tmp_path / "u3.wav")
    data = SpeechDataModule(splits_of(manifest), Letters(), Batching(2), loading=Loading(verify=verifies))
    data.setup("fit")
    for loader in (data.train_dataloader, data.val_dataloader):
        if verifies == "never":
            assert len(list(loader())) == 2
        else:
            with pytest.raises(LasasrError, match=r"utterance u3: .* has changed since it was prepared"):
                list(loader())


@pytest.mark.parametrize("wrong", ["always", "", None, True])
def test_an_unknown_word_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"loading\.verify must be first_epoch or never, got"):
        Loading(verify=wrong)


def test_many_files_are_found_by_name(tmp_path: Path) -> None:
    """Against a dictionary: each file has its own size and digest."""
    recorded = {}
    for number in range(500):
        path = tmp_path / f"{number}.raw"
        path.write_bytes(bytes([number % 256]) * (number + 1))
        digest = digests.digest(str(path))
        assert digest is not None
        recorded[str(path)] = digest
    as_prepared = verify.AsPrepared(DigestTable(table(recorded)))
    changed: Sequence[int] = (0, 17, 255, 499)
    for number in changed:
        flip(tmp_path / f"{number}.raw")
    refused = []
    for number in range(500):
        source = {"type": "file", "source": str(tmp_path / f"{number}.raw")}
        line = f'{{"recording": {{"sources": [{str(source).replace(chr(39), chr(34))}]}}}}'.encode()
        try:
            as_prepared.check(str(number), line)
        except LasasrError:
            refused.append(number)
    assert refused == list(changed)
