"""Hot words: phrases that are likely to be said, such as names, are favoured while searching (contextual biasing)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lasasr.artifacts.files import read_bounded
from lasasr.errors import LasasrError, looked_up
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scored, Scorer, Stateless, StepContext
from lasasr.search.context_graph import ContextGraph
from lasasr.text import special

BOOST = 1.0  # log, of a phrase without one of its own


class HotWordsState(NamedTuple):
    """How far each hypothesis has come in the phrases."""

    node: Tensor  # (B, K) int64, before the last token


class HotWords(Scorer):
    """The boosts of the phrases that occur in a hypothesis as whole words, however its tokens cut them.

    A phrase that has begun has got a part of its boost already; what is not finished gives it back
    (`search/context_graph.py`).

    Args:
        phrases: as transcripts have them; a list, or a mapping to a boost of its own.
        file: a phrase per line, perhaps a tab and its boost.
        boost: of phrases without one, log.
        pieces: (V,) the text of every token, a blank at the beginning of those that begin a word; the search adds it.

    Raises:
        ValueError: there is no phrase, one cannot be spelt with the tokens, or a boost is no finite number.
        LasasrError: the file is missing, no text, or a line of it is neither.
    """

    name = "hotwords"

    def __init__(
        self,
        *,
        pieces: Sequence[str],
        phrases: Sequence[str] | Mapping[str, float] = (),
        file: str | None = None,
        boost: float = BOOST,
        weight: float | None = None,
    ) -> None:
        boosts = dict(phrases) if isinstance(phrases, Mapping) else dict.fromkeys(phrases, boost)
        boosts |= {} if file is None else read_phrases(Path(file), boost)
        if not boosts:
            raise ValueError("no hot word is named; set phrases=[...] or file")
        text = list(pieces[special.FIRST_TEXT :])
        _refuse_odd(boosts, set("".join(text)) | {" "})
        self.weight = weight
        steps = ContextGraph(boosts).steps(["" for _ in special.NAMES] + text)
        steps.worth[:, special.EOS] = steps.ending
        self._to, self._worth = torch.from_numpy(steps.to), torch.from_numpy(steps.worth)
        self._start, self._most = steps.start, max(0.0, float(steps.worth.max()))

    def start(self, acoustics: Acoustics, hypotheses: int) -> tuple[Any, Any]:
        device = acoustics.encoded.device
        self._to, self._worth = self._to.to(device), self._worth.to(device)
        return Stateless(), HotWordsState(
            torch.full((len(acoustics.mask), hypotheses), self._start, dtype=torch.int64, device=device)
        )

    def score(self, tokens: Tensor, memory: Any, state: HotWordsState, context: StepContext) -> Scored:
        node = self._to[state.node, tokens]  # special tokens, sos at first, lead nowhere
        return Scored(self._worth[node], HotWordsState(node))

    def most_left(self, so_far: Tensor, left: Tensor, frames: Tensor) -> Tensor:
        return self._most * left


def read_phrases(file: Path, boost: float = BOOST) -> dict[str, float]:
    """The phrases of a file with their boosts, that of lines without one being `boost`.

    Raises:
        LasasrError: it is missing, no UTF-8 text or without a phrase, or a boost is no number; names the line.
    """
    try:
        lines = read_bounded(file).decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise LasasrError(f"hot words {file} is missing{looked_up(file)}") from None
    except UnicodeDecodeError as error:
        raise LasasrError(f"hot words {file} is no UTF-8 text ({error.reason} at byte {error.start})") from None
    phrases = phrases_of(lines, str(file), boost)
    if not phrases:
        raise LasasrError(f"hot words {file} holds no phrase; write one per line")
    return phrases


def phrases_of(lines: Iterable[str], source: str, boost: float = BOOST) -> dict[str, float]:
    """The same of lines that come from `source`, which errors name.

    Raises:
        LasasrError: a boost is no number.
    """
    phrases: dict[str, float] = {}
    for number, line in enumerate(lines, start=1):
        phrase, tab, own = line.partition("\t")
        if not phrase.strip():
            continue
        try:
            phrases[phrase.strip()] = float(own) if tab else boost
        except ValueError:
            raise LasasrError(f"{source}, line {number}: boost {own!r} of {phrase!r} is not a number") from None
        if not math.isfinite(phrases[phrase.strip()]):
            raise LasasrError(f"{source}, line {number}: boost {own!r} of {phrase!r} is not finite")
    return phrases


def _refuse_odd(boosts: Mapping[str, float], spelt: set[str]) -> None:
    for phrase, boost in boosts.items():
        if isinstance(boost, bool) or not isinstance(boost, int | float) or not math.isfinite(boost):
            raise ValueError(f"the boost of {phrase!r} must be a finite number, got {boost!r}")
        if odd := [character for character in phrase if character not in spelt]:
            raise ValueError(f"phrase {phrase!r}: no token has {odd[0]!r}; write it as transcripts are written")
