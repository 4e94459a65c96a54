"""Text corpora: what is held out stays out, prose becomes sentences, and what is missing is named."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lasasr.corpora.librispeech_text import LibriSpeechText
from lasasr.corpora.prose import paragraphs, split_sentences
from lasasr.corpora.synthetic import SyntheticCorpus
from lasasr.corpora.synthetic_text import SyntheticText
from lasasr.corpora.text import PlainText
from lasasr.errors import LasasrError, UsageError


def test_the_sentences_of_a_grammar_are_not_those_that_are_spoken_in_dev_and_test() -> None:
    for seed in (0, 7):
        spoken = SyntheticCorpus(dev_utterances=60, test_utterances=90, seed=seed).texts()
        held_out = set(spoken["test"]) | set(spoken["dev"])
        splits = SyntheticText(
            train_sentences=1500, dev_sentences=80, seed=seed, dev_utterances=60, test_utterances=90
        ).splits()
        train, dev = list(splits["train"]()), list(splits["dev"]())
        assert (len(held_out), len(train), len(dev)) == (150, 1500, 80)
        assert not held_out & set(train)
        assert not held_out & set(dev)
        assert not set(dev) & set(train)
        assert list(splits["train"]()) == train


def test_the_identity_of_drawn_text_follows_every_option_that_changes_it() -> None:
    options = [{}, {"seed": 1}, {"train_sentences": 9}, {"test_utterances": 5}, {"grammar": "large"}]
    assert len({SyntheticText(**keywords).fingerprint() for keywords in options}) == len(options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="got 0"):
        SyntheticText(dev_sentences=0)


@pytest.mark.parametrize(
    ("prose", "expected"),
    [
        ("One came. Two went! Three? Four", ["One came.", "Two went!", "Three?", "Four"]),
        ("Mr. Knightley came. Mrs. Elton J. Smith left.", ["mister Knightley came.", "missus Elton J. Smith left."]),
        ('"Is it so?" said he. "It is."', ['"Is it so?" said he.', '"It is."']),
        ("He paid 3.50 pounds, e.g. for tea.", ["He paid 3.50 pounds, e.g. for tea."]),
        ("", []),
    ],
)
def test_prose_is_split_where_sentences_end(prose: str, expected: list[str]) -> None:
    sentences = list(split_sentences(prose, most_words=40))
    assert [sentence.replace('"', "") for sentence in sentences] == [sentence.replace('"', "") for sentence in expected]


def test_no_word_of_prose_is_lost_or_moved_and_no_piece_is_too_long() -> None:
    text = "\n\nA first paragraph\nof two lines. It\tends!\n\n \n" + " ".join(f"w{i}" for i in range(103)) + "\n"
    sentences = [
        sentence for part in paragraphs(text.splitlines()) for sentence in split_sentences(part, most_words=20)
    ]
    assert " ".join(sentences).split() == text.split()
    assert max(len(sentence.split()) for sentence in sentences) <= 20
    assert min(len(sentence.split()) for sentence in sentences[2:]) >= 17  # of about equal length


def test_plain_and_packed_files_below_a_folder_without_those_of_dev(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "b.txt").write_text("second line\n\nthird", encoding="utf-8")
    (tmp_path / "books" / "notes.md").write_text("not text")
    (tmp_path / "dev.txt").write_text("held out\n")
    with gzip.open(tmp_path / "a.txt.gz", "wt", encoding="utf-8") as file:
        file.write("first line\n")
    corpus = PlainText(train=str(tmp_path), dev=str(tmp_path / "dev.txt"))
    splits = corpus.splits()
    assert list(splits["train"]()) == ["first line", "second line", "", "third"]
    assert list(splits["dev"]()) == ["held out"]
    before = corpus.fingerprint()
    (tmp_path / "books" / "b.txt").write_text("changed", encoding="utf-8")
    assert corpus.fingerprint() != before


def test_what_is_wrong_with_text_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("fine\n")
    bad.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"corpus\.train is not set"):
        PlainText(train=None, dev=str(good)).splits()
    with pytest.raises(LasasrError, match=r"missing\.txt"):
        PlainText(train=str(tmp_path / "missing.txt"), dev=str(good)).splits()
    with pytest.raises(LasasrError, match="only files that are dev"):
        PlainText(train=str(good), dev=str(good)).splits()
    with pytest.raises(LasasrError, match=r"bad\.txt"):
        list(PlainText(train=str(bad), dev=str(good)).splits()["train"]())
    (tmp_path / "empty").mkdir()
    with pytest.raises(LasasrError, match="empty"):
        PlainText(train=str(tmp_path / "empty"), dev=str(good)).splits()
    with pytest.raises(UsageError, match="prose"):
        PlainText(train=str(good), dev=str(good), layout="pros")  # type: ignore[arg-type]


def test_a_dictionary_makes_phones_of_sentences(tmp_path: Path) -> None:
    text, dictionary = tmp_path / "text.txt", tmp_path / "dictionary"
    text.write_text("A cat!\nOne\nThe cat, a CAT.\n")
    dictionary.write_text("A  AH0\nCAT  K AE1 T\n")
    corpus = PlainText(train=str(tmp_path), dev=str(tmp_path / "dev.txt"), dictionary=str(dictionary))
    (tmp_path / "dev.txt").write_text("a\n")
    splits, before = corpus.splits(), corpus.fingerprint()
    assert list(splits["train"]()) == ["AH K AE T", "K AE T AH K AE T"]
    assert list(splits["dev"]()) == ["AH"]
    assert corpus.transcript == "phones"
    dictionary.write_text("A  EY1\nCAT  K AE1 T\n")
    assert corpus.fingerprint() != before
    dictionary.unlink()
    with pytest.raises(LasasrError, match=r"corpus\.dictionary: .*missing"):
        corpus.fingerprint()


def test_librispeech_has_its_text_and_its_transcripts(tmp_path: Path) -> None:
    chapter = tmp_path / "LibriSpeech" / "dev-clean" / "1" / "2"
    chapter.mkdir(parents=True)
    (chapter / "1-2.trans.txt").write_text("1-2-0000 HELLO THERE\n1-2-0001 GOOD BYE\n")
    with gzip.open(tmp_path / "librispeech-lm-norm.txt.gz", "wt") as file:
        file.write("A FIRST SENTENCE\nA SECOND ONE\n")
    splits = LibriSpeechText(root=str(tmp_path), dev=["dev-clean"]).splits()
    assert list(splits["dev"]()) == ["HELLO THERE", "GOOD BYE"]
    assert list(splits["train"]()) == ["A FIRST SENTENCE", "A SECOND ONE"]
    both = LibriSpeechText(root=str(tmp_path), dev=["dev-clean"], transcripts=["dev-clean"]).splits()
    assert len(list(both["train"]())) == 4
    with pytest.raises(LasasrError, match="dev-other"):
        LibriSpeechText(root=str(tmp_path)).fingerprint()
    with pytest.raises(LasasrError, match="librispeech-lm-norm"):
        LibriSpeechText(root=str(tmp_path / "LibriSpeech" / "dev-clean")).fingerprint()
