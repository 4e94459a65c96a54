"""A recognizer and batches so small that an update takes milliseconds."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from lasasr import special
from lasasr.data.batch import Batch
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


def training(ctc_weight: float = 0.4, **changes: Any) -> Training:
    """The module; `changes` replace parts of the configuration."""
    recognizer = Recognizer.build({**CONFIG, "loss": {"ctc_weight": ctc_weight}, **changes}, TOKENIZER, "none/1")
    return Training(
        recognizer.searching(GreedySearch()),
        JointLoss(ctc_weight=ctc_weight, label_smoothing=0.1),
        None,
        functools.partial(torch.optim.SGD, lr=0.5),
        functools.partial(schedules.constant, warmup_steps=0),
        Constant(),
        seed=1,
    )
