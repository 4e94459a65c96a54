"""Reading a manifest, and what is wrong with it said at once."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_corpus import cut, write_corpus, write_manifest

from lasasr.data.manifest import read_manifest
from lasasr.errors import LasasrError


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 16_000)
    return tmp_path / "a.wav"


def test_reads_what_the_corpus_wrote(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, 1600, 3200, 4001)
    utterances = read_manifest(path, str.upper)
    assert len(utterances) == 3
    assert utterances.ids == ("u0", "u1", "u2")
    assert utterances.speakers == ("speaker u0", "speaker u1", "speaker u2")
    assert utterances.texts == ("A", "A B", "A B C")
    np.testing.assert_allclose(utterances.durations_s, [0.1, 0.2, 4001 / 16_000])
    for number, samples in enumerate((1600, 3200, 4001)):
        expected = soundfile.read(path.parent / f"u{number}.wav", dtype="float32")[0]
        loaded = utterances.cut(number).load_audio()
        assert loaded.shape == (1, samples)
        np.testing.assert_array_equal(loaded[0], expected)


def test_first_few(tmp_path: Path) -> None:
    utterances = read_manifest(write_corpus(tmp_path, 1600, 3200, 4000), str.lower).first(2)
    assert utterances.ids == ("u0", "u1")
    assert len(utterances.durations_s) == len(utterances.texts) == len(utterances) == 2
    assert utterances.cut(1).id == "u1"


def test_missing_and_empty_and_damaged_manifests(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match=r"none\.jsonl\.gz is missing"):
        read_manifest(tmp_path / "none.jsonl.gz", str)
    with gzip.open(tmp_path / "empty.jsonl.gz", "wt"):
        pass
    with pytest.raises(LasasrError, match=r"empty\.jsonl\.gz holds no utterance"):
        read_manifest(tmp_path / "empty.jsonl.gz", str)
    for name, text in (
        ("a.jsonl", "{not json\n"),
        ("b.jsonl", '{"id": 3}\n'),
        ("c.jsonl.gz", "no gzip"),
        ("d.json", "{not json"),
        ("e.jsonl", "[1]\n"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(LasasrError, match=f"{name} cannot be read as Lhotse cuts") as caught:
            read_manifest(tmp_path / name, str)
        assert "\n" not in str(caught.value)


def test_twice_the_same_id(audio: Path, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl.gz"
    plain = write_manifest(tmp_path, [cut(audio, "a", "x")])
    with gzip.open(plain, "rt") as file:
        line = file.read()
    with gzip.open(path, "wt") as file:
        file.write(line * 2)
    with pytest.raises(LasasrError, match=r"train\.jsonl\.gz: utterance id a occurs twice"):
        read_manifest(path, str)


@pytest.mark.parametrize("text", [None, "", " ", "(noise)"])
def test_empty_transcript(audio: Path, tmp_path: Path, text: str | None) -> None:
    path = write_manifest(tmp_path, [cut(audio, "fine", "x"), cut(audio, "mute", text)])
    with pytest.raises(LasasrError, match=r"train\.jsonl\.gz: utterance mute has an empty transcript"):
        read_manifest(path, lambda raw: raw.replace("(noise)", ""))


def test_transcript_that_the_rule_refuses(audio: Path, tmp_path: Path) -> None:
    def refuse(raw: str) -> str:
        raise LasasrError(f"no rule for {raw!r}")

    with pytest.raises(LasasrError, match=r"train\.jsonl\.gz: utterance a: no rule for '7'"):
        read_manifest(write_manifest(tmp_path, [cut(audio, "a", "7")]), refuse)


def test_number_of_supervisions(audio: Path, tmp_path: Path) -> None:
    for supervisions in (0, 2):
        single_cut = cut(audio, "a", "x")
        single_cut.supervisions = single_cut.supervisions * supervisions
        with pytest.raises(LasasrError, match=f"utterance a has {supervisions} supervisions"):
            read_manifest(write_manifest(tmp_path, [single_cut]), str)


def test_no_duration(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(1), 16_000)
    single_cut = cut(tmp_path / "a.wav", "brief", "x")
    single_cut.duration = 0.0
    with pytest.raises(LasasrError, match="utterance brief has no duration"):
        read_manifest(write_manifest(tmp_path, [single_cut]), str)


def test_no_recording(audio: Path, tmp_path: Path) -> None:
    single_cut = cut(audio, "a", "x")
    single_cut.recording = None
    with pytest.raises(LasasrError, match="a"):
        read_manifest(write_manifest(tmp_path, [single_cut]), str)
