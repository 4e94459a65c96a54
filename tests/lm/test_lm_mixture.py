"""Mixed n-grams against the sum that they stand for, one model at a time, and as probabilities that sum to 1."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path

import numpy as np
import pytest

from lasasr.lm import kneser_ney
from lasasr.lm.arpa import BackOffModel
from lasasr.lm.arpa_written import write
from lasasr.lm.mixture import fitted_weights, mixed

COMMON, FIRST, SECOND = ("a", "b", "c"), ("d", "only-first"), ("only-second", "z")
ROUNDED = 2e-6  # of log p: files have 7 digits


def model(path: Path, words: tuple[str, ...], order: int, seed: int) -> BackOffModel:
    generator = random.Random(seed)
    text = [generator.choices(words, range(1, 1 + len(words)), k=generator.randint(1, 5)) for _ in range(40)]
    write(path, kneser_ney.estimate(text, order).ngrams)
    return BackOffModel(path)


@pytest.fixture
def models(tmp_path: Path) -> list[BackOffModel]:
    """Of different words and different lengths."""
    return [
        model(tmp_path / "first.arpa", COMMON + FIRST, 3, 1),
        model(tmp_path / "second.arpa", COMMON + SECOND, 2, 2),
    ]


def read(path: Path, models: list[BackOffModel], weights: list[float]) -> BackOffModel:
    write(path, mixed(models, weights))
    return BackOffModel(path)


def after(model: BackOffModel, words: tuple[str, ...]) -> tuple[int, ...]:
    context = model.begin()
    for word in words:
        _, context = model.word(context, word)
    return context


class WrittenOut:
    """The lines of an ARPA file, and the rule of backing off, as they stand."""

    def __init__(self, path: Path) -> None:
        lines = [line.split("\t") for line in path.read_text().splitlines() if "\t" in line]
        self.log10 = {tuple(gram.split()): float(log) for log, gram, *_ in lines}
        self.back_off = {tuple(gram.split()): float(weight[0]) for _, gram, *weight in lines if weight}

    def probability(self, words: tuple[str, ...]) -> float:
        """p(last word | the others), 0 of a word that is not there; others that are not there are <unk>."""
        if words[-1:] not in self.log10:
            return 0.0
        words = tuple(word if (word,) in self.log10 else "<unk>" for word in words)
        return 10.0 ** self._log10(words)

    def _log10(self, words: tuple[str, ...]) -> float:
        return self.log10[words] if words in self.log10 else self.back_off.get(words[:-1], 0.0) + self._log10(words[1:])


def test_every_ngram_of_a_model_has_the_weighted_sum(tmp_path: Path, models: list[BackOffModel]) -> None:
    weights = [0.3, 0.7]
    both = read(tmp_path / "mixed.arpa", models, weights)
    assert both.words == sorted(COMMON + FIRST + SECOND)
    written = [WrittenOut(tmp_path / f"{name}.arpa") for name in ("first", "second")]
    mixture = WrittenOut(tmp_path / "mixed.arpa")
    assert set(mixture.log10) == set(written[0].log10) | set(written[1].log10)
    for gram in mixture.log10.keys() - {("<s>",)}:
        expected = sum(w * model.probability(gram) for w, model in zip(weights, written, strict=True))
        assert mixture.probability(gram) == pytest.approx(expected, rel=ROUNDED * 5), gram


def test_all_that_can_follow_sums_to_one_after_every_context(tmp_path: Path, models: list[BackOffModel]) -> None:
    both = read(tmp_path / "mixed.arpa", models, [0.6, 0.4])
    for words in itertools.chain.from_iterable(itertools.product((*both.words, "new"), repeat=n) for n in range(3)):
        context = after(both, words)
        masses = [both.word(context, word)[0] for word in both.words]
        total = sum(map(math.exp, (*masses, both.unknown(context), both.end(context))))
        assert total == pytest.approx(1.0, abs=1e-5), words


def test_a_model_mixed_with_itself_stays_what_it_is(tmp_path: Path, models: list[BackOffModel]) -> None:
    first = models[0]
    same = read(tmp_path / "mixed.arpa", [first, first], [0.25, 0.75])
    for words in itertools.product((*first.words, "new"), repeat=2):
        for word in (*first.words, "new"):
            expected = first.word(after(first, words), word)[0]
            assert same.word(after(same, words), word)[0] == pytest.approx(expected, abs=2e-5)


PRUNED = """\\data\\
ngram 1=5
ngram 2=2
ngram 3=1

\\1-grams:
-0.6\t<unk>\t0
-99\t<s>\t-0.2
-0.6\t</s>
-0.6\ta\t-0.3
-0.6\tb\t-0.1

\\2-grams:
-0.4\ta a\t-0.2
-0.5\ta b\t0

\\3-grams:
-0.1\ta a b
"""


def test_an_end_that_a_pruned_file_lacks_gets_its_probability(tmp_path: Path) -> None:
    """The 3-gram a b a has no 2-gram b a: the mixture makes it, with what the file's back-off gives."""
    text = PRUNED.replace("a a b", "a b a")
    (tmp_path / "pruned.arpa").write_text(text + "\n\\end\\\n")
    pruned = BackOffModel(tmp_path / "pruned.arpa")
    both = read(tmp_path / "mixed.arpa", [pruned, pruned], [0.5, 0.5])
    names = (*both.words, "<unk>", "<s>", "</s>")
    made = {" ".join(names[number] for number in gram): gram for gram in both.ngrams(2)}
    assert set(made) == {"a a", "a b", "b a"}
    assert both.ngram_nats(made["b a"][None])[0] == pytest.approx((-0.1 - 0.6) * math.log(10), abs=ROUNDED)


def test_fitted_weights_are_those_of_a_search_over_all(models: list[BackOffModel]) -> None:
    generator = random.Random(3)
    dev = [generator.choices((*COMMON, *FIRST, *SECOND, "new"), k=4) for _ in range(30)]
    weights = fitted_weights(models, dev)
    assert weights.sum() == pytest.approx(1.0)

    def nats(first: float) -> float:
        total = 0.0
        for sentence in dev:
            contexts = [m.begin() for m in models]
            for word in sentence:
                nowhere = not any(m.has(word) for m in models)
                sums = 0.0
                for i, (m, weight) in enumerate(zip(models, (first, 1 - first), strict=True)):
                    score, contexts[i] = m.word(contexts[i], word)
                    sums += weight * math.exp(score) * (nowhere or m.has(word))
                total += math.log(sums)
            ends = (w * math.exp(m.end(c)) for w, m, c in zip((first, 1 - first), models, contexts, strict=True))
            total += math.log(sum(ends))
        return total

    grid = np.linspace(0.001, 0.999, 999)
    assert weights[0] == pytest.approx(grid[int(np.argmax([nats(first) for first in grid]))], abs=1.1e-3)


def test_weights_need_a_sentence(models: list[BackOffModel]) -> None:
    with pytest.raises(ValueError, match="there is no sentence"):
        fitted_weights(models, [])
