"""A split of text as token ids in one flat file, so that more sentences than fit in memory can be trained on."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils.rnn import pad_sequence

from lasasr.artifacts import files
from lasasr.configuration.configurable import configurable
from lasasr.data.batch import Batch, Measured
from lasasr.data.sampler import Batching, Request
from lasasr.data.tokens import Encodes
from lasasr.errors import LasasrError
from lasasr.text import special

_ID = np.uint32


@configurable("batching")
def token_batching(max_sentences: int, batch_tokens: int, buckets: int = 20) -> Batching:
    """Batches of at most so many sentences and so many padded tokens; see `Batching`, whose seconds are tokens here."""
    return Batching(max_sentences, float(batch_tokens), buckets)


@dataclass
class TextCounts:
    """What a split holds."""

    sentences: int = 0
    words: int = 0
    characters: int = 0
    left_out: int = 0  # sentences with a character outside the vocabulary
    first_left_out: str = ""  # what is wrong with the first of them


@dataclass(frozen=True)
class Sentences:
    """N encoded sentences; ids are read from disk on access."""

    tokens: NDArray[np.uint32]  # of all sentences, one after another, without sos and eos
    ends: NDArray[np.int64]  # (N,) where each sentence ends in `tokens`
    counts: TextCounts

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def lengths(self) -> NDArray[np.float64]:
        """(N,) tokens of each sentence, eos counted."""
        return np.diff(self.ends, prepend=0).astype(np.float64) + 1.0

    def ids(self, index: int) -> NDArray[np.int64]:
        """The token ids of one sentence."""
        start = int(self.ends[index - 1]) if index else 0
        return self.tokens[start : int(self.ends[index])].astype(np.int64)


class TextDataset(Measured):
    """The sentences of a split; its items are whole batches, whose waveforms are empty."""

    def __init__(self, sentences: Sentences) -> None:
        self.sentences = sentences

    def __len__(self) -> int:
        """Sentences."""
        return len(self.sentences)

    @property
    def durations_s(self) -> NDArray[np.float64]:
        """(N,) tokens of each sentence, eos counted."""
        return self.sentences.lengths

    def __getitem__(self, request: Request) -> Batch:
        """One batch."""
        tokens = [torch.from_numpy(self.sentences.ids(index)) for index in request.indices]
        sizes = torch.tensor([len(ids) for ids in tokens])
        none = ("",) * len(tokens)
        return Batch(
            ids=tuple(map(str, request.indices)),
            speakers=none,
            texts=none,
            waveforms=torch.zeros(len(tokens), 0),
            waveform_lengths=torch.zeros_like(sizes),
            tokens=pad_sequence(tokens, batch_first=True, padding_value=special.PAD),
            token_lengths=sizes,
            epoch=request.epoch,
        )


def encode_split(texts: Iterable[str], tokenizer: Encodes, path: Path) -> None:
    """Write `<path>.ids`, `<path>.ends.npy` and, last, `<path>.json`.

    A sentence with a character outside the vocabulary is left out and counted.

    Raises:
        LasasrError: nothing is left, or more is left out than taken.
    """
    ends, total, counts = array("q"), 0, TextCounts()
    with files.replacing(path.with_suffix(".ids")) as temporary, temporary.open("wb") as out:
        for text in texts:
            try:
                ids = tokenizer.encode(text)
            except LasasrError as error:
                counts.left_out += 1
                counts.first_left_out = counts.first_left_out or str(error)
                continue
            out.write(np.asarray(ids, dtype=_ID).tobytes())
            total += len(ids)
            ends.append(total)
            counts.sentences += 1
            counts.words += len(text.split())
            counts.characters += len(text)
    if counts.left_out > counts.sentences:
        raise LasasrError(
            f"{path.name}: {counts.left_out} of {counts.left_out + counts.sentences} sentences hold what is outside "
            f"the vocabulary; the first: {counts.first_left_out}"
        )
    if not ends:
        raise LasasrError(f"{path.name}: the corpus holds no sentence")
    with files.replacing(path.with_suffix(".ends.npy")) as temporary, temporary.open("wb") as out:
        np.save(out, np.asarray(ends, dtype=np.int64))
    files.write_json(path.with_suffix(".json"), asdict(counts))


def load_split(path: Path) -> Sentences:
    """Read what `encode_split` wrote.

    Raises:
        LasasrError: a file is missing or damaged.
    """
    counts = TextCounts(**files.read_json(path.with_suffix(".json")))
    try:
        ends = np.load(path.with_suffix(".ends.npy"), mmap_mode="r")
        tokens = np.memmap(path.with_suffix(".ids"), dtype=_ID, mode="r")
    except (OSError, ValueError) as error:
        raise LasasrError(f"{path.with_suffix('.ids')} is damaged ({error}); delete {path.parent}") from None
    if len(ends) != counts.sentences or len(tokens) != ends[-1]:
        raise LasasrError(f"{path.with_suffix('.ids')} is not what {path.name}.json says; delete {path.parent}")
    return Sentences(tokens, ends, counts)
