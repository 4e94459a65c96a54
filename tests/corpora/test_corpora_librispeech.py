"""LibriSpeech's layout: any part of it, and what is wrong with a part named in one line."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent

from lasasr.corpora.librispeech import LibriSpeechCorpus
from lasasr.corpora.manifest import read_cuts
from lasasr.errors import LasasrError, UsageError


def write_chapter(folder: Path, utterances: int = 2) -> None:
    folder.mkdir(parents=True)
    name = f"{folder.parent.name}-{folder.name}"
    lines = []
    for number in range(utterances):
        samples = np.full(1600 * (number + 1), 0.1)
        soundfile.write(folder / f"{name}-{number:04d}.flac", samples, 16000)
        lines.append(f"{name}-{number:04d} WORDS OF {name} {number}\n")
    (folder / f"{name}.trans.txt").write_text("".join(lines))


@pytest.fixture
def root(tmp_path):
    for speaker in ("19", "103", "1034"):
        write_chapter(tmp_path / "LibriSpeech" / "train-clean-100" / speaker / "198")
    write_chapter(tmp_path / "LibriSpeech" / "dev-other" / "7" / "1", utterances=3)
    write_chapter(tmp_path / "LibriSpeech" / "test-clean" / "8" / "1", utterances=1)
    return tmp_path


def speakers(manifest):
    return {cut.supervisions[0].speaker for cut in read_cuts(manifest)}


@pytest.mark.parametrize("below", ["", "LibriSpeech"])
def test_root_is_the_folder_or_the_one_that_holds_it(root, below, tmp_path):
    corpus = LibriSpeechCorpus(str(root / below), dev=["dev-other"], test=["test-clean"])
    manifests = corpus.prepare(tmp_path / "prepared", silent)
    assert {split: len(read_cuts(path)) for split, path in manifests.items()} == {"train": 6, "dev": 3, "test": 1}
    cut = next(cut for cut in read_cuts(manifests["train"]) if cut.id == "103-198-0001")
    assert (cut.supervisions[0].text, cut.supervisions[0].speaker) == ("WORDS OF 103-198 1", "103")
    assert cut.num_samples == 3200
    assert Path(cut.recording.sources[0].source).is_absolute()


def test_several_test_splits_keep_their_names(root, tmp_path):
    corpus = LibriSpeechCorpus(str(root), dev=[], test=["test-clean", "dev-other"], hold_out_speakers=1)
    assert set(corpus.prepare(tmp_path / "prepared", silent)) == {"train", "dev", "test-clean", "dev-other"}


@pytest.mark.parametrize(("count", "held_out"), [(1, {"1034"}), (2, {"103", "1034"})])
def test_the_highest_numbers_are_held_out(root, tmp_path, count, held_out):
    corpus = LibriSpeechCorpus(str(root), dev=[], test=[], hold_out_speakers=count)
    manifests = corpus.prepare(tmp_path / "prepared", silent)
    assert speakers(manifests["dev"]) == held_out
    assert speakers(manifests["train"]) == {"19", "103", "1034"} - held_out


def test_nobody_is_left_to_train_on(root, tmp_path):
    corpus = LibriSpeechCorpus(str(root), dev=[], test=[], hold_out_speakers=3)
    with pytest.raises(LasasrError, match="hold_out_speakers=3 leaves nothing of the 3 speakers"):
        corpus.prepare(tmp_path / "prepared", silent)


def test_an_absent_split_names_those_that_are_there(root):
    with pytest.raises(LasasrError, match="does not hold dev-clean; it holds dev-other, test-clean, train-clean-100"):
        LibriSpeechCorpus(str(root), test=["test-clean"]).identity()


def test_no_corpus_at_all(tmp_path):
    for nothing in (tmp_path, tmp_path / "absent"):
        with pytest.raises(LasasrError, match=r"no LibriSpeech in .*set corpus.root or LASASR_DATA"):
            LibriSpeechCorpus(str(nothing)).identity()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"dev": []}, "corpus.dev"),
        ({"hold_out_speakers": 2}, "hold_out_speakers"),
        ({"train": []}, "corpus.train"),
        ({"dev": ["train-clean-100"]}, "train-clean-100 is named twice"),
    ],
)
def test_contradictions(options, named):
    with pytest.raises(UsageError, match=named):
        LibriSpeechCorpus("anywhere", **options)


def damage_audio(chapter):
    (chapter / "19-198-0001.flac").unlink()


def damage_line(chapter):
    (chapter / "19-198.trans.txt").write_text("19-198-0000 WORDS\n")


def damage_text(chapter):
    (chapter / "19-198.trans.txt").write_text("19-198-0000 WORDS\n19-198-0001 \n")


def damage_header(chapter):
    (chapter / "19-198-0001.flac").write_bytes(b"no audio")


def damage_length(chapter):
    soundfile.write(chapter / "19-198-0001.flac", np.zeros(0), 16000)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_audio, r"19-198.trans.txt, line 2: 19-198-0001.flac is missing"),
        (damage_line, r"19-198.trans.txt has no line for 19-198-0001.flac"),
        (damage_text, r"19-198.trans.txt, line 2: 19-198-0001 has no text"),
        (damage_header, r"19-198-0001.flac is unreadable"),
        (damage_length, r"19-198-0001.flac has zero length"),
    ],
)
def test_damage_is_named_and_leaves_no_manifest(root, tmp_path, damage, message):
    damage(root / "LibriSpeech" / "train-clean-100" / "19" / "198")
    corpus = LibriSpeechCorpus(str(root), dev=["dev-other"], test=[])
    with pytest.raises(LasasrError, match=message) as caught:
        corpus.prepare(tmp_path / "prepared", silent)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "prepared" / "train.jsonl.gz").exists()


def test_a_corpus_that_grew_is_another_one(root):
    corpus = LibriSpeechCorpus(str(root), dev=["dev-other"], test=[])
    before = corpus.fingerprint()
    write_chapter(root / "LibriSpeech" / "train-clean-100" / "20" / "1")
    assert corpus.fingerprint() != before


def test_real_speech(tmp_path):
    root = Path(os.environ.get("LASASR_DATA", "data")) / "LibriSpeech"
    if not (root / "train-clean-100").is_dir() or not (root / "test-other").is_dir():
        pytest.skip("no real speech")
    corpus = LibriSpeechCorpus(str(root), dev=[], test=["test-other"], hold_out_speakers=1)
    for split, path in corpus.prepare(tmp_path, silent).items():
        cuts, speaking = list(read_cuts(path)), speakers(path)
        audio = {
            file
            for original in corpus.originals[split] or ["train-clean-100"]
            for file in (root.resolve() / original).rglob("*.flac")
            if file.parent.parent.name in speaking
        }
        assert {Path(cut.recording.sources[0].source) for cut in cuts} == audio
        assert cuts[0].load_audio().shape == (1, cuts[0].num_samples)


def test_all_faulty_audio_of_a_split_is_named_at_once(root, tmp_path):
    chapter = root / "LibriSpeech" / "train-clean-100" / "19" / "198"
    damage_header(chapter)
    first = chapter / "19-198-0000.flac"
    first.write_bytes(b"")
    with pytest.raises(LasasrError, match=r"0000.flac has zero length; 1 more of train are faulty: 19-198-0001$"):
        LibriSpeechCorpus(str(root), dev=["dev-other"], test=[]).prepare(tmp_path / "prepared", silent)
    assert not (tmp_path / "prepared" / "train.jsonl.gz").exists()
