"""The recurrent decoder against the equations, against its own steps, and against the contract."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lasasr.attend.content import AdditiveAttention
from lasasr.attend.location import LocationAttention
from lasasr.nn import shared_steps, tree
from lasasr.spell import recurrent
from lasasr.spell.base import MASKED, Decoder, Unrolled
from lasasr.spell.recurrent import RecurrentDecoder
from lasasr.text import special

V, E, T, U = 9, 5, 6, 4
LENGTHS = torch.tensor([6, 4, 2])
ORDERS = ("update_then_attend", "attend_then_update")
READOUTS: list[dict[str, Any]] = [
    {},
    {"readout_dim": 8},
    {"readout_dim": 8, "tied_embeddings": True},
    {"readout_dim": 8, "input_feeding": True},
]
VARIANTS = [
    {"cell": cell, "layers": layers, "order": order, **readout}
    for cell, layers, order, readout in itertools.product(("lstm", "gru"), (1, 2), ORDERS, READOUTS)
]


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def _decoder(**options: Any) -> RecurrentDecoder:
    attend = partial(LocationAttention, dim=6, filters=2, kernel_size=5)
    sizes = {"hidden_dim": 7, "embedding_dim": 8}
    return RecurrentDecoder(**{"attend": attend, "encoded_dim": E, "vocabulary_size": V, **sizes, **options})


def _encoded() -> tuple[Tensor, Tensor]:
    return torch.randn(3, T, E, requires_grad=True), torch.arange(T)[None] < LENGTHS[:, None]


def _tokens() -> Tensor:
    tokens = torch.randint(special.FIRST_TEXT, V, (3, U))
    tokens[:, 0] = special.SOS
    return tokens


def _gradients(unrolled: Unrolled, encoded: Tensor, decoder: nn.Module) -> list[Tensor]:
    value = (unrolled.logits * torch.linspace(-1, 1, V)).sum() + unrolled.weights.square().sum()
    return list(torch.autograd.grad(value, [encoded, *decoder.parameters()]))


def _names(options: dict[str, Any]) -> str:
    return "-".join(f"{value}" for value in options.values())


@pytest.mark.parametrize("sampling", [0.0, 0.5])
@pytest.mark.parametrize("options", VARIANTS, ids=_names)
def test_unroll_is_the_steps_one_by_one(options: dict[str, Any], sampling: float) -> None:
    """In values and gradients. Both spend the same random numbers, so equal seeds give equal draws."""
    decoder, (encoded, mask), tokens = _decoder(**options), _encoded(), _tokens()
    results = []
    for unroll in (decoder.unroll, partial(Decoder.unroll, decoder)):
        torch.manual_seed(1)
        memory = decoder.memory(encoded, mask)
        unrolled = unroll(tokens, memory, decoder.initial(memory, 1), sampling)
        results.append((unrolled, _gradients(unrolled, encoded, decoder)))
    torch.testing.assert_close(*results)


def test_sampling_always_reads_nothing_of_the_reference() -> None:
    decoder, (encoded, mask) = _decoder(), _encoded()
    memory = decoder.memory(encoded, mask)
    first, second = _tokens(), _tokens()
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    a = decoder.unroll(first, memory, decoder.initial(memory, 1), sampling=1.0)
    torch.manual_seed(1)
    b = decoder.unroll(second, memory, decoder.initial(memory, 1), sampling=1.0)
    assert torch.equal(a.logits, b.logits)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("feeding", [False, True])
def test_the_equations(order: str, feeding: bool) -> None:
    """An additive-attention LSTM speller written down from the papers with torch's LSTMCell."""
    attend = partial(AdditiveAttention, dim=6)
    decoder = _decoder(attend=attend, order=order, readout_dim=8, input_feeding=feeding)
    cell, ours, attention = nn.LSTMCell(*_cell_sizes(decoder)), decoder.cells[0], decoder.attention
    fed = ours.fed_dim
    with torch.no_grad():
        cell.weight_ih.copy_(torch.cat((ours.weight_known, ours.weight_loop[:, :fed]), 1))
        cell.weight_hh.copy_(ours.weight_loop[:, fed:])
        cell.bias_ih.copy_(ours.bias)
        cell.bias_hh.zero_()
    (encoded, mask), tokens = _encoded(), _tokens()
    energy = attention.energy

    def attend_with(query: Tensor) -> Tensor:
        energies = torch.tanh(energy.key(encoded) + energy.query(query)[:, None]) @ energy.vector[0]
        return torch.einsum("bt,bte->be", energies.masked_fill(~mask, -torch.inf).softmax(1), encoded)

    s, c = torch.zeros(3, 7), torch.zeros(3, 7)
    context, vector, logits = torch.zeros(3, E), torch.zeros(3, 8), []
    for u in range(U):
        y = decoder.embedding(tokens[:, u])
        if order == "update_then_attend":
            s, c = cell(torch.cat((y, vector if feeding else context), 1), (s, c))
            context = attend_with(s)
        else:
            context = attend_with(s)
            s, c = cell(torch.cat((y, context, vector) if feeding else (y, context), 1), (s, c))
        vector = torch.tanh(decoder.attentional(torch.cat((s, context), 1)))
        logits.append(decoder.output(vector))
    memory = decoder.memory(encoded, mask)
    got = decoder.unroll(tokens, memory, decoder.initial(memory, 1)).logits
    emitted = slice(special.EOS, V)
    torch.testing.assert_close(got[..., emitted], torch.stack(logits, 1)[..., emitted])


def _cell_sizes(decoder: RecurrentDecoder) -> tuple[int, int]:
    return decoder.embedding.embedding_dim + decoder.cells[0].fed_dim, decoder.cells[0].hidden_dim


@pytest.mark.parametrize("options", VARIANTS, ids=_names)
def test_hypotheses_do_not_see_each_other(options: dict[str, Any]) -> None:
    """K hypotheses in one step are K steps of one, also after search has shuffled them."""
    decoder, (encoded, mask) = _decoder(**options).eval(), _encoded()
    memory = decoder.memory(encoded, mask)
    tokens = torch.randint(special.FIRST_TEXT, V, (3, 4))
    parents = torch.tensor([[3, 3, 0], [1, 2, 0], [2, 0, 0]])
    together = decoder.step(tokens, memory, decoder.initial(memory, 4))
    alone = [decoder.step(tokens[:, k : k + 1], memory, decoder.initial(memory, 1)) for k in range(4)]
    torch.testing.assert_close(together.logits, torch.cat([unrolled.logits for unrolled in alone], 1))
    shuffled = decoder.step(tokens.gather(1, parents), memory, tree.reorder(together.state, parents))
    for b, k in itertools.product(range(3), range(3)):
        parent = int(parents[b, k])
        after = decoder.step(tokens[:, parent : parent + 1], memory, alone[parent].state)
        torch.testing.assert_close(shuffled.logits[b, k], after.logits[b, 0])
        torch.testing.assert_close(shuffled.weights[b, k], after.weights[b, 0])


@pytest.mark.parametrize("options", VARIANTS, ids=_names)
def test_state_is_a_value(options: dict[str, Any]) -> None:
    """A step leaves what it was given untouched, and gives back the same structure, shapes, types and strides."""
    decoder, (encoded, mask) = _decoder(**options).eval(), _encoded()
    memory = decoder.memory(encoded, mask)
    state = decoder.initial(memory, 2)
    tokens = torch.full((3, 2), special.SOS)
    before = [leaf.clone() for leaf in (*tree.leaves(state), *tree.leaves(memory))]
    first, again = decoder.step(tokens, memory, state), decoder.step(tokens, memory, state)
    torch.testing.assert_close(before, [*tree.leaves(state), *tree.leaves(memory)], rtol=0, atol=0)
    torch.testing.assert_close(first.logits, again.logits, rtol=0, atol=0)
    assert [(leaf.shape, leaf.dtype, leaf.stride()) for leaf in tree.leaves(first.state)] == [
        (leaf.shape, leaf.dtype, leaf.stride()) for leaf in tree.leaves(state)
    ]


def test_blank_pad_and_sos_have_no_probability() -> None:
    decoder, (encoded, mask) = _decoder(), _encoded()
    memory = decoder.memory(encoded, mask)
    state = decoder.initial(memory, 1)
    step = decoder.step(torch.full((3, 1), special.SOS), memory, state).logits
    for logits in (step, decoder.unroll(_tokens(), memory, state).logits):
        assert bool((logits[..., list(special.NEVER_EMITTED)] == MASKED).all())
        assert logits.float().softmax(-1)[..., list(special.NEVER_EMITTED)].sum().item() == 0.0


def test_tied_embeddings_are_one_matrix() -> None:
    decoder = _decoder(readout_dim=8, tied_embeddings=True)
    assert decoder.output.weight.data_ptr() == decoder.embedding.weight.data_ptr()
    untied = _decoder(readout_dim=8)
    count = [sum(p.numel() for p in module.parameters()) for module in (decoder, untied)]
    assert count[1] - count[0] == V * 8


def test_tied_embeddings_start_small_after_any_reset() -> None:
    decoder = _decoder(readout_dim=400, embedding_dim=400, tied_embeddings=True)
    decoder.output.reset_parameters()
    decoder.embedding.reset_parameters()
    decoder.reset_parameters()
    assert decoder.embedding.weight.std().item() == pytest.approx(1 / 20, rel=0.1)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"cell": "rnn"}, "rnn"),
        ({"layers": 0}, "0"),
        ({"order": "attend"}, "attend"),
        ({"input_feeding": True}, "readout_dim"),
        ({"readout_dim": 8, "embedding_dim": 6, "tied_embeddings": True}, "width 8, got 6"),
        ({"tied_embeddings": True}, f"width {7 + E}, got 8"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        _decoder(**options)


@pytest.mark.parametrize("order", ORDERS)
def test_dropout_acts_in_training_alone(order: str) -> None:
    decoder, (encoded, mask), tokens = _decoder(dropout=0.5, layers=2, order=order), _encoded(), _tokens()
    memory = decoder.memory(encoded, mask)

    def logits() -> Tensor:
        return decoder.unroll(tokens, memory, decoder.initial(memory, 1)).logits

    assert not torch.equal(logits(), logits())
    decoder.eval()
    assert torch.equal(logits(), logits())


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("order", ORDERS)
def test_autocast_keeps_the_state_in_float32(cell: str, order: str) -> None:
    decoder = _decoder(cell=cell, order=order, layers=2, readout_dim=8, input_feeding=True).float()
    encoded, mask, tokens = torch.randn(3, T, E, dtype=torch.float32), _encoded()[1], _tokens()

    def run() -> tuple[Tensor, list[torch.dtype]]:
        memory = decoder.memory(encoded, mask)
        state = decoder.initial(memory, 1)
        after = decoder.step(tokens[:, :1], memory, state).state
        return decoder.unroll(tokens, memory, state).logits, [leaf.dtype for leaf in tree.leaves(after)]

    full, _ = run()
    with torch.autocast("cpu", torch.bfloat16):
        half, types = run()
    assert set(types) == {torch.float32}
    torch.testing.assert_close(half.float(), full, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_tokens_looked_up_are_tokens_computed(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrent, "SOON", 0)
    decoder = _decoder(cell=cell).eval()
    calls: list[int] = []
    share_of_every_token = decoder._share_of_every_token

    def counted() -> Tensor:
        calls.append(1)
        return share_of_every_token()

    monkeypatch.setattr(decoder, "_share_of_every_token", counted)
    with torch.no_grad():
        memory = decoder.memory(*_encoded())
        arguments = _tokens()[:, :1], memory, decoder.initial(memory, 1)
        with shared_steps.loop():
            alone = decoder.step(*arguments)
            assert not calls
            for _ in range(2):
                with shared_steps.loop():
                    torch.testing.assert_close(decoder.step(*arguments), alone)
    assert len(calls) == 1
