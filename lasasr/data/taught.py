"""What teachers say of the utterances of a split, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lasasr.data.encodings import Encodings
from lasasr.text import special


class ScoredText(NamedTuple):
    """A text of a teacher."""

    text: str
    score: float | None  # log; None: it gives none


class TaughtTokens(NamedTuple):
    """The distributions of the tokens of each reference, as `losses.distillation.packed` stores them."""

    stored: Encodings
    names: Sequence[str]  # of each utterance, in the order of the manifest

    def batch(self, indices: Sequence[int]) -> Mapping[str, Tensor]:
        """`teacher` (B, U + 1, 2k) int16, 0 after the end."""
        rows = [self.stored.get(self.names[index]) for index in indices]
        return {"teacher": pad_sequence(rows, batch_first=True)}


class TaughtTexts(NamedTuple):
    """The n best texts of each utterance in the student's tokens, with their weights."""

    texts: Sequence[Sequence[tuple[Sequence[int], float]]]

    def batch(self, indices: Sequence[int]) -> Mapping[str, Tensor]:
        """`teacher_tokens` (B, N, U), `teacher_token_lengths` and `teacher_weights` (B, N), 0 where there is none."""
        lists = [self.texts[index] for index in indices]
        most = max(map(len, lists))
        filled = [[*texts, *[((), 0.0)] * (most - len(texts))] for texts in lists]
        rows = [torch.tensor(tokens, dtype=torch.int64) for texts in filled for tokens, _ in texts]
        tokens = pad_sequence(rows, batch_first=True, padding_value=special.PAD)
        return {
            "teacher_tokens": tokens.view(len(lists), most, tokens.shape[1]),
            "teacher_token_lengths": torch.tensor([len(row) for row in rows]).view(len(lists), most),
            "teacher_weights": torch.tensor([[weight for _, weight in texts] for texts in filled]),
        }
