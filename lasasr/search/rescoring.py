"""What the scorers think of given tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lasasr import special
from lasasr.search.acoustics import Acoustics
from lasasr.search.fusion import Fusion
from lasasr.search.scorer import log_probs
from lasasr.spell.base import Decoder


def teacher_forced(
    decoder: Decoder, acoustics: Acoustics, tokens: Sequence[Sequence[int]], temperature: float = 1.0
) -> tuple[Tensor, list[Tensor]]:
    """log p(tokens, eos | utterance) and the attention weights on the way.

    Args:
        decoder: in evaluation mode.
        tokens: one sequence of text tokens per utterance.

    Returns:
        Scores (B,) float64, and per utterance weights (U + 1, H, T') over its own T' frames.
    """
    device = acoustics.encoded.device
    wanted = _padded([[*one, special.EOS] for one in tokens], device)
    read = torch.cat([torch.full_like(wanted[:, :1], special.SOS), wanted[:, :-1]], 1)
    memory = decoder.memory(acoustics.encoded, acoustics.mask)
    unrolled = decoder.unroll(read, memory, decoder.initial(memory, 1))
    scores = log_probs(unrolled.logits, temperature).double().gather(2, wanted[..., None])[..., 0]
    totals = scores.masked_fill(wanted == special.PAD, 0.0).sum(1)
    frames = acoustics.lengths.tolist()
    return totals, [unrolled.weights[b, : len(one) + 1, :, : frames[b]].clone() for b, one in enumerate(tokens)]


def forced(fusion: Fusion, tokens: Sequence[Sequence[int]]) -> Tensor:
    """(B, S) float64: what each of the S scorers gives tokens and eos, one sequence per utterance.

    Args:
        fusion: started with one hypothesis per utterance, without a pre-beam.
    """
    wanted = _padded([[*one, special.EOS] for one in tokens], fusion.bias.device)
    parents, read = torch.zeros_like(wanted[:, :1]), torch.full_like(wanted[:, :1], special.SOS)
    totals = torch.zeros(len(wanted), len(fusion.names), dtype=torch.float64, device=wanted.device)
    for u in range(wanted.shape[1]):
        if u:
            fusion.follow(parents, read)
        fused, now = fusion.score(read), wanted[:, u : u + 1]
        given = torch.where(now[..., None] == special.EOS, fused.of_eos(), fused.of(parents, now))[:, 0]
        totals += given.masked_fill(now == special.PAD, 0.0)
        read = now
    return totals


def _padded(tokens: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    rows = [torch.tensor(one, device=device) for one in tokens]
    return pad_sequence(rows, batch_first=True, padding_value=special.PAD)
