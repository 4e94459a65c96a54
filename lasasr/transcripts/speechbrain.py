"""SpeechBrain's reports of alignments (wer_test.txt): references and hypotheses, word by word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lasasr.artifacts import files
from lasasr.errors import LasasrError
from lasasr.transcripts.base import Collected, Texts, Transcripts

RULE: Final = "=" * 80
EMPTY: Final = "<eps>"


def read(path: Path) -> Transcripts:
    """A report; utterances without a hypothesis do not stand in it.

    Raises:
        LasasrError: it is damaged; names file and line.
    """
    collected = Collected(path)
    references: Texts = {}
    hypotheses: Texts = {}
    for number, (header, reference, _, hypothesis) in _blocks(path):
        key = collected.new(header.rpartition(", %WER ")[0], number)
        references[key], hypotheses[key] = _words(reference), _words(hypothesis)
    return Transcripts(path, references=references, hypotheses=hypotheses)


def _blocks(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each utterance: the number of its first line, and its four lines."""
    try:
        lines = [line.rstrip("\r\n") for line in files.lines(path)]
    except UnicodeDecodeError as error:
        raise LasasrError(f"{path}: it is not UTF-8 ({error.reason})") from None
    starts = [index + 1 for index, line in enumerate(lines) if line == RULE]
    for start, end in zip(starts, [*(start - 1 for start in starts[1:]), len(lines)], strict=True):
        if not lines[start:end] or lines[start] == "ALIGNMENTS":
            continue
        block = lines[start:end]
        if len(block) != 4 or ", %WER " not in block[0]:
            raise LasasrError(f"{path}, line {start + 1}: no utterance of SpeechBrain's alignments, of four lines")
        yield start + 1, block


def _words(line: str) -> str:
    words = [word.strip() for word in line.split(" ; ")]
    return " ".join(word for word in words if word and word != EMPTY)
