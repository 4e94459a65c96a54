"""Tokens of a split against those of each text."""

import numpy as np
import torch
from data_corpus import Letters
from torch.nn.utils.rnn import pad_sequence

from lasasr.data.tokens import encode
from lasasr.nn import lengths

TEXTS = ("aab", "", "a", "abba", "bb", "bbb a", "", "xaxa", "a")


def test_tokens_are_those_of_each_text() -> None:
    tokens, letters = encode(TEXTS, Letters()), Letters()
    assert list(tokens.ids) == [letters.encode_inside(text) for text in TEXTS]
    assert tokens.outside.tolist() == ["x" in text for text in TEXTS]
    assert tokens.counts.tolist() == [len(letters.encode_inside(text)) for text in TEXTS]


def test_a_histogram_counts_every_token() -> None:
    tokens = encode(["abcab"] * 400_000, Letters())  # more than are counted at once
    assert len(tokens.ids.values) == 2_000_000
    expected = np.zeros(14, dtype=np.int64)
    expected[[4, 5, 6]] = 800_000, 800_000, 400_000
    assert tokens.histogram(14).tolist() == expected.tolist()


def test_frames_needed_are_those_of_ctc() -> None:
    random = np.random.default_rng(0)
    texts = ["".join(random.choice(list("ab"), size)) for size in random.integers(0, 12, 300)]
    tokens = encode(texts, Letters())
    ids = [torch.tensor(ids, dtype=torch.int64) for ids in tokens.ids]
    counts = torch.tensor([len(each) for each in ids])
    expected = lengths.ctc_frames_needed(pad_sequence(ids, batch_first=True), counts)
    assert tokens.frames_needed().tolist() == expected.tolist()
