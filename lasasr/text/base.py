"""The contract of a tokenizer: text to ids and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Self

from lasasr.configuration.configurable import configurable
from lasasr.errors import LasasrError, UsageError


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

    def grown(self, transcripts: Iterable[str]) -> Self:
        """A tokenizer that also has the characters of `transcripts`; ids that were there stay what they are.

        Raises:
            UsageError: this kind of tokenizer has a fixed vocabulary.
        """
        raise UsageError(f"tokenizer=grown: the vocabulary of a {type(self).__name__} is fixed; take tokenizer=of_run")

    def outside(self, text: str) -> list[str]:
        """What of `text` is outside the vocabulary, in order: characters, or phones; empty where `encode` takes it."""
        return [] if self._encodes(text) else [sign for sign in text if not self._encodes(sign)]

    def encode_inside(self, text: str) -> list[int]:
        """Ids of `text` without what is outside the vocabulary: of references that are scored, not trained on."""
        outside = set(self.outside(text))
        return self.encode("".join(sign for sign in text if sign not in outside) if outside else text)

    def _encodes(self, text: str) -> bool:
        try:
            self.encode(text)
        except LasasrError:
            return False
        return True

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
