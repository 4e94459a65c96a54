"""Word n-grams as an ARPA file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.artifacts import files

_NEVER: Final = -99.0  # log10, how files write the probability of <s>


class Order(NamedTuple):
    """All n-grams of one length n; R of them."""

    words: NDArray[np.int64]  # (R, n)
    probability: NDArray[np.float64]  # (R,) of the last word after the others
    back_off: NDArray[np.float64]  # (R,) a factor, for what did not follow these n words


class Ngrams(NamedTuple):
    """A model."""

    vocabulary: Sequence[str]  # the text of each id
    orders: Sequence[Order]  # n = 1, 2, ...; of the unigrams one for each of the vocabulary


def write(path: Path, model: Ngrams) -> None:
    """As an ARPA file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with files.replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in arpa_lines(model))


def arpa_lines(model: Ngrams) -> Iterator[str]:
    """The file."""
    yield "\\data\\"
    yield from (f"ngram {n}={len(order.words)}" for n, order in enumerate(model.orders, start=1))
    for n, order in enumerate(model.orders, start=1):
        yield from ("", f"\\{n}-grams:")
        with np.errstate(divide="ignore"):
            logs, back_offs = np.log10(order.probability), np.log10(order.back_off)
        logs = np.maximum(logs, _NEVER)
        highest = n == len(model.orders)
        for gram, log, back_off in zip(order.words.tolist(), logs.tolist(), back_offs.tolist(), strict=True):
            spelt = " ".join(model.vocabulary[word] for word in gram)
            yield f"{log:.7g}\t{spelt}" if highest else f"{log:.7g}\t{spelt}\t{back_off:.7g}"
    yield from ("", "\\end\\")
