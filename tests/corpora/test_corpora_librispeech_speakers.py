"""Splits made of chosen speakers: from the original layout, from tables of the same, and what is refused."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent

from lasasr.cli.compose import load
from lasasr.corpora.librispeech_speakers import LibriSpeechSpeakersCorpus
from lasasr.corpora.manifest import read_cuts
from lasasr.errors import LasasrError, UsageError
from lasasr.models import factory

SPLITS = {
    "train": {"test-clean": [61, 260]},
    "dev": {"test-clean": [672]},
    "test": {"test-clean": [237], "test-other": [367]},
}
SHARED = Path(os.environ.get("LASASR_DATA", Path(__file__).parents[3] / "shared" / "data"))


def write_speaker(split: Path, speaker: int) -> None:
    folder = split / str(speaker) / "1"
    folder.mkdir(parents=True)
    soundfile.write(folder / f"{speaker}-1-0000.flac", np.full(1600, 0.1), 16000)
    (folder / f"{speaker}-1.trans.txt").write_text(f"{speaker}-1-0000 WORDS OF {speaker}\n")


@pytest.fixture
def root(tmp_path):
    for speaker in (61, 260, 672, 237, 908):
        write_speaker(tmp_path / "LibriSpeech" / "test-clean", speaker)
    for speaker in (367, 533):
        write_speaker(tmp_path / "LibriSpeech" / "test-other", speaker)
    return tmp_path


@pytest.fixture
def tabled(root):
    """The same with tables in place of test-clean."""
    original = root / "LibriSpeech" / "test-clean"
    (root / "tables").mkdir()
    for number, chapters in enumerate(sorted(original.glob("*/*"))):
        [(name, text)] = [line.split(" ", 1) for line in next(chapters.glob("*.txt")).read_text().splitlines()]
        (root / "tables" / f"{number}.tsv").write_text(
            f"id\taudio\ttext\tspeaker\n{name}\taudio/{name}.flac\t{text}\t{chapters.parent.name}\n"
        )
        (root / "tables" / "audio").mkdir(exist_ok=True)
        next(chapters.glob("*.flac")).rename(root / "tables" / "audio" / f"{name}.flac")
    original.rename(root / "gone")
    return root


def read(manifests):
    return {
        split: {(cut.id, cut.supervisions[0].speaker, cut.supervisions[0].text) for cut in read_cuts(path)}
        for split, path in manifests.items()
    }


EXPECTED = {
    "train": {("61-1-0000", "61", "WORDS OF 61"), ("260-1-0000", "260", "WORDS OF 260")},
    "dev": {("672-1-0000", "672", "WORDS OF 672")},
    "test": {("237-1-0000", "237", "WORDS OF 237"), ("367-1-0000", "367", "WORDS OF 367")},
}


@pytest.mark.parametrize("below", ["", "LibriSpeech"])
def test_a_split_holds_the_listed_speakers(root, below, tmp_path):
    corpus = LibriSpeechSpeakersCorpus(str(root / below), SPLITS)
    assert read(corpus.prepare(tmp_path / "prepared", silent)) == EXPECTED


@pytest.mark.parametrize("below", ["", "LibriSpeech"])
def test_tables_stand_in_for_an_original_split(tabled, below, tmp_path):
    corpus = LibriSpeechSpeakersCorpus(str(tabled / below), SPLITS, tables={"test-clean": "tables"})
    assert read(corpus.prepare(tmp_path / "prepared", silent)) == EXPECTED


def test_the_original_split_goes_before_tables(root, tmp_path):
    (root / "tables").mkdir()
    (root / "tables" / "empty.tsv").write_text("nothing that could be read")
    corpus = LibriSpeechSpeakersCorpus(str(root), SPLITS, tables={"test-clean": "tables"})
    assert read(corpus.prepare(tmp_path / "prepared", silent)) == EXPECTED


def test_identity_follows_transcripts_and_tables(root, tabled):
    corpus = LibriSpeechSpeakersCorpus(str(root), SPLITS, tables={"test-clean": "tables"})
    before = corpus.fingerprint()
    assert corpus.fingerprint() == before
    with (root / "tables" / "0.tsv").open("a") as table:
        table.write("\n")
    edited = corpus.fingerprint()
    write_speaker(root / "LibriSpeech" / "test-other", 1688)
    assert len({before, edited, corpus.fingerprint()}) == 3


def test_a_missing_speaker_or_split_is_named(root, tmp_path):
    splits = {**SPLITS, "dev": {"test-clean": [672, 4446, 908, 8224]}}
    with pytest.raises(LasasrError, match=r"test-clean holds nothing of speaker 4446, 8224, listed in corpus.splits"):
        LibriSpeechSpeakersCorpus(str(root), splits).prepare(tmp_path / "prepared", silent)
    splits = {**SPLITS, "dev": {"dev-clean": [1]}}
    tables = {"dev-clean": "nowhere"}
    with pytest.raises(LasasrError, match=r"no .*dev-clean or, as tables, .*nowhere: set corpus.root or LASASR_DATA"):
        LibriSpeechSpeakersCorpus(str(root), splits, tables).identity()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dev": {}}, "corpus.splits.dev lists no speakers"),
        ({"dev": {"test-clean": []}}, "corpus.splits.dev.test-clean lists no speakers"),
        ({"dev": {"test-clean": [61]}}, "speaker 61 is listed in corpus.splits.train.test-clean already"),
    ],
)
def test_lists_that_make_no_sense_are_refused(changed, message):
    with pytest.raises(UsageError, match=message):
        LibriSpeechSpeakersCorpus("anywhere", {**SPLITS, **changed})


def test_the_shipped_lists_are_those_of_the_tables():
    folder = SHARED / "LibriSpeech-40"
    if not folder.is_dir():
        pytest.skip("no real speech: there is no LibriSpeech-40 beside the project")
    corpus = factory.corpus(load("librispeech40/blstm", [f"data_dir={SHARED}"]).corpus)
    for split in ("train", "dev", "test"):
        with (folder / f"{split}.tsv").open(newline="") as table:
            in_table = {int(row["speaker"]) for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE)}
        assert set(corpus.splits[split]["test-clean"]) == in_table
    assert set(corpus.splits["test-other"]["test-other"]) == {
        int(path.name) for path in (SHARED / "LibriSpeech" / "test-other").iterdir()
    }


def test_no_speaker_is_in_two_shipped_splits():
    corpus = factory.corpus(load("librispeech40/blstm", ["data_dir=anywhere"]).corpus)
    counts = {split: sum(map(len, chosen.values())) for split, chosen in corpus.splits.items()}
    assert counts == {"train": 22, "dev": 4, "test": 6, "test-other": 4}
