"""The contract of a tokenizer: text to ids and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Self

from lasasr.configuration.configurable import configurable


class Tokenizer(ABC):
    """Text ↔ ids; ids 0..3 are those of `lasasr.text.special`, text begins at `special.FIRST_TEXT`.

    A tokenizer is learnt once from the training transcripts (`train`), saved into a folder (`save`) and read back
    (`load`, which never executes code from the folder). It is given text that went through the corpus's transcript
    rule.
    """

    unit: ClassVar[str] = "word"  # what separates error units in `decode`d text: "word" (WER) or "phone" (PER)

    tokens: Sequence[str]  # the printable name of every id, special ones included; its length is the vocabulary size

    @property
    def vocabulary_size(self) -> int:
        """V, the four special ids included."""
        return len(self.tokens)

    @classmethod
    @abstractmethod
    @configurable("tokenizer")
    def train(cls, transcripts: Iterable[str]) -> Self:
        """Learn the vocabulary from normalised training transcripts (options are further keyword arguments)."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Ids of `text`, without sos and eos.

        Raises:
            LasasrError: a character (or phone) is outside the vocabulary; the message names it.
        """

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`; special ids are passed over."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what `load` needs into `folder`: `tokenizer.json` and, where there is one, a model file."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            LasasrError: a file is missing or damaged.
        """
