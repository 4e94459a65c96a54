"""The decoder in two threads, half of the batch each, against the whole batch in one."""

from __future__ import annotations

import pytest
import torch
from tiny_recognizer import parts

from lasasr.models import factory
from lasasr.models.network import Model
from lasasr.nn import concurrent
from lasasr.text import special


def model(attend: str, **spell: object) -> Model:
    chosen = parts(
        0.3,
        listen={"_target_": "lasasr.listen.pyramid.PyramidEncoder", "_partial_": True, "hidden_dim": 8, "layers": 2},
        attend={"_target_": attend, "_partial_": True},
        spell={"_target_": "lasasr.spell.recurrent.RecurrentDecoder", "_partial_": True, "hidden_dim": 9, **spell},
    )
    return factory.model(chosen, input_dim=5, vocabulary_size=11).train()


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(5, 60, 5, generator=generator)
    tokens = torch.randint(special.FIRST_TEXT, 11, (5, 6), generator=generator)
    return features, torch.tensor([60, 31, 44, 8, 57]), tokens, torch.tensor([6, 2, 4, 1, 5])


def passed(made: Model) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    made.zero_grad()
    output = made(*batch())
    assert output.logits is not None
    assert output.weights is not None
    ((output.logits.log_softmax(-1)[..., 5]).sum() + output.weights[..., 0].square().sum()).backward()
    gradients = {name: p.grad.clone() for name, p in made.named_parameters() if p.grad is not None}
    return output.logits.detach(), output.weights.detach(), gradients


@pytest.mark.parametrize(
    ("attend", "spell"),
    [
        ("lasasr.attend.location.LocationAttention", {}),
        ("lasasr.attend.gmm.GmmAttention", {"layers": 2, "cell": "gru"}),
        ("lasasr.attend.content.DotAttention", {"readout_dim": 7, "embedding_dim": 7, "tied_embeddings": True}),
        ("lasasr.attend.none.NoAttention", {"order": "attend_then_update"}),
    ],
)
def test_halves_give_the_values_and_gradients_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, attend: str, spell: dict[str, object]
) -> None:
    made = model(attend, **spell)
    monkeypatch.setattr(concurrent, "cores_per_process", lambda: 1)
    logits, weights, gradients = passed(made)
    monkeypatch.setattr(concurrent, "cores_per_process", lambda: 2)
    calls: list[int] = []
    both = concurrent._both
    monkeypatch.setattr(concurrent, "_both", lambda *functions: (calls.append(1), both(*functions))[1])
    in_halves = passed(made)
    assert len(calls) > 4  # two per encoder layer, and those of the decoder
    torch.testing.assert_close(in_halves[0], logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(in_halves[1], weights, atol=1e-6, rtol=1e-5)
    assert in_halves[2].keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(in_halves[2][name], gradient, atol=1e-5, rtol=1e-4, msg=name)


def test_with_dropout_the_batch_stays_whole_and_a_seed_decides_the_result() -> None:
    made = model("lasasr.attend.location.LocationAttention", dropout=0.5)
    assert made.decoder is not None
    assert made.decoder.draws
    results = []
    for _ in range(3):
        torch.manual_seed(5)
        results.append(passed(made)[0])
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    assert not made.eval().decoder.draws
