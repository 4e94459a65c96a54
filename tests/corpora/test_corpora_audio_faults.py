"""Audio that cannot be used: all of it is named before a split is refused, or it is left out and counted."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent
from lhotse import CutSet, MonoCut, SupervisionSegment

from lasasr.corpora.audio_faults import AudioFaultsError, skipped
from lasasr.corpora.manifest import read_cuts, recording
from lasasr.corpora.table import TableCorpus
from lasasr.data.audio import load
from lasasr.errors import LasasrError

RATE = 16_000
TONE = 0.2 * np.sin(np.arange(RATE) / 9)


def odd_files(folder: Path) -> dict[str, str]:
    """Name of a file that cannot be used → what is said of it."""
    soundfile.write(folder / "nan.wav", np.where(np.arange(RATE) == 4000, np.nan, TONE), RATE, "FLOAT")
    soundfile.write(folder / "phase.wav", np.stack([TONE, -TONE], 1), RATE)
    for name in ("cut.mp3", "cut.ogg", "cut.flac"):
        soundfile.write(folder / name, TONE, RATE)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) * 2 // 3])
    soundfile.write(folder / "twice.ogg", TONE, RATE)
    (folder / "twice.ogg").write_bytes(2 * (folder / "twice.ogg").read_bytes())
    soundfile.write(folder / "rate.wav", TONE, RATE)
    content = bytearray((folder / "rate.wav").read_bytes())
    content[24:28] = struct.pack("<I", 1)
    (folder / "rate.wav").write_bytes(content)
    (folder / "html.wav").write_text("<html>not found</html>")
    return {
        "nan.wav": "NaN or infinite samples, the first at 0.250 s",
        "phase.wav": "cancel each other out",
        "cut.mp3": "cut off",
        "cut.ogg": "cut off",
        "cut.flac": "cut.flac",
        "twice.ogg": "second recording",
        "rate.wav": "sampling rate of 1 Hz",
        "html.wav": "unreadable",
    }


def table(folder: Path, files: list[str], name: str = "train.jsonl") -> Path:
    rows = [{"id": f"u-{audio}", "audio": audio, "text": "some words"} for audio in files]
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / name


def good_files(folder: Path) -> list[str]:
    soundfile.write(folder / "good.wav", TONE, RATE)
    soundfile.write(folder / "odd_rate.wav", TONE, 16_001)
    soundfile.write(folder / "stereo.flac", np.stack([TONE, 0 * TONE], 1), RATE)
    soundfile.write(folder / "stereo_odd.wav", np.stack([TONE, TONE], 1), 96_001)
    soundfile.write(folder / "gsm.wav", TONE, 8_000, "GSM610")
    return ["good.wav", "odd_rate.wav", "stereo.flac", "stereo_odd.wav", "gsm.wav"]


def test_all_are_tried_and_named_then_it_is_refused(tmp_path: Path) -> None:
    expected, good = odd_files(tmp_path), good_files(tmp_path)
    train = table(tmp_path, [good[0], *expected, *good[1:]])
    with pytest.raises(AudioFaultsError, match=r"corpus\.skip_unreadable=true leaves them out") as caught:
        TableCorpus(str(train), str(train)).prepare(tmp_path / "prepared", silent)
    assert "\n" not in str(caught.value)
    assert list(caught.value.faults) == [f"u-{name}" for name in expected]
    for line, (name, fault) in enumerate(expected.items(), start=2):
        message = caught.value.faults[f"u-{name}"]
        assert fault in message
        assert str(tmp_path / name) in message
        assert f"train.jsonl, line {line}: " in message
        assert f"u-{name}" in str(caught.value) or line == 2
    assert not (tmp_path / "prepared" / "train.jsonl.gz").exists()


def test_they_are_left_out_where_that_is_wanted_and_the_rest_can_be_read(tmp_path: Path) -> None:
    expected, good = odd_files(tmp_path), good_files(tmp_path)
    train, dev = table(tmp_path, [*expected, *good]), table(tmp_path, good, "dev.jsonl")
    corpus = TableCorpus(str(train), str(dev), skip_unreadable=True)
    manifests = corpus.prepare(tmp_path / "prepared", silent)
    cuts = list(read_cuts(manifests["train"]))
    assert [cut.id for cut in cuts] == [f"u-{name}" for name in good]
    assert all(len(load(cut, RATE)) > 0 for cut in cuts)
    assert list(skipped(manifests["train"])) == [f"u-{name}" for name in expected]
    assert skipped(manifests["dev"]) == {}
    assert corpus.fingerprint() != TableCorpus(str(train), str(dev)).fingerprint()


def test_nothing_left_is_refused_all_the_same(tmp_path: Path) -> None:
    train = table(tmp_path, list(odd_files(tmp_path)))
    with pytest.raises(AudioFaultsError, match=r"7 more of train are faulty"):
        TableCorpus(str(train), str(train), skip_unreadable=True).prepare(tmp_path / "prepared", silent)


def test_a_table_that_is_wrong_is_refused_whatever_is_skipped(tmp_path: Path) -> None:
    train = table(tmp_path, [*good_files(tmp_path), "good.wav"])
    with pytest.raises(LasasrError, match=r"line 6: id u-good\.wav stands in line 1 already"):
        TableCorpus(str(train), str(train), skip_unreadable=True).prepare(tmp_path / "prepared", silent)


def test_cuts_of_ones_own_are_tried_in_the_same_way(tmp_path: Path) -> None:
    good_files(tmp_path)
    odd_files(tmp_path)
    cuts = []
    for name in ("good.wav", "nan.wav", "cut.ogg"):
        whole = recording(name, tmp_path / name, RATE, RATE)
        words = SupervisionSegment(name, name, 0.0, whole.duration, text="some words")
        cuts.append(MonoCut(f"u-{name}", 0.0, whole.duration, 0, recording=whole, supervisions=[words]))
    CutSet(cuts).to_file(tmp_path / "train.jsonl.gz")
    train = str(tmp_path / "train.jsonl.gz")
    with pytest.raises(AudioFaultsError) as caught:
        TableCorpus(train, train).prepare(tmp_path / "prepared", silent)
    assert list(caught.value.faults) == ["u-nan.wav", "u-cut.ogg"]
    manifests = TableCorpus(train, train, skip_unreadable=True).prepare(tmp_path / "skipping", silent)
    assert [cut.id for cut in read_cuts(manifests["train"])] == ["u-good.wav"]
