"""A word n-gram written by hand, and what it says by the back-off rule in plain Python: a second truth beside KenLM."""

from __future__ import annotations

import math

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
        self.order = max(map(len, self.table))

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
