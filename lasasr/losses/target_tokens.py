"""The target tokens of a batch: its tokens with eos behind them, how many they are, and whether they are text."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.errors import LasasrError
from lasasr.nn import host_mirror, lengths
from lasasr.text import special


def target_tokens(token_lengths: Tensor) -> Tensor:
    """() int64, Σ (U + 1) of one batch on one rank."""
    return (token_lengths + 1).sum()


def targets(tokens: Tensor, token_lengths: Tensor) -> Tensor:
    """(B, U + 1): tokens (B, U), then eos, then pad."""
    ids = torch.arange(tokens.shape[1] + 1, device=tokens.device)[None, :]
    padded = functional.pad(tokens, (0, 1)).masked_fill(ids > token_lengths[:, None], special.PAD)
    return padded.masked_fill(ids == token_lengths[:, None], special.EOS)


def check_tokens(tokens: Tensor, token_lengths: Tensor, vocabulary_size: int) -> None:
    """Refuse ids that are not text; torch's CTC would read outside its table in silence on CPU.

    Tokens on a device whose values the host does not have (`host_mirror.py`) are checked there, without a wait: a wrong
    one ends the process by a device-side assertion.

    Raises:
        LasasrError: a token within its utterance's length is outside special.FIRST_TEXT..V-1.
    """
    host_tokens, host_lengths = host_mirror.host_value(tokens), host_mirror.host_value(token_lengths)
    if host_tokens is not None and host_lengths is not None:
        tokens, token_lengths = host_tokens, host_lengths
    inside = lengths.mask(token_lengths, tokens.shape[1])
    wrong = inside & ((tokens < special.FIRST_TEXT) | (tokens >= vocabulary_size))
    if tokens.device.type != "cpu":
        torch._assert_async(~wrong.any(), "a token is outside the vocabulary")
    elif bool(wrong.any()):
        row, column = (int(index) for index in wrong.nonzero()[0])
        raise LasasrError(
            f"token {int(tokens[row, column])} of utterance {row} of the batch is outside the vocabulary, text being "
            f"{special.FIRST_TEXT}..{vocabulary_size - 1}: was the tokenizer changed after the model was built?"
        )
