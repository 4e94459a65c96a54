"""What is done to references and hypotheses before errors are counted, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Final

from lasasr.errors import LasasrError, UsageError, nearest
from lasasr.text import transcript

WHISPER: Final = "whisper"
NAMES: Final = ("none", "english", "librispeech", "phones", "timit61", "timit48", "timit39", WHISPER)


@dataclass(frozen=True)
class TextNormalizer:
    """A function on texts with its name and version."""

    name: str
    function: Callable[[str], str]

    def __call__(self, text: str) -> str:
        """`text` after it."""
        return self.function(text)

    def __str__(self) -> str:
        """As results name it: "english/1"."""
        return self.name


def normalizer(name: str) -> TextNormalizer:
    """The normalizer called `name`: a transcript rule of the toolkit, as it is scored, or Whisper's for English.

    Raises:
        UsageError: there is none of that name.
        LasasrError: its package is not installed.
    """
    if name not in NAMES:
        raise UsageError(f"--normalizer {name}: {nearest(name, NAMES, most=len(NAMES))}")
    if name == WHISPER:
        return _whisper()
    rule = transcript.rule(name)
    return TextNormalizer(str(rule), lambda text: rule.scored(rule(text)))


def _whisper() -> TextNormalizer:
    try:
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError:
        raise LasasrError(
            "--normalizer whisper needs the package whisper-normalizer: pip install 'lasasr[whisper]'"
        ) from None
    version = metadata.version("whisper-normalizer")
    return TextNormalizer(f"whisper-english (whisper-normalizer {version})", EnglishTextNormalizer())
