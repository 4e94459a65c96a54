"""The language-model text of LibriSpeech (www.openslr.org/11: 800 M words of books that are not in dev and test)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from lasasr.artifacts.files import expanded
from lasasr.corpora.base import TextCorpus
from lasasr.corpora.text import digest, lines
from lasasr.errors import LasasrError, looked_up

_FILES = ("librispeech-lm-norm.txt", "librispeech-lm-norm.txt.gz")


class LibriSpeechText(TextCorpus):
    """librispeech-lm-norm.txt(.gz), one sentence in capitals per line, as train; transcripts as the rest.

    Args:
        root: the folder that holds the text, LibriSpeech/, or both.
        dev: original splits of LibriSpeech whose transcripts make up "dev".
        test: ... "test"; may be empty.
        transcripts: original splits whose transcripts are added to train.
    """

    name: ClassVar[str] = "librispeech_text"
    transcript = "librispeech"

    def __init__(
        self,
        root: str,
        dev: Sequence[str] = ("dev-clean", "dev-other"),
        test: Sequence[str] = (),
        transcripts: Sequence[str] = (),
    ) -> None:
        self.root = expanded(root)
        self.originals = {"train": list(transcripts), "dev": list(dev), "test": list(test)}

    def split_names(self) -> Sequence[str]:
        """See `Source`."""
        return [split for split, names in self.originals.items() if names or split == "train"]

    def identity(self) -> Mapping[str, Any]:
        """Includes what the files hold."""
        return {
            "text": digest(self._text()),
            "transcripts": {
                split: [[path.name, digest(path)] for path in self._transcripts(split)] for split in self.originals
            },
        }

    def splits(self) -> Mapping[str, Callable[[], Iterator[str]]]:
        if not self.originals["dev"]:
            raise LasasrError("corpus.dev names no split of LibriSpeech, so there is nothing to validate on")
        return {split: partial(self._sentences, split) for split in self.split_names()}

    def _sentences(self, split: str) -> Iterator[str]:
        for path in self._transcripts(split):
            for line in lines(path):
                yield line.partition(" ")[2]
        if split == "train":
            yield from lines(self._text())

    def _text(self) -> Path:
        candidates = [folder / name for folder in (self.root, self.root / "LibriSpeech") for name in _FILES]
        if text := next((path for path in candidates if path.is_file()), None):
            return text
        raise LasasrError(
            f"there is no {_FILES[1]} in {self.root}: download it from www.openslr.org/11, or set "
            f"corpus.root{looked_up(self.root)}"
        )

    def _transcripts(self, split: str) -> list[Path]:
        folder = self.root / "LibriSpeech" if (self.root / "LibriSpeech").is_dir() else self.root
        transcripts = {name: sorted((folder / name).glob("*/*/*.trans.txt")) for name in self.originals[split]}
        if absent := [name for name, paths in transcripts.items() if not paths]:
            raise LasasrError(f"{folder} does not hold the transcripts of {', '.join(absent)}")
        return [path for paths in transcripts.values() for path in paths]
