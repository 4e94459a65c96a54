"""One token per character, as in Chan et al. 2016 (§2.2: letters, digits, space and punctuation)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from lasasr.text.symbols import SymbolTokenizer


class CharacterTokenizer(SymbolTokenizer):
    """Text ↔ one id per character (Unicode code point); the space between words is a token, printed "▁"."""

    symbol = "character"

    def grown(self, transcripts: Iterable[str]) -> Self:
        """With the characters of `transcripts` that are new after the others, sorted by code point."""
        occurring = {character for text in transcripts for character in text}
        return type(self)((*self.symbols, *sorted(occurring.difference(self.symbols))))

    @classmethod
    def split(cls, text: str) -> list[str]:
        """The characters of `text`."""
        return list(text)

    @classmethod
    def join(cls, symbols: Sequence[str]) -> str:
        """The characters, one after another."""
        return "".join(symbols)

    @classmethod
    def printed(cls, symbol: str) -> str:
        """The character itself, a space as "▁"."""
        return "▁" if symbol == " " else symbol
