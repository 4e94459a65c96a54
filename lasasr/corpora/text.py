"""One's own text: files or folders of sentences or of prose."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from lasasr.artifacts import files
from lasasr.corpora.base import TextCorpus
from lasasr.corpora.prose import paragraphs, split_sentences
from lasasr.errors import LasasrError, UsageError, looked_up, nearest
from lasasr.text.dictionary import Dictionary, spoken
from lasasr.text.dictionary import read as read_dictionary
from lasasr.text.transcript import rule

Layout = Literal["lines", "prose"]
_SUFFIXES = (".txt", ".txt.gz")


class PlainText(TextCorpus):
    """Plain text in UTF-8, `.txt` or `.txt.gz`; see configs/corpus/text.yaml.

    Args:
        train, dev, test: a file, a folder (all .txt and .txt.gz in it and below it) or a list of these; `test` may be
            absent. A file of dev or test that also lies in train's folder is left out of train.
        layout: "lines", one sentence per line, or "prose", paragraphs between blank lines.
        most_words: longer sentences of prose are cut into pieces.
        transcript: name of the transcript rule.
        dictionary: a pronunciation dictionary (`text/dictionary.py`): the sentences become phones, cut at words that
            it lacks; None: they stay words.

    Raises:
        UsageError: an unknown layout or transcript rule, or most_words below 1.
    """

    name: ClassVar[str] = "text"

    def __init__(
        self,
        train: str | Sequence[str] | None,
        dev: str | Sequence[str] | None,
        test: str | Sequence[str] | None = None,
        layout: Layout = "lines",
        most_words: int = 40,
        transcript: str = "english",
        dictionary: str | None = None,
    ) -> None:
        if layout not in get_args(Layout):
            raise UsageError(f"corpus.layout={layout} is unknown; {nearest(layout, get_args(Layout))}")
        if most_words < 1:
            raise UsageError(f"corpus.most_words must be at least 1, got {most_words}")
        self.paths = {"train": train, "dev": dev, "test": test}
        self.layout, self.most_words = layout, most_words
        self.transcript = transcript if dictionary is None else "phones"
        self._words = rule(transcript)  # the rule that makes the dictionary's words of the text
        self.dictionary = None if dictionary is None else files.expanded(dictionary)

    def split_names(self) -> Sequence[str]:
        """See `Source`."""
        return [split for split, paths in self.paths.items() if paths]

    def identity(self) -> Mapping[str, Any]:
        """Includes what the files hold, so that edited text is another corpus."""
        texts = {split: {str(path): digest(path) for path in paths} for split, paths in self._files().items()}
        as_phones = {}
        if self.dictionary is not None:
            if not self.dictionary.is_file():
                raise LasasrError(f"corpus.dictionary: {self.dictionary} is missing{looked_up(self.dictionary)}")
            as_phones = {"dictionary": digest(self.dictionary), "words": str(self._words)}
        return {"files": texts, "layout": self.layout, "most_words": self.most_words, **as_phones}

    def splits(self) -> Mapping[str, Callable[[], Iterator[str]]]:
        read_texts = self._sentences if self.dictionary is None else self._phones
        return {split: partial(read_texts, paths) for split, paths in self._files().items()}

    def _phones(self, paths: Sequence[Path]) -> Iterator[str]:
        for sentence in self._sentences(paths):
            yield from spoken(self._words(sentence).split(), self._pronounced)

    @cached_property
    def _pronounced(self) -> Dictionary:
        assert self.dictionary is not None
        return read_dictionary(self.dictionary)

    def _files(self) -> dict[str, list[Path]]:
        files_of: dict[str, list[Path]] = {}
        for split in ("test", "dev", "train"):
            if not self.paths[split]:
                if split != "test":
                    raise UsageError(
                        f"corpus.{split} is not set: corpus=text needs corpus.{split}=FILE.txt or a folder"
                    )
                continue
            held_out = {path for paths in files_of.values() for path in paths}
            files_of[split] = [path for path in self._listed(split) if path not in held_out]
            if not files_of[split]:
                raise LasasrError(f"corpus.{split}={self.paths[split]} holds only files that are dev or test as well")
        return files_of

    def _listed(self, split: str) -> list[Path]:
        paths = self.paths[split]
        assert paths is not None
        roots = [paths] if isinstance(paths, str) else list(paths)
        return [path for root in roots for path in text_files(files.expanded(root), f"corpus.{split}")]

    def _sentences(self, paths: Sequence[Path]) -> Iterator[str]:
        return sentences(paths, self.layout, self.most_words)


def sentences(paths: Sequence[Path], layout: Layout, most_words: int) -> Iterator[str]:
    """The sentences of text files, as they are written; see `PlainText`.

    Raises:
        LasasrError: a file cannot be read.
    """
    for path in paths:
        if layout == "lines":
            yield from lines(path)
        else:
            for paragraph in paragraphs(lines(path)):
                yield from split_sentences(paragraph, most_words)


def text_files(root: Path, key: str) -> list[Path]:
    """A text file itself; of a folder all .txt and .txt.gz in it and below it.

    Args:
        key: what names it, for the error.

    Raises:
        LasasrError: it is missing, or a folder without text.
    """
    if root.is_dir():
        texts = sorted(path for path in root.resolve().rglob("*") if path.name.endswith(_SUFFIXES) and path.is_file())
        if not texts:
            raise LasasrError(f"{key}: the folder {root} holds no .txt or .txt.gz")
        return texts
    if not root.is_file():
        raise LasasrError(f"{key}: {root} is missing{looked_up(root)}")
    return [root.resolve()]


def lines(path: Path) -> Iterator[str]:
    """The lines of a text file, plain or gzip, without their ends.

    Raises:
        LasasrError: it is missing, no gzip though it is called so, or not UTF-8.
    """
    try:
        for line in files.lines(path):
            yield line.rstrip("\r\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise LasasrError(f"{path} cannot be read as text: {' '.join(str(error).split())}") from None


def digest(path: Path) -> str:
    """Twelve hexadecimal digits over the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
