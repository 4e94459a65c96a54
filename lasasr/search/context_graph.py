"""Phrases as one automaton over characters (Aho & Corasick 1975), and what each step in it is worth.

A phrase matches whole words: it is read as " new york ", its blanks being the beginning of the text, a blank or its
end. A step is worth the boosts of the phrases that it completes, and the change of the potential: of a phrase that has
begun, the part of its boost that it has come to. So steps that lead into a phrase are rewarded at once, what is not
finished gives everything back, and a whole text is worth the boosts of the phrases that occur in it, no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLANK = " "
ROOT = 0
_MOST = 1 << 26  # entries of a table


class Steps(NamedTuple):
    """What every token does in every node: N nodes, V tokens."""

    to: NDArray[np.int64]  # (N, V)
    worth: NDArray[np.float64]  # (N, V)
    ending: NDArray[np.float64]  # (N,), what the end of the text is worth
    start: int  # the node before the first token


class ContextGraph:
    """The automaton of phrases with their boosts.

    Raises:
        ValueError: there is no phrase, or one is empty.
    """

    def __init__(self, boosts: Mapping[str, float]) -> None:
        if not boosts:
            raise ValueError("there are no phrases")
        self._children: list[dict[str, int]] = [{}]
        self._completed, self._potential = [0.0], [0.0]
        for phrase, boost in boosts.items():
            self._add(phrase, boost)
        self.characters = sorted({character for children in self._children for character in children})
        self._link()

    def __len__(self) -> int:
        """Nodes."""
        return len(self._children)

    def _add(self, phrase: str, boost: float) -> None:
        if not phrase.split():
            raise ValueError("a phrase is empty")
        text = BLANK + " ".join(phrase.split()) + BLANK
        node = ROOT
        for depth, character in enumerate(text, start=1):
            child = self._children[node].get(character)
            if child is None:
                child = len(self._children)
                self._children[node][character] = child
                self._children.append({})
                self._completed.append(0.0)
                self._potential.append(0.0)
            node = child
            if depth < len(text):  # the first blank is worth nothing: every word begins with it
                share = boost * (depth - 1) / (len(text) - 1)
                self._potential[node] = max(self._potential[node], share)
        self._completed[node] += boost

    def _link(self) -> None:
        """Where a character leads that continues no phrase: to the longest beginning that the text still ends with."""
        size = len(self.characters)
        self._next = np.zeros((len(self), size), dtype=np.int64)
        self._worth = np.array(self._completed)
        potential = np.array(self._potential)
        numbers = {character: i for i, character in enumerate(self.characters)}
        fail = [ROOT] * len(self)
        level = [ROOT]
        while level:
            below = []
            for node in level:
                if node != ROOT:  # nearer to the root, so done before
                    self._next[node] = self._next[fail[node]]
                    self._worth[node] += self._worth[fail[node]]
                    potential[node] = max(potential[node], potential[fail[node]])
                for character, child in self._children[node].items():
                    number = numbers[character]
                    fail[child] = int(self._next[node, number]) if node != ROOT else ROOT
                    self._next[node, number] = child
                    below.append(child)
            level = below
        self._potential = potential.tolist()

    def steps(self, pieces: Sequence[str]) -> Steps:
        """What the tokens do whose texts are `pieces`; one of empty text does nothing.

        Raises:
            ValueError: phrases and tokens are too many.
        """
        if len(self) * len(pieces) > _MOST:
            raise ValueError(f"phrases of {len(self)} characters and {len(pieces)} tokens need too much memory")
        potential = np.array(self._potential)
        nodes = np.arange(len(self))
        to = np.repeat(nodes[:, None], len(pieces), axis=1)
        worth = np.zeros(to.shape)
        for token, piece in enumerate(pieces):
            for character in piece:
                to[:, token] = self._step(to[:, token], character)
                worth[:, token] += self._worth[to[:, token]]
            worth[:, token] += potential[to[:, token]] - potential
        ended = self._step(nodes, BLANK)
        start = int(self._step(np.array([ROOT]), BLANK)[0])
        return Steps(to, worth, self._worth[ended] - potential, start)

    def _step(self, nodes: NDArray[np.int64], character: str) -> NDArray[np.int64]:
        if character not in self.characters:
            return np.zeros_like(nodes)
        reached: NDArray[np.int64] = self._next[nodes, self.characters.index(character)]
        return reached
