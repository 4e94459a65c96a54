"""Sentences drawn from a phrase-structure grammar.

A grammar is text, one rule per line:

    NAME = word OTHER | OTHER? word *3      alternatives; `OTHER?` is there in one sentence of three; *3 is a weight
    NAME# = the NOUN#                       twice, with # read as S (singular) and as P (plural): agreement
    NOUN~ = dog/dogs box/boxes              a lexicon in pairs: NOUNS holds the first of each, NOUNP the second

Names are in capitals, words in a–z and the apostrophe. Sentences begin at S.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

FEWEST_WORDS, MOST_WORDS = 2, 12
_OPTIONAL_SHARE = 1 / 3
_WORD = re.compile(r"[a-z']+")


@dataclass(frozen=True)
class Alternative:
    """One right-hand side."""

    symbols: tuple[str, ...]
    weight: int


@dataclass(frozen=True)
class Grammar:
    """Rules by name."""

    rules: Mapping[str, tuple[Alternative, ...]]

    @classmethod
    def parse(cls, text: str) -> Grammar:
        """Read the notation above; a name with several rules has the alternatives of all.

        Raises:
            ValueError: a name is used but has no rule, or a word has other letters than a–z and the apostrophe.
        """
        rules: dict[str, tuple[Alternative, ...]] = {}
        for line in filter(None, map(str.strip, text.splitlines())):
            for name, alternatives in _rules(line):
                rules[name] = rules.get(name, ()) + alternatives
        grammar = cls(rules)
        grammar._check()
        return grammar

    def words(self) -> list[str]:
        """The vocabulary, sorted."""
        symbols = (symbol for rule in self.rules.values() for alternative in rule for symbol in alternative.symbols)
        return sorted({symbol for symbol in symbols if symbol.islower()})

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any rule."""
        return hashlib.sha256(repr(self.rules).encode()).hexdigest()[:12]

    def sentence(self, rng: random.Random, fewest_words: int = FEWEST_WORDS) -> list[str]:
        """Draw a sentence of `fewest_words` to 12 words; `fewest_words` is at most what the longest sentences have."""
        while True:
            words = self._expand("S", rng)
            if fewest_words <= len(words) <= MOST_WORDS:
                return words

    def _expand(self, symbol: str, rng: random.Random) -> list[str]:
        if symbol[0].islower():
            return [symbol]
        if symbol.endswith("?"):
            return self._expand(symbol[:-1], rng) if rng.random() < _OPTIONAL_SHARE else []
        rule = self.rules[symbol]
        (chosen,) = rng.choices(rule, [alternative.weight for alternative in rule])
        return [word for part in chosen.symbols for word in self._expand(part, rng)]

    def _check(self) -> None:
        for name, rule in self.rules.items():
            for symbol in (symbol for alternative in rule for symbol in alternative.symbols):
                if not (symbol.removesuffix("?") in self.rules or _WORD.fullmatch(symbol)):
                    raise ValueError(f"{symbol!r} in the rule of {name} is neither a name with a rule nor a word")


def _rules(line: str) -> list[tuple[str, tuple[Alternative, ...]]]:
    name, _, body = (part.strip() for part in line.partition("="))
    if name.endswith("~"):
        pairs = [pair.split("/") for pair in body.split()]
        return [
            (name[:-1] + number, tuple(Alternative((pair[i],), 1) for pair in pairs)) for i, number in enumerate("SP")
        ]
    if "#" in line:
        return [rule for number in "SP" for rule in _rules(line.replace("#", number))]
    return [(name, tuple(_alternative(part) for part in body.split("|")))]


def _alternative(text: str) -> Alternative:
    symbols, _, weight = text.partition("*")
    return Alternative(tuple(symbols.split()), int(weight or 1))
