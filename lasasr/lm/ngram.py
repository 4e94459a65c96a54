"""Word n-grams, read by KenLM (Heafield 2011) from an ARPA file or its own binary format."""

from __future__ import annotations

import importlib
import math
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Protocol

from lasasr.errors import LasasrError

_BINARY = b"mmap lm http://kheafield.com/code"  # how KenLM's binary files begin


class WordModel(Protocol):
    """log p of a word after a context; a context is a value of the model's own."""

    def begin(self) -> Hashable:
        """The context at the beginning of a sentence."""
        ...

    def word(self, context: Any, word: str) -> tuple[float, Hashable]:
        """log p(word | context) in nats, of an unknown one for <unk>; and the context after it."""
        ...

    def end(self, context: Any) -> float:
        """log p(end of sentence | context) in nats."""
        ...

    def has(self, word: str) -> bool:
        """Whether the model has it; any other gets the score of its <unk>."""
        ...


def is_binary(path: Path) -> bool:
    """Whether a file is in KenLM's own format.

    Raises:
        LasasrError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(_BINARY)) == _BINARY
    except OSError as error:
        raise LasasrError(f"{path} cannot be read: {error.strerror}") from None


class KenLM:
    """An n-gram file through KenLM's Python module, an optional extra because it needs a compiler.

    Transcripts of this toolkit are in lower case. Where the file has THE but not the (LibriSpeech's n-grams are so),
    words are looked up in capitals. A word that it does not have gets the score of its <unk>.

    Args:
        path: ARPA (plain or .gz) or KenLM binary.

    Raises:
        LasasrError: KenLM is not installed, or cannot read the file.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._kenlm: Any = importlib.import_module("kenlm")
        except ImportError:
            raise LasasrError(
                f"{path} is read by KenLM, which is not installed: pip install 'lasasr[kenlm]' (needs a C++ compiler)"
            ) from None
        try:
            self._model = self._kenlm.Model(str(path), self._config())
        except (OSError, RuntimeError, UnicodeDecodeError) as error:  # the last where it quotes damaged bytes
            raise LasasrError(f"{path} is no n-gram file that KenLM reads: {' '.join(str(error).split())}") from None
        self._capitals = "THE" in self._model and "the" not in self._model

    def _config(self) -> Any:
        config = self._kenlm.Config()
        config.show_progress = False
        config.arpa_complain = self._kenlm.ARPALoadComplain.NONE
        return config

    def begin(self) -> Hashable:
        """The context at the beginning of a sentence."""
        context: Hashable = self._kenlm.State()
        self._model.BeginSentenceWrite(context)
        return context

    def word(self, context: Any, word: str) -> tuple[float, Hashable]:
        """log p(word | context) in nats, and the context after it."""
        after: Hashable = self._kenlm.State()
        score = self._model.BaseScore(context, self._spelt(word), after)
        return score * math.log(10.0), after

    def has(self, word: str) -> bool:
        """Whether the model has it."""
        return self._spelt(word) in self._model

    def _spelt(self, word: str) -> str:
        return word.upper() if self._capitals else word

    def end(self, context: Any) -> float:
        """log p(end of sentence | context) in nats."""
        return float(self._model.BaseScore(context, "</s>", self._kenlm.State()) * math.log(10.0))
