"""Modified Kneser-Ney against its equations written out with dictionaries, and as probabilities that sum to 1."""

from __future__ import annotations

import math
import random
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lasasr.lm import kneser_ney
from lasasr.lm.arpa import BackOffModel
from lasasr.lm.arpa_written import write

WORDS = tuple(f"w{i}" for i in range(60))
FURTHER = ("x", "y")


def text(seed: int = 1, sentences: int = 60) -> list[list[str]]:
    """Sentences of 1 to 6 words, of which some are frequent."""
    generator, weights = random.Random(seed), [1.0 / rank for rank in range(1, len(WORDS) + 1)]
    return [generator.choices(WORDS, weights, k=generator.randint(1, 6)) for _ in range(sentences)]


class WrittenOut:
    """p(word | context) by the equations 22 to 26 of Chen & Goodman (1999), one look at the text for each count."""

    def __init__(self, sentences: list[list[str]], order: int) -> None:
        self.order, self.text = order, [["<s>", *sentence, "</s>"] for sentence in sentences]
        self.size = len({word for sentence in self.text for word in sentence} - {"<s>"} | {"<unk>", *FURTHER})
        self.seen = {n: Counter(self.ngrams(n)) for n in range(1, order + 2)}

    def ngrams(self, n: int) -> list[tuple[str, ...]]:
        return [tuple(line[i : i + n]) for line in self.text for i in range(len(line) - n + 1)]

    def count(self, gram: tuple[str, ...]) -> int:
        n = len(gram)
        if n == self.order or (gram[0] == "<s>" and n > 1):
            return self.seen[n][gram] if gram != ("<s>",) else 0
        return len({longer for longer in self.seen[n + 1] if longer[1:] == gram})

    @cache  # noqa: B019
    def discounts(self, n: int) -> tuple[float, ...]:
        counts = [self.count(gram) for gram in self.seen[n]]
        once, twice, thrice, four = (counts.count(c) for c in (1, 2, 3, 4))
        y = once / (once + 2 * twice)
        return 0.0, 1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice

    def discount(self, n: int, count: int) -> float:
        return self.discounts(n)[min(count, 3)]

    def probability(self, context: tuple[str, ...], word: str) -> float:
        n = len(context) + 1
        followers = {gram: self.count(gram) for gram in self.seen[n] if gram[:-1] == context}
        total = sum(followers.values())
        lower = self.probability(context[1:], word) if context else (word != "<s>") / self.size
        if not total:
            return lower
        left = sum(self.discount(n, count) for count in followers.values())
        count = followers.get((*context, word), 0)
        return (count - self.discount(n, count) + left * lower) / total


@pytest.mark.parametrize("order", [1, 2, 3])
def test_every_probability_is_that_of_the_equations(tmp_path: Path, order: int) -> None:
    sentences = text()
    model = kneser_ney.estimate(sentences, order, FURTHER)
    assert model.guessed == []
    write(tmp_path / "a.arpa", model.ngrams)
    read, written_out = BackOffModel(tmp_path / "a.arpa"), WrittenOut(sentences, order)
    for line in [*sentences[:12], ["w0", "x", "zebra", "w1"]]:
        context, spelt = read.begin(), ("<s>",)
        for word in (*line, "</s>"):
            known = word if word in (*WORDS, *FURTHER, "</s>") else "<unk>"
            score, after = (read.end(context), ()) if word == "</s>" else read.word(context, word)
            expected = written_out.probability(spelt[len(spelt) - min(order - 1, len(spelt)) :], known)
            assert score == pytest.approx(math.log(expected), abs=1e-5)
            context, spelt = after, (*spelt, known)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_what_may_follow_sums_to_one(tmp_path: Path, order: int) -> None:
    write(tmp_path / "a.arpa", kneser_ney.estimate(text(2, 300), order, FURTHER).ngrams)
    model = BackOffModel(tmp_path / "a.arpa")
    for before in ("", "w0", "w1 w0", "w0 w0 w0", "w0 w1 w2 w0", "zebra", "x w0"):
        context = model.begin()
        for word in before.split():
            _, context = model.word(context, word)
        words = model.mass(context, np.array([0]), np.array([model.size]))[0]
        assert words + math.exp(model.unknown(context)) + math.exp(model.end(context)) == pytest.approx(1.0, abs=1e-5)


def test_too_little_text_takes_fixed_discounts_and_says_so(tmp_path: Path) -> None:
    model = kneser_ney.estimate([["a", "b"]], 2)
    assert model.guessed == [1, 2]
    write(tmp_path / "a.arpa", model.ngrams)
    read = BackOffModel(tmp_path / "a.arpa")
    context = read.word(read.begin(), "a")[1]
    below = 0.5 / 3 + 0.5 / 4  # each of three words has one context, and half of it goes to all four that there are
    assert read.word(context, "b")[0] == pytest.approx(math.log(0.5 + 0.5 * below), abs=1e-5)


def test_what_cannot_be_estimated_is_said() -> None:
    with pytest.raises(ValueError, match="order must be at least 1, got 0"):
        kneser_ney.estimate([["a"]], 0)
    with pytest.raises(ValueError, match="no sentence with a word"):
        kneser_ney.estimate([[], []], 3)
    with pytest.raises(ValueError, match="</s> in 'a </s>' stands for something else"):
        kneser_ney.estimate([["a"], ["a", "</s>"]], 3)


def test_the_order_is_at_most_what_the_longest_sentence_has(tmp_path: Path) -> None:
    for order in (4, 9):  # <s> a b </s>
        write(tmp_path / f"{order}.arpa", kneser_ney.estimate([["a", "b"], ["b"]], order).ngrams)
    assert (tmp_path / "4.arpa").read_text() == (tmp_path / "9.arpa").read_text()
