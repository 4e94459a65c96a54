"""Encoded text: what was written is read, batches hold every sentence once, what cannot be encoded is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from lasasr.data.sampler import BucketBatches, Request
from lasasr.data.sentences import TextDataset, encode_split, load_split, token_batching
from lasasr.errors import LasasrError
from lasasr.text import special
from lasasr.text.character import CharacterTokenizer

TEXTS = ["abc", "a b", "c", "ab ab ab", "b", "cab"]
TOKENIZER = CharacterTokenizer.train(TEXTS)


def test_sentences_come_back_as_they_were_encoded(tmp_path: Path) -> None:
    encode_split(TEXTS, TOKENIZER, tmp_path / "train")
    sentences = load_split(tmp_path / "train")
    assert [TOKENIZER.decode(sentences.ids(i).tolist()) for i in range(len(sentences))] == TEXTS
    assert sentences.lengths.tolist() == [len(text) + 1 for text in TEXTS]
    assert (sentences.counts.sentences, sentences.counts.words, sentences.counts.characters) == (6, 9, 19)


def test_every_sentence_is_in_one_batch_within_its_budget(tmp_path: Path) -> None:
    encode_split(TEXTS * 7, TOKENIZER, tmp_path / "train")
    dataset = TextDataset(load_split(tmp_path / "train"))
    batches = BucketBatches(dataset.durations_s, token_batching(max_sentences=5, batch_tokens=24, buckets=3), seed=4)
    seen: list[str] = []
    for request in batches:
        batch = dataset[request]
        assert len(batch.ids) <= 5
        assert (int(batch.token_lengths.max()) + 1) * len(batch.ids) <= 24
        assert batch.tokens.shape == (len(batch.ids), int(batch.token_lengths.max()))
        for row, size in zip(batch.tokens.tolist(), batch.token_lengths.tolist(), strict=True):
            assert set(row[size:]) <= {special.PAD}
            seen.append(TOKENIZER.decode(row[:size]))
    assert sorted(seen) == sorted(TEXTS * 7)


def test_what_the_vocabulary_lacks_is_left_out_and_counted(tmp_path: Path) -> None:
    encode_split([*TEXTS, "xyz"], TOKENIZER, tmp_path / "train")
    counts = load_split(tmp_path / "train").counts
    assert (counts.sentences, counts.left_out) == (6, 1)
    assert "'x'" in counts.first_left_out
    with pytest.raises(LasasrError, match="3 of 4 sentences"):
        encode_split(["x", "y", "z", "a"], TOKENIZER, tmp_path / "dev")
    with pytest.raises(LasasrError, match="no sentence"):
        encode_split([], TOKENIZER, tmp_path / "none")


def test_damaged_text_is_refused(tmp_path: Path) -> None:
    encode_split(TEXTS, TOKENIZER, tmp_path / "train")
    ids = tmp_path / "train.ids"
    ids.write_bytes(ids.read_bytes()[:-4])
    with pytest.raises(LasasrError, match=r"train\.ids"):
        load_split(tmp_path / "train")
    assert TextDataset(_written(tmp_path / "one"))[Request(0, (0,))].tokens.shape == (1, 1)


def _written(path: Path):  # type: ignore[no-untyped-def]
    encode_split(["a"], TOKENIZER, path)
    return load_split(path)
