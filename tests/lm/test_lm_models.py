"""Language models: one step after another is the whole pass, and a sentence's nats are its own."""

from __future__ import annotations

import pytest
import torch

from lasasr.lm.base import LanguageModel
from lasasr.lm.lstm import LSTMLanguageModel
from lasasr.lm.transformer import TransformerLanguageModel
from lasasr.nn import tree
from lasasr.text import special

V = 9
MODELS = {
    "lstm": lambda: LSTMLanguageModel(vocabulary_size=V, layers=2, hidden_dim=7, embedding_dim=5, dropout=0.3),
    "tied": lambda: LSTMLanguageModel(vocabulary_size=V, hidden_dim=6, embedding_dim=6, tied_embeddings=True),
    "transformer": lambda: TransformerLanguageModel(
        vocabulary_size=V, layers=2, dim=8, heads=2, feedforward_dim=12, dropout=0.3
    ),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    torch.manual_seed(3)
    return MODELS[request.param]().eval()


def sentences(*sizes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(special.FIRST_TEXT, V, (len(sizes), max(sizes)), generator=generator)
    return tokens, torch.tensor(sizes)


@torch.no_grad()
def test_steps_with_reordered_hypotheses_are_the_whole_pass(model: LanguageModel) -> None:
    B, K, U = 2, 3, 6
    generator = torch.Generator().manual_seed(2)
    state = model.initial(B, K)
    read = torch.full((B, K, 1), special.SOS)
    for _ in range(U):
        step = model.step(read[..., -1], state)
        expected = model.unroll(read.flatten(0, 1))[:, -1].view(B, K, V)
        torch.testing.assert_close(step.logits, expected, atol=1e-5, rtol=0)
        parents = torch.randint(0, K, (B, K), generator=generator)
        state = tree.reorder(step.state, parents)
        tokens = torch.randint(special.FIRST_TEXT, V, (B, K, 1), generator=generator)
        read = torch.cat((tree.reorder(read, parents), tokens), 2)
    rows = torch.tensor([1])
    after = model.step(read[rows, :, -1], tree.select(state, rows)).logits
    torch.testing.assert_close(after, model.step(read[..., -1], state).logits[rows], atol=1e-5, rtol=0)


@torch.no_grad()
def test_nats_are_the_sum_over_tokens_and_eos_whatever_the_padding(model: LanguageModel) -> None:
    tokens, sizes = sentences(4, 1, 6, 0)
    nats = model.nats(tokens, sizes)
    for b, size in enumerate(sizes.tolist()):
        read = [special.SOS, *tokens[b, :size].tolist()]
        log_probs = model.unroll(torch.tensor([read]))[0].log_softmax(-1)
        reference = [*read[1:], special.EOS]
        assert float(nats[b]) == pytest.approx(-sum(float(log_probs[u, y]) for u, y in enumerate(reference)), abs=1e-4)
    wider = torch.nn.functional.pad(tokens, (0, 3), value=7)
    torch.testing.assert_close(model.nats(wider, sizes), nats)


@torch.no_grad()
def test_all_sentences_of_a_length_and_what_is_longer_share_all_probability(model: LanguageModel) -> None:
    text = torch.arange(special.FIRST_TEXT, V)
    ended = [model.nats(torch.zeros(1, 0, dtype=torch.int64), torch.tensor([0]))]
    ended.append(model.nats(text[:, None], torch.ones(len(text), dtype=torch.int64)))
    pairs = torch.cartesian_prod(text, text)
    first = model.unroll(torch.full((1, 1), special.SOS))[0, 0].log_softmax(-1)
    second = model.unroll(torch.stack((torch.full_like(text, special.SOS), text), 1))[:, 1].log_softmax(-1)
    longer = (first[text][:, None] + second[:, special.FIRST_TEXT :]).exp().sum()
    assert len(pairs) == second[:, special.FIRST_TEXT :].numel()
    assert float(sum((-nats).exp().sum() for nats in ended) + longer) == pytest.approx(1.0, abs=1e-5)


def test_padding_gets_no_gradient_and_training_learns(model: LanguageModel) -> None:
    model.train()
    tokens, sizes = sentences(5, 3, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.nats(tokens, sizes).sum()
        loss.backward()
        assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (LSTMLanguageModel, {"layers": 0}, "got 0"),
        (LSTMLanguageModel, {"tied_embeddings": True, "hidden_dim": 4, "embedding_dim": 3}, "got 3"),
        (TransformerLanguageModel, {"dim": 10, "heads": 4}, "got 10 and 4"),
        (TransformerLanguageModel, {"layers": 0}, "got 0"),
    ],
)
def test_impossible_sizes_are_refused(kind: type[LanguageModel], options: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kind(vocabulary_size=V, **options)  # type: ignore[call-arg]
