"""The token ids of the utterances of a split, made once for all who need them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lasasr.data.packed import PackedIds, Packing
from lasasr.errors import LasasrError


class Encodes(Protocol):
    """Turns text into token ids, without sos and eos."""

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, or a LasasrError."""
        ...

    def encode_inside(self, text: str) -> list[int]:
        """Ids of what of `text` is inside the vocabulary."""
        ...


_AT_ONCE: Final = 1 << 20  # tokens


@dataclass(frozen=True)
class Tokens:
    """Of N utterances."""

    ids: PackedIds  # without sos and eos, and without what is outside the vocabulary
    outside: NDArray[np.bool_]  # (N,) whether something is

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(N,) U of each utterance."""
        return self.ids.sizes

    def frames_needed(self) -> NDArray[np.int64]:
        """(N,) the encoded frames that CTC needs: U and one between equal neighbours (Graves et al. 2006, §3)."""
        values, ends, counts = self.ids.values, self.ids.ends, self.counts
        equal = (values[1:] == values[:-1]).nonzero()[0] + 1  # the places that hold what the place before them holds
        # the first of an utterance has no neighbour before it
        first, last = np.searchsorted(equal, ends - counts + 1), np.searchsorted(equal, ends)
        needed: NDArray[np.int64] = counts + np.maximum(last - first, 0)
        return needed

    def histogram(self, vocabulary_size: int) -> NDArray[np.int64]:
        """(V,) how often each token occurs."""
        counts = np.zeros(vocabulary_size, dtype=np.int64)
        for start in range(0, len(self.ids.values), _AT_ONCE):  # NumPy makes them eight bytes each
            counts += np.bincount(self.ids.values[start : start + _AT_ONCE], minlength=vocabulary_size)
        return counts


def encode(texts: Iterable[str], tokenizer: Encodes) -> Tokens:
    """The tokens of texts."""
    packing, outside = Packing(PackedIds), []
    for text in texts:
        try:
            ids = tokenizer.encode(text)
            outside.append(False)
        except LasasrError:
            ids = tokenizer.encode_inside(text)
            outside.append(True)
        packing.add(ids)
    return Tokens(packing.packed(), np.array(outside, dtype=np.bool_))
