"""Tokenizers whose token is one symbol of the transcript: what characters and phones have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Self

from lasasr.errors import LasasrError
from lasasr.text import special, storage
from lasasr.text.base import Tokenizer


class SymbolTokenizer(Tokenizer):
    """A table of symbols; symbol i has id `special.FIRST_TEXT` + i."""

    symbol: ClassVar[str]  # what an error message calls one: "character", "phone"

    def __init__(self, symbols: Sequence[str]) -> None:
        """Take the table as it is.

        Raises:
            ValueError: a symbol occurs twice, or is not one symbol.
        """
        for symbol in symbols:
            if not isinstance(symbol, str) or self.split(symbol) != [symbol]:
                raise ValueError(f"{symbol!r} is not one {self.symbol}")
        self.symbols = tuple(symbols)
        self._ids = {symbol: special.FIRST_TEXT + i for i, symbol in enumerate(self.symbols)}
        if len(self._ids) != len(self.symbols):
            raise ValueError(f"a {self.symbol} occurs twice in {' '.join(self.symbols)!r}")
        self.tokens = (*special.NAMES, *(self.printed(symbol) for symbol in self.symbols))

    @classmethod
    @abstractmethod
    def split(cls, text: str) -> list[str]:
        """The symbols of `text`, in order."""

    @classmethod
    @abstractmethod
    def join(cls, symbols: Sequence[str]) -> str:
        """The text of `symbols`."""

    @classmethod
    def printed(cls, symbol: str) -> str:
        """How `symbol` is shown in figures and tables."""
        return symbol

    @classmethod
    def train(cls, transcripts: Iterable[str]) -> Self:
        """The symbols that occur in `transcripts`, sorted by code point.

        Raises:
            LasasrError: `transcripts` hold no symbol.
        """
        occurring = {symbol for text in transcripts for symbol in cls.split(text)}
        if not occurring:
            raise LasasrError(f"the training transcripts hold no {cls.symbol}, so there is no vocabulary to learn")
        return cls(sorted(occurring))

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, one per symbol, without sos and eos.

        Raises:
            LasasrError: a symbol is outside the vocabulary.
        """
        try:
            return [self._ids[symbol] for symbol in self.split(text)]
        except KeyError as error:
            vocabulary = " ".join(self.tokens[special.FIRST_TEXT :])
            raise LasasrError(
                f"{self.symbol} {error.args[0]!r} in {text!r} is not in the vocabulary ({vocabulary}); "
                "choose a transcript rule that maps it, or train the tokenizer on text that has it "
                "(with adapt=, tokenizer=grown adds it)"
            ) from None

    def outside(self, text: str) -> list[str]:
        """The symbols of `text` outside the vocabulary, in order."""
        return [symbol for symbol in self.split(text) if symbol not in self._ids]

    def encode_inside(self, text: str) -> list[int]:
        """Ids of the symbols of `text` that are in the vocabulary."""
        return [self._ids[symbol] for symbol in self.split(text) if symbol in self._ids]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`; special ids are passed over."""
        return self.join([self.symbols[i - special.FIRST_TEXT] for i in ids if i >= special.FIRST_TEXT])

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` into `folder`."""
        storage.write(folder, self, {"symbols": list(self.symbols)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            LasasrError: `tokenizer.json` is missing or damaged.
        """
        symbols = storage.read(folder, cls).get("symbols")
        if not isinstance(symbols, list):
            raise storage.damaged(folder, "it holds no list of symbols")
        try:
            return cls(symbols)
        except ValueError as error:
            raise storage.damaged(folder, error) from None
