"""The update that is made: what normalises it, and what refuses it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import lightning.pytorch as pl
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from lasasr import special
from lasasr.audio.frontend import Frontend
from lasasr.data.batch import Batch
from lasasr.errors import LasasrError
from lasasr.loss import JointLoss
from lasasr.recognizer import PARTS, Recognizer
from lasasr.search.greedy import GreedySearch
from lasasr.spell.sampling import Constant
from lasasr.text.character import CharacterTokenizer
from lasasr.training import schedules
from lasasr.training.module import Training

CONFIG = {
    **dict.fromkeys(PARTS),
    "seed": 1,
    "frontend": {"_target_": "lasasr.audio.frontend.Frontend", "bins": 8},
    "listen": {
        "_target_": "lasasr.listen.pyramid.PyramidEncoder",
        "_partial_": True,
        "hidden_dim": 6,
        "layers": 2,
        "subsampling_factor": 2,
    },
    "attend": {"_target_": "lasasr.attend.content.DotAttention", "_partial_": True, "dim": 4},
    "spell": {"_target_": "lasasr.spell.recurrent.RecurrentDecoder", "_partial_": True, "hidden_dim": 7},
    "loss": {"ctc_weight": 0.4},
    "search": {"_target_": "lasasr.search.greedy.GreedySearch"},
}
TOKENIZER = CharacterTokenizer.train(["abcd"])


def utterance(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    waveform = torch.randn(4000 + 800 * number, generator=generator) * 0.1
    tokens = torch.randint(special.FIRST_TEXT, TOKENIZER.vocabulary_size, (2 + number % 3,), generator=generator)
    return waveform, tokens


def batch(numbers: Sequence[int]) -> Batch:
    waveforms, tokens = zip(*map(utterance, numbers), strict=True)
    return Batch(
        ids=tuple(f"utterance-{number}" for number in numbers),
        speakers=("",) * len(numbers),
        texts=tuple(map(TOKENIZER.decode, (one.tolist() for one in tokens))),
        waveforms=pad_sequence(list(waveforms), batch_first=True),
        waveform_lengths=torch.tensor([len(one) for one in waveforms]),
        tokens=pad_sequence(list(tokens), batch_first=True, padding_value=special.PAD),
        token_lengths=torch.tensor([len(one) for one in tokens]),
    )


def training() -> Training:
    recognizer = Recognizer.build(CONFIG, TOKENIZER, "none/1")
    return Training(
        recognizer.searching(GreedySearch()),
        JointLoss(ctc_weight=0.4, label_smoothing=0.1),
        None,
        functools.partial(torch.optim.SGD, lr=0.5),
        functools.partial(schedules.constant, warmup_steps=0),
        Constant(),
        seed=1,
    )


def fit(module: Training, batches: Iterable[Batch], accumulated: int = 1, clip: float | None = None) -> Training:
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        accumulate_grad_batches=accumulated,
        gradient_clip_val=clip,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(list(batches), batch_size=None))  # type: ignore[arg-type]
    return module


def difference(one: Training, other: Training) -> float:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def test_accumulated_batches_make_the_update_of_their_union() -> None:
    start, whole, parts = training(), fit(training(), [batch(range(7))]), training()
    fit(parts, [batch([0, 1]), batch([2, 3, 4, 5, 6])], accumulated=2)
    assert difference(start, whole) > 1e-3
    assert difference(whole, parts) < 2e-6


def test_the_gradient_is_that_of_the_mean_over_target_tokens() -> None:
    module, reference, data = training(), training(), batch(range(5))
    features, frames = reference.recognizer.frontend(data.waveforms, data.waveform_lengths)
    output = reference.recognizer.model(features, frames, data.tokens, data.token_lengths)
    loss = reference.loss(
        output.logits, output.ctc_log_probs, output.encoded_lengths, data.tokens, data.token_lengths
    ).total
    loss.backward()
    expected = [p - 0.5 * p.grad for p in reference.parameters() if p.grad is not None]
    fit(module, [data])
    for found, wanted in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=2e-6, rtol=1e-4)


def test_clipping_bounds_the_update_by_norm() -> None:
    start, clipped = training(), fit(training(), [batch(range(5))], clip=0.01)
    moved = torch.cat([(a - b).flatten() for a, b in zip(start.parameters(), clipped.parameters(), strict=True)])
    assert float(moved.norm()) == pytest.approx(0.5 * 0.01, rel=1e-3)


def test_a_loss_that_is_not_finite_stops_training_and_names_the_utterance(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Frontend.forward

    def broken(self: Frontend, waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features, frames = plain(self, waveforms, lengths)
        features[1, 0] = torch.nan
        return features, frames

    monkeypatch.setattr(Frontend, "forward", broken)
    module = training()
    before = [p.detach().clone() for p in module.parameters()]
    with pytest.raises(LasasrError, match="utterance-3") as caught:
        fit(module, [batch([2, 3, 4])])
    assert "utterance-2" not in str(caught.value)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
