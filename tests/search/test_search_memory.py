"""What a wider beam costs in memory: the allocator's own books, byte by byte, not the clock's or the system's."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from lasasr.attend import energies
from lasasr.attend.location import LocationAttention
from lasasr.nn import tree
from lasasr.search.acoustics import Acoustics
from lasasr.search.beam import BeamSearch
from lasasr.search.ctc_prefix import CTCPrefixScorer
from lasasr.search.limits import Limits
from lasasr.search.scorer import DecoderScorer
from lasasr.spell.recurrent import RecurrentDecoder

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
peak_bytes: Any = importlib.import_module("peak_bytes").peak_bytes

T, V, WIDE, NARROW = 2000, 12, 40, 10
WORKSPACE = 64 * 2**20  # bytes, beyond what the states take


def utterances(batch):
    torch.manual_seed(0)
    log_probs = torch.randn(batch, T, V)
    log_probs[..., 1:4] = -torch.inf
    return Acoustics(torch.randn(batch, T, 320), torch.ones(batch, T, dtype=torch.bool), log_probs.log_softmax(-1))


def decoder():
    torch.manual_seed(0)
    attend = partial(LocationAttention, dim=320, filters=2, kernel_size=21)
    return RecurrentDecoder(attend=attend, encoded_dim=320, vocabulary_size=V, hidden_dim=16, embedding_dim=16).eval()


def searched_bytes(beam, spelling, utterances):
    search = BeamSearch(beam=beam, ctc_weight=0.3, limits=Limits(min_length=3, max_length=3), keep_weights=False)
    return peak_bytes(lambda: search(spelling, utterances))


@torch.no_grad()
def state_bytes(spelling, utterances):
    """Of the leaves (B, 1, ..., T) that one hypothesis owns."""
    states = [scorer.start(utterances, 1)[1] for scorer in (DecoderScorer(spelling), CTCPrefixScorer())]
    return sum(leaf.nbytes for state in states for leaf in tree.leaves(state) if leaf.shape[-1] in (T, T + 1))


def test_a_wider_beam_costs_its_states_and_no_copy_of_keys_or_values(monkeypatch):
    spelling, batch = decoder(), utterances(2)
    allowed = 1.5 * (WIDE - NARROW) * state_bytes(spelling, batch) + WORKSPACE
    copies = (WIDE - NARROW) * batch.encoded.nbytes  # of the values, or the keys, for each hypothesis
    assert copies > allowed
    assert searched_bytes(WIDE, spelling, batch) - searched_bytes(NARROW, spelling, batch) < allowed
    monkeypatch.setattr(energies, "LARGEST", {})
    monkeypatch.setattr(energies, "LARGEST_ELSEWHERE", 2**40)  # energies in one piece are as large as the copies
    assert searched_bytes(WIDE, spelling, batch) - searched_bytes(NARROW, spelling, batch) == pytest.approx(
        copies, rel=0.3
    )
