"""Transcripts of two made-up systems, for the comparison of error counts and tests."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from parity import sctk

UTTERANCES, WORDS, VOCABULARY, SEED = 400, 15, 300, 1
RATES = {"first": 0.15, "second": 0.20}  # of words that an error touches


class Texts(NamedTuple):
    """One text per utterance."""

    references: list[str]
    systems: dict[str, list[str]]


@cache
def texts() -> Texts:
    """Words of Zipf's frequencies, then substitutions, deletions and insertions at random."""
    generator = np.random.default_rng(SEED)
    references = [" ".join(_words(generator, WORDS)) for _ in range(UTTERANCES)]
    systems = {name: [_heard(generator, text, rate) for text in references] for name, rate in RATES.items()}
    return Texts(references, systems)


def _words(generator: Generator, count: int) -> list[str]:
    return [f"w{number}" for number in generator.zipf(1.3, count).clip(max=VOCABULARY)]


def _heard(generator: Generator, text: str, rate: float) -> str:
    said: list[str] = []
    for word in text.split():
        draw = generator.random()
        if draw >= 0.8 * rate:
            said.append(word)
        elif draw < 0.6 * rate:
            said += _words(generator, 1)
        if generator.random() < 0.2 * rate:
            said += _words(generator, 1)
    return " ".join(said)


@cache
def report() -> str:
    """sclite's alignments of both systems."""
    return sctk.sgml(*texts())
