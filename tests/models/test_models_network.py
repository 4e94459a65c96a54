"""Encoder, attention, decoder and CTC head together, for every one that `configs/` names."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import pytest
import torch
from shipped_parts import names, part
from torch import Tensor, nn

from lasasr.losses.base import Heads
from lasasr.losses.joint import JointLoss, parts_needed
from lasasr.models import factory
from lasasr.models.network import CTCHead, Model, Output
from lasasr.spell.base import Decoder
from lasasr.text import special

F, V = 12, 9
FRAMES = torch.tensor([70, 41, 16, 1])
TOKEN_LENGTHS = torch.tensor([3, 5, 2, 1])


@pytest.mark.parametrize(
    ("name", "decoder", "ctc"),
    [("joint", True, True), ("annealed", True, True), ("attention", True, False), ("ctc", False, True)],
)
def test_every_loss_builds_and_says_what_it_trains(name: str, decoder: bool, ctc: bool) -> None:
    assert name in names("loss")
    loss = factory.build(part("loss", name), "loss")
    assert parts_needed(loss.ctc_weight) == Heads(decoder, ctc)


def _decoder(attend: str, spell: str, encoded_dim: int) -> Decoder:
    made: Decoder = factory.build(
        part("spell", spell),
        "spell",
        attend=partial(factory.build, part("attend", attend), "attend"),
        encoded_dim=encoded_dim,
        vocabulary_size=V,
    )
    return made


def _model(listen: str, attend: str | None, spell: str = "lstm", ctc: bool = True) -> Model:
    torch.manual_seed(0)
    encoder = factory.build(part("listen", listen), "listen", input_dim=F)
    decoder = _decoder(attend, spell, encoder.output_dim) if attend else None
    head = CTCHead(encoded_dim=encoder.output_dim, vocabulary_size=V) if ctc else None
    return Model(encoder=encoder, decoder=decoder, ctc=head).eval()


def _batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    features = torch.randn(len(FRAMES), 70, F)
    tokens = torch.randint(special.FIRST_TEXT, V, (len(FRAMES), 5))
    return features, FRAMES, tokens, TOKEN_LENGTHS


def _cut(batch: tuple[Tensor, ...], rows: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The batch of these utterances alone, with no more padding than they need and other padding than before."""
    features, frames, tokens, token_lengths = (part[rows] for part in batch)
    features, tokens = features[:, : int(frames.max())].clone(), tokens[:, : int(token_lengths.max())].clone()
    for row, (t, u) in enumerate(zip(frames.tolist(), token_lengths.tolist(), strict=True)):
        features[row, t:], tokens[row, u:] = 1e3, -1
    return features, frames, tokens, token_lengths


def _pairs() -> list[Any]:
    """All encoders with all decoders; quick are all decoders, and each encoder with several of them.

    A decoder sees of its encoder the vectors and how many there are, so that the two keep the promise each by itself.
    """
    decoders, encoders = list(itertools.product(names("attend"), names("spell"))), names("listen")
    assert len(decoders) >= len(encoders)
    quick = {(encoders[number % len(encoders)], *decoder) for number, decoder in enumerate(decoders)}
    every = [(listen, *decoder) for listen in encoders for decoder in decoders]
    return [pytest.param(*each, marks=[] if each in quick else [pytest.mark.slow]) for each in every]


@pytest.mark.parametrize(("listen", "attend", "spell"), _pairs())
def test_an_utterance_is_the_same_alone_and_in_any_batch(listen: str, attend: str, spell: str) -> None:
    model, batch = _model(listen, attend, spell), _batch()
    with torch.no_grad():
        together = model(*batch)
        for rows in ([0], [1], [2], [3], [2, 3, 1]):
            fewer = model(*_cut(batch, rows))
            assert torch.equal(fewer.encoded_lengths, together.encoded_lengths[rows])
            for position, row in enumerate(rows):
                _same(fewer, position, together, row)


def _same(one: Output, position: int, other: Output, row: int) -> None:
    steps, frames = int(TOKEN_LENGTHS[row]) + 1, int(other.encoded_lengths[row])
    for name, span in (("logits", steps), ("weights", steps), ("ctc_log_probs", frames)):
        a, b = getattr(one, name)[position, :span], getattr(other, name)[row, :span]
        if name == "weights":
            a, b = a[..., :frames], b[..., :frames]
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-5)  # what is masked is of order 1e4


class _Frames(nn.Module):
    """A tiny encoder."""

    input_dim, output_dim, subsampling_factor = F, 6, 1

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(F, 6)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        return self.linear(features), lengths


def _tiny(decoder: bool, ctc: bool) -> Model:
    torch.manual_seed(0)
    return Model(
        encoder=_Frames(),  # type: ignore[arg-type]
        decoder=_decoder("location", "lstm", 6) if decoder else None,
        ctc=CTCHead(encoded_dim=6, vocabulary_size=V) if ctc else None,
    )


@pytest.mark.parametrize(("ctc_weight", "decoder", "ctc"), [(0.0, True, False), (1.0, False, True), (0.3, True, True)])
def test_every_weight_trains_every_parameter_there_is(ctc_weight: float, decoder: bool, ctc: bool) -> None:
    model, batch = _tiny(decoder, ctc), _batch()
    output = model(*batch)
    assert (output.logits is not None, output.ctc_log_probs is not None) == (decoder, ctc)
    losses = JointLoss(ctc_weight=ctc_weight, label_smoothing=0.1, prior="even")(
        output.logits, output.ctc_log_probs, output.encoded_lengths, *batch[2:]
    )
    losses.total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().sum()) > 0.0, name


def test_logits_are_those_of_the_steps_with_sos_in_front() -> None:
    model, (features, frames, tokens, token_lengths) = _tiny(True, False).eval(), _batch()
    output = model(features, frames, tokens, token_lengths)
    decoder = model.decoder
    assert decoder is not None
    for row, (t, u) in enumerate(zip(frames.tolist(), token_lengths.tolist(), strict=True)):
        encoded, _ = model.encode(features[row : row + 1, :t], frames[row : row + 1])
        memory = decoder.memory(encoded, torch.ones(1, t, dtype=torch.bool))
        state = decoder.initial(memory, 1)
        for position, token in enumerate([special.SOS, *tokens[row, :u].tolist()]):
            logits, _, state = decoder.step(torch.tensor([[token]]), memory, state)
            torch.testing.assert_close(output.logits[row, position], logits[0, 0], rtol=0, atol=1e-5)


def test_ctc_gives_probability_to_blank_and_text_alone_in_float32() -> None:
    model = _tiny(False, True)
    with torch.autocast("cpu", torch.bfloat16):
        encoded, _ = model.encode(*_batch()[:2])
        log_probs = model.ctc_log_probs(encoded)
    assert log_probs.dtype == torch.float32
    chances = log_probs.exp()
    torch.testing.assert_close(chances.sum(-1), torch.ones(chances.shape[:-1]))
    assert chances[..., [special.PAD, special.SOS, special.EOS]].sum().item() == 0.0


def test_a_model_without_parts_and_a_missing_part_are_refused() -> None:
    with pytest.raises(ValueError, match="neither"):
        Model(encoder=_Frames(), decoder=None, ctc=None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="CTC head"):
        _tiny(True, False).ctc_log_probs(torch.zeros(1, 1, 6))
