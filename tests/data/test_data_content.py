"""The content of a split: what counts, and what does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lhotse.utils
import numpy as np
import pytest
import soundfile
from data_corpus import cut, write_corpus, write_manifest
from lhotse import CutSet
from lhotse.utils import fastcopy

from lasasr.data import content, content_files, digests
from lasasr.data.content import Content, Row
from lasasr.data.digest_table import DigestTable
from lasasr.data.manifest import read_manifest
from lasasr.errors import LasasrError


def silent(task: str, done: int, total: int) -> None:
    """No progress."""


def of(manifest: Path, ordered: bool = False) -> Content:
    utterances = read_manifest(manifest, str.strip)
    digests.beside(manifest).unlink(missing_ok=True)
    digests.record(manifest, utterances.cuts, silent)
    return content.of_utterances(utterances, digests.recorded(manifest), ordered)


def changed(manifest: Path, change: Callable[[dict[str, Any]], None], which: int = 0) -> Path:
    cuts = [json.loads(line) for line in lines(manifest)]
    change(cuts[which])
    manifest.write_bytes(b"")  # so that the writer does not append
    CutSet.from_dicts(cuts).to_file(manifest)
    return manifest


def lines(manifest: Path) -> list[str]:
    return [json.dumps(cut.to_dict()) for cut in CutSet.from_file(manifest)]


def test_the_place_does_not_count(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    original, moved = (of(write_corpus(tmp_path / name, 3000, 4000, 5000), ordered=True) for name in ("here", "there"))
    assert original == moved
    assert original.utterances == 3
    assert original.without_digest == 0


def test_audio_under_another_name_is_the_same(tmp_path: Path) -> None:
    before = of(write_corpus(tmp_path, 3000))
    shutil.move(tmp_path / "u0.wav", tmp_path / "other.wav")
    manifest = write_manifest(tmp_path, [cut(tmp_path / "other.wav", "u0", "a").with_id("u0")])
    assert of(manifest).rows == before.rows


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "text": (lambda line: line["supervisions"][0].update(text="h"), "text"),
    "speaker": (lambda line: line["supervisions"][0].update(speaker="another"), "speaker"),
    "no speaker": (lambda line: line["supervisions"][0].update(speaker=None), "speaker"),
    "start": (lambda line: line.update(start=1 / 16_000, duration=line["duration"] - 1 / 16_000), "audio"),
    "duration": (lambda line: line.update(duration=line["duration"] - 1 / 16_000), "audio"),
    "rate": (lambda line: line["recording"].update(sampling_rate=8_000), "audio"),
    "transforms": (
        lambda line: line["recording"].update(transforms=[{"name": "Volume", "kwargs": {"factor": 2.0}}]),
        "audio",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_everything_that_is_heard_or_said_counts(tmp_path: Path, name: str) -> None:
    change, field = CHANGES[name]
    manifest = write_corpus(tmp_path, 3000, 4000)
    before = of(manifest)
    after = of(changed(manifest, change))
    assert after.fingerprint != before.fingerprint
    assert before.rows is not None
    assert after.rows is not None
    assert before.rows["u1"] == after.rows["u1"]
    same = [getattr(before.rows["u0"], name) == getattr(after.rows["u0"], name) for name in Row._fields]
    assert dict(zip(Row._fields, same, strict=True)) == {name: name != field for name in Row._fields}


def test_the_id_counts(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000, 4000)
    before = of(manifest)
    assert of(changed(manifest, lambda line: line.update(id="other"))).fingerprint != before.fingerprint


def test_one_sample_counts(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000)
    before = of(manifest)
    samples, rate_hz = soundfile.read(tmp_path / "u0.wav")
    samples[100] += 0.01
    soundfile.write(tmp_path / "u0.wav", samples, rate_hz)
    after = of(manifest)
    assert after.fingerprint != before.fingerprint
    assert before.rows is not None
    assert after.rows is not None
    assert before.rows["u0"]._replace(audio="") == after.rows["u0"]._replace(audio="")


def test_the_channel_counts(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "two.wav", np.random.default_rng(0).uniform(-0.5, 0.5, (3000, 2)), 16_000)
    fingerprints = set()
    for channel in (0, 1):
        channel_cut = fastcopy(cut(tmp_path / "two.wav", "u", "a"), channel=channel)
        fingerprints.add(of(write_manifest(tmp_path, [channel_cut])).fingerprint)
    assert len(fingerprints) == 2


def test_the_order_counts_where_it_is_asked_to(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000, 4000, 5000)
    before = [of(manifest, ordered) for ordered in (True, False)]
    write_manifest(tmp_path, list(CutSet.from_file(manifest).to_eager())[::-1])
    after = [of(manifest, ordered) for ordered in (True, False)]
    assert before[0].fingerprint != after[0].fingerprint
    assert before[1].fingerprint == after[1].fingerprint
    assert content.is_ordered("train")
    assert not content.is_ordered("dev")


def test_an_utterance_more_or_less_counts(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000, 4000, 5000)
    whole = list(CutSet.from_file(manifest).to_eager())
    fingerprints = {of(write_manifest(tmp_path, whole[:count])).fingerprint for count in (1, 2, 3)}
    assert len(fingerprints) == 3


def test_a_mixture_counts_all_its_parts(tmp_path: Path) -> None:
    write_corpus(tmp_path, 16_000, 16_000, 16_000)
    first, second, third = (cut(tmp_path / f"u{number}.wav", f"u{number}", "a") for number in range(3))
    silence = first.pad(duration=2.0)
    mixed = [first.mix(other.drop_supervisions(), snr=snr) for other, snr in ((second, 10), (third, 10), (second, 5))]
    contents = [of(write_manifest(tmp_path, [mixture.with_id("u")])) for mixture in (*mixed, silence)]
    assert len({content.fingerprint for content in contents}) == 4
    assert not any(content.without_digest for content in contents)


def test_a_mixture_is_the_same_wherever_its_parts_lie(tmp_path: Path) -> None:
    contents = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        write_corpus(tmp_path / name, 16_000, 16_000)
        first, second = (cut(tmp_path / name / f"u{number}.wav", f"{name}{number}", "a") for number in range(2))
        mixed = first.mix(second.drop_supervisions(), snr=10).with_id("u")
        mixed.tracks[0].cut.supervisions[0].speaker = "s"
        contents.append(of(write_manifest(tmp_path / name, [mixed])).fingerprint)
    assert contents[0] == contents[1]


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000, 4000)
    (tmp_path / "u0.wav").unlink()
    assert of(manifest).without_digest == 1


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 44_100])
def test_times_are_counted_in_samples_as_lhotse_does(rate_hz: int) -> None:
    times = [*np.random.default_rng(0).uniform(0, 40, 500), *(np.arange(200) + 0.5) / rate_hz]
    assert [content._samples(time_s, rate_hz) for time_s in times] == [
        lhotse.utils.compute_num_samples(float(time_s), rate_hz) for time_s in times
    ]


def test_sentences_count_in_their_order_in_training_only() -> None:
    texts = ["a b", "c", "a b"]
    assert content.of_sentences(texts, True).utterances == 3
    assert content.of_sentences(texts, True) == content.of_sentences(iter(texts), True)
    assert content.of_sentences(texts, True) != content.of_sentences(["a b", "a b", "c"], True)
    assert content.of_sentences(texts, False) == content.of_sentences(["a b", "a b", "c"], False)
    assert content.of_sentences(texts, False) != content.of_sentences(["a b", "c"], False)
    assert content.of_sentences(["a", "bc"], True) != content.of_sentences(["ab", "c"], True)


def content_and_reads(manifest: Path, ordered: bool = True) -> tuple[Content, int]:
    """The content of a split, and how often its manifest was read for that."""
    reads = 0

    def read() -> Any:
        nonlocal reads
        reads += 1
        return read_manifest(manifest, str.strip)

    return content_files.of_split(manifest, "english/1", ordered, read), reads


def test_it_is_computed_once_and_anew_when_what_it_is_of_has_changed(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000, 4000)
    digests.record(manifest, read_manifest(manifest, str.strip).cuts, silent)
    first, reads = content_and_reads(manifest)
    assert reads == 1
    assert first.rows == content_files.read_rows(content_files.rows_beside(manifest, "english/1"))
    again, reads = content_and_reads(manifest)
    assert (again.fingerprint, again.utterances, reads) == (first.fingerprint, 2, 0)
    edited, reads = content_and_reads(changed(manifest, CHANGES["text"][0]))
    assert reads == 1
    assert edited.fingerprint != first.fingerprint
    digests.beside(manifest).unlink()
    assert content_and_reads(manifest)[0].without_digest == 2


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"schema": 1}', "no json", '"text"'])
def test_a_damaged_note_is_written_again(tmp_path: Path, damage: str) -> None:
    manifest = write_corpus(tmp_path, 3000)
    before = content_and_reads(manifest)[0]
    content_files.beside(manifest, "english/1").write_text(damage)
    assert content_and_reads(manifest) == (before, 1)
    assert content_and_reads(manifest)[1] == 0


def test_damaged_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.gz"
    rows = {"a\tb": Row("1", "2", "3"), "ö": Row("4", "5", "6")}
    content_files.write_rows(path, rows)
    assert content_files.read_rows(path) == rows
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(LasasrError, match=r"rows.gz cannot be read"):
        content_files.read_rows(path)


def test_splits_with_dots_in_their_names_have_files_of_their_own() -> None:
    names = {digests.beside(Path(f"test.{version}.jsonl.gz")).name for version in ("v1", "v2")}
    assert names == {"test.v1.digests.json.gz", "test.v2.digests.json.gz"}
    assert digests.beside(Path("dev.jsonl")).name == "dev.digests.json.gz"


def test_packed_rows_are_a_dictionary() -> None:
    random = np.random.default_rng(1)
    expected = {f"u{number}": Row(*(random.bytes(4).hex() for _ in range(3))) for number in (3, 1, 2)}
    rows = content.Rows(list(expected), b"".join(bytes.fromhex("".join(row)) for row in expected.values()))
    assert rows == expected
    assert list(rows.items()) == list(expected.items())
    assert {name: rows[name] for name in expected} == expected
    assert "u4" not in rows


def test_a_table_of_digests_gives_the_same_content(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 3000, 4000, 5000)
    by_dictionary = of(manifest, ordered=True)
    utterances = read_manifest(manifest, str.strip)
    assert content.of_utterances(utterances, DigestTable.of(manifest), ordered=True) == by_dictionary
    assert by_dictionary.without_digest == 0
