"""Perplexity of a text: one sum of nats, divided by the number of tokens, words or characters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

_MOST_NATS = 700.0  # exp of more is no float


@dataclass(frozen=True)
class Perplexity:
    """Counts over the sentences of a split. The end of a sentence counts as one token, one word and one character.

    Perplexity per token compares models of one tokenizer; per word or per character, models of different tokenizers,
    because all of them spread the same nats over the same text.
    """

    nats: float  # −log p of all sentences with their ends
    tokens: int  # without ends
    words: int
    characters: int  # spaces between words among them
    sentences: int

    @property
    def per_token(self) -> float:
        """exp(nats / (tokens + sentences))."""
        return self._per(self.tokens)

    @property
    def per_word(self) -> float:
        """exp(nats / (words + sentences))."""
        return self._per(self.words)

    @property
    def per_character(self) -> float:
        """exp(nats / (characters + sentences))."""
        return self._per(self.characters)

    def _per(self, units: int) -> float:
        return math.exp(min(_MOST_NATS, self.nats / max(1, units + self.sentences)))

    def record(self) -> dict[str, Any]:
        """As it stands in perplexity.json and in the card."""
        return {
            "metric": "perplexity",
            "per_token": self.per_token,
            "per_word": self.per_word,
            "per_character": self.per_character,
            "bits_per_character": math.log2(self.per_character),
            "nats": self.nats,
            "tokens": self.tokens,
            "words": self.words,
            "characters": self.characters,
            "sentences": self.sentences,
        }
