"""A word n-gram written by hand, and what it says by the back-off rule in plain Python: a second truth beside KenLM."""

from __future__ import annotations

import math
import random

from lasasr.lm.ngram import WordModel

ARPA = """
\\data\\
ngram 1=7
ngram 2=5
ngram 3=2

\\1-grams:
-1.2	<unk>
-99	<s>	-0.4
-0.9	</s>
-0.6	a	-0.3
-0.8	ab	-0.2
-1.1	b	-0.1
-1.5	ba	0.0

\\2-grams:
-0.3	<s> a	-0.15
-0.5	a ab	-0.05
-0.7	ab </s>
-0.2	a b	-0.25
-0.9	b a

\\3-grams:
-0.1	<s> a ab
-0.4	a ab </s>

\\end\\
"""


def sentence(model: WordModel, text: str) -> float:
    """log p of a whole sentence, word by word."""
    total, context = 0.0, model.begin()
    for word in text.split():
        score, context = model.word(context, word)
        total += score
    return total + model.end(context)


def spelt(model: WordModel, text: str, unknown: float = 0.0, leading_space: bool = False) -> float:
    """log p of a text as its spaces cut it: an empty word costs what an unknown one does, and changes no context.

    Args:
        unknown: added for each word that the model lacks.
        leading_space: whether a space at the beginning cuts nothing.
    """
    total, context = 0.0, model.begin()
    for word in (text.removeprefix(" ") if leading_space else text).split(" ") if text else ():
        if word:
            score, context = model.word(context, word)
            total += score if model.has(word) else score + unknown
        else:
            total += model.word(context, "<unk>")[0] + unknown
    return total + model.end(context)


class ARPAModel:
    """log p(word | context) by the recursion of the ARPA format; a context is the tuple of all words so far."""

    def __init__(self, text: str = ARPA) -> None:
        self.table: dict[tuple[str, ...], tuple[float, float]] = {}
        for line in text.splitlines():
            fields = line.split("\t")
            if len(fields) >= 2:
                words = tuple(fields[1].split())
                self.table[words] = (float(fields[0]), float(fields[2]) if len(fields) > 2 else 0.0)
        self.order = text.count("\nngram ")  # of which the highest may be empty

    def begin(self) -> tuple[str, ...]:
        return ("<s>",)

    def word(self, context: tuple[str, ...], word: str) -> tuple[float, tuple[str, ...]]:
        known = word if (word,) in self.table else "<unk>"
        score = self._score(context[-(self.order - 1) :], known)
        return score * math.log(10.0), (*context, known)

    def has(self, word: str) -> bool:
        return (word,) in self.table

    def end(self, context: tuple[str, ...]) -> float:
        return self.word(context, "</s>")[0]

    def sentence(self, text: str) -> float:
        return sentence(self, text)

    def _score(self, context: tuple[str, ...], word: str) -> float:
        if (*context, word) in self.table:
            return self.table[(*context, word)][0]
        return self.table.get(context, (0.0, 0.0))[1] + self._score(context[1:], word)


def random_arpa(seed: int, pruned: bool = True) -> tuple[str, list[str]]:
    """A file of 2 to 5 orders, and its words; one in three has no <unk>, some back-off weights are above 0.

    Args:
        pruned: whether n-grams may lack their ends, as after pruning; of many such, KenLM reads no file.
    """
    chosen = random.Random(seed)
    spellings = ("".join(chosen.choices("abé'ж", k=chosen.randint(1, 4))) for _ in range(chosen.choice((4, 12, 40))))
    words = sorted(set(spellings))
    grams: list[tuple[str, ...]] = [(word,) for word in ("<unk>", "<s>", "</s>", *words)[seed % 3 == 0 :]]
    orders = [grams]
    for n in range(2, chosen.randint(3, 6)):
        longer = []
        for gram in grams:
            following = chosen.sample(words, min(len(words), chosen.randint(0, 6)))
            if gram[-1] not in ("<unk>", "</s>"):
                longer += [(*gram, word) for word in (*following, *["</s>"] * chosen.randint(0, 1))]
        there = set(grams)
        grams = [gram for gram in longer if pruned or n == 2 or gram[1:] in there][:300]
        orders.append(grams)
    lines = ["\\data\\", *(f"ngram {n}={len(grams)}" for n, grams in enumerate(orders, start=1)), ""]
    for n, grams in enumerate(orders, start=1):
        lines.append(f"\\{n}-grams:")
        for gram in grams:
            score = -99.0 if gram == ("<s>",) else -chosen.uniform(0.05, 4.0)
            back_off = f"\t{chosen.uniform(-1.5, 0.3):.5f}" if n < len(orders) and chosen.random() < 0.8 else ""
            lines.append(f"{score:.6f}\t{' '.join(gram)}{back_off}")
        lines.append("")
    return "\n".join((*lines, "\\end\\", "")), words


def random_sentences(seed: int, words: list[str], count: int = 40) -> list[str]:
    """Of words of a file and an unknown one, the first empty."""
    chosen = random.Random(seed)
    return [" ".join(chosen.choices((*words, "zzz"), k=length % 13)) for length in range(count)]
