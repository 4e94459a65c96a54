"""Every shipped search over every shipped attention and decoder: the claimed score is the model's own."""

from __future__ import annotations

import pytest
import torch
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from search_decoders import acoustics, alone
from shipped_parts import names

from lasasr.models import factory
from lasasr.search.beam import BeamSearch
from lasasr.search.ctc_prefix import ctc_log_likelihood
from lasasr.text import special

V, E = 9, 6


def composed(group, name):
    with initialize_config_module("lasasr.configs", version_base="1.3"):
        return OmegaConf.to_container(compose(f"{group}/{name}"), resolve=True)[group]


def decoder_of(spell, attend):
    torch.manual_seed(0)
    part = composed("attend", attend)
    decoder = factory.build(
        composed("spell", spell) | {"hidden_dim": 8, "embedding_dim": 8, "readout_dim": 8},
        "spell",
        attend=lambda **sizes: factory.build(part, "attend", **sizes),
        encoded_dim=E,
        vocabulary_size=V,
    ).eval()
    with torch.no_grad():
        decoder.output.weight.mul_(6.0)  # as decided as a trained one
    return decoder


@pytest.mark.parametrize(
    ("spell", "attend"),
    [*(("lstm", name) for name in names("attend")), *((name, "location") for name in names("spell") if name != "lstm")],
)
@torch.no_grad()
def test_every_score_is_the_models_own_in_every_batch_position(spell, attend):
    decoder, utterances = decoder_of(spell, attend), acoustics(7, 12, 4, vocabulary_size=V)
    results = BeamSearch(beam=4, nbest=3, ctc_weight=0.3)(decoder, utterances)
    for b, nbest in enumerate(results):
        utterance = alone(utterances, b)
        for hypothesis in nbest:
            tokens = hypothesis.tokens
            memory = decoder.memory(utterance.encoded, utterance.mask)
            unrolled = decoder.unroll(torch.tensor([[special.SOS, *tokens]]), memory, decoder.initial(memory, 1))
            wanted = torch.tensor([*tokens, special.EOS])
            expected = unrolled.logits[0].log_softmax(-1).gather(1, wanted[:, None]).sum()
            assert hypothesis.scores["decoder"] == pytest.approx(float(expected), abs=1e-4)
            exact = float(ctc_log_likelihood(utterance, [tokens])[0])
            assert hypothesis.scores["ctc"] == pytest.approx(exact, abs=1e-4) or exact < -600.0


@pytest.mark.parametrize("name", names("search"))
@torch.no_grad()
def test_every_shipped_search_builds_and_finds_something(name):
    search = factory.build(composed("search", name), "search")
    results = search(decoder_of("lstm", "location"), acoustics(7, 12, 4, vocabulary_size=V))
    assert [len(nbest) >= 1 for nbest in results] == [True] * 3
    assert all(
        special.FIRST_TEXT <= token < V for nbest in results for hypothesis in nbest for token in hypothesis.tokens
    )
