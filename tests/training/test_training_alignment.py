"""Runs made to fail and a run that reads along: what is noted, said, and carried over a resume."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from training_tiny import TOKENIZER, batch, training

from lasasr.attend import monotonic
from lasasr.attend.base import Attended
from lasasr.data.batch import Batch
from lasasr.errors import UsageError
from lasasr.text import special
from lasasr.training.alignment import AlignmentWatch
from lasasr.training.module import Training

EIGHT = 16_000  # samples: 98 frames, 49 encoded ones


def even(tokens: int) -> Batch:
    """Eight utterances of one length."""
    generator = torch.Generator().manual_seed(tokens)
    ids = torch.randint(special.FIRST_TEXT, TOKENIZER.vocabulary_size, (8, tokens), generator=generator)
    return Batch(
        ids=tuple(map(str, range(8))),
        speakers=("",) * 8,
        texts=("a",) * 8,
        waveforms=torch.randn(8, EIGHT, generator=generator) * 0.1,
        waveform_lengths=torch.full((8,), EIGHT),
        tokens=ids,
        token_lengths=torch.full((8,), tokens),
    )


class Clockwork(nn.Module):
    """Attention that moves on `step` frames per token, whatever it hears; it has a parameter like the real ones."""

    heads = 1

    def __init__(self, context_dim: int, step: float) -> None:
        super().__init__()
        self.context_dim, self.step = context_dim, step
        self.scale = nn.Parameter(torch.ones(()))

    def memory(self, encoded: Tensor, mask: Tensor) -> tuple[Tensor]:
        return (encoded,)

    def initial(self, memory: tuple[Tensor], hypotheses: int) -> tuple[Tensor]:
        return (torch.zeros(len(memory[0]), hypotheses),)

    def forward(self, query: Tensor, memory: tuple[Tensor], state: tuple[Tensor]) -> Attended[tuple[Tensor]]:
        frames = memory[0].shape[1]
        place = state[0].long().clamp(max=frames - 1)
        weights = nn.functional.one_hot(place, frames).to(memory[0])
        return Attended(self.scale * weights @ memory[0], weights[:, :, None], (state[0] + self.step,))


def reading_along(tokens: int) -> Training:
    module = training()
    module.recognizer.model.decoder.attention = Clockwork(12, 49 / tokens)
    return module


class Lines(pl.callbacks.ProgressBar):
    """Takes what would be printed."""

    def __init__(self) -> None:
        super().__init__()
        self.printed: list[str] = []

    def print(self, *values: Any, **kwargs: Any) -> None:
        self.printed += map(str, values)


def fit(
    module: Training, one: Batch, watch: AlignmentWatch, updates: int, folder: Path | None = None, **options: Any
) -> list[str]:
    """Train for so many epochs of one update; what was printed. `folder`: resume from `ckpt` there, and save to it."""
    module.loss.prepare(torch.bincount(one.tokens.flatten(), minlength=TOKENIZER.vocabulary_size))
    lines = Lines()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=updates,
        callbacks=[watch, lines],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        **options,
    )
    start = folder / "ckpt" if folder and (folder / "ckpt").exists() else None
    trainer.fit(module, DataLoader([one], batch_size=None), ckpt_path=start, weights_only=True)  # type: ignore[arg-type]
    if folder:
        trainer.save_checkpoint(folder / "ckpt")
    return lines.printed


pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice


def test_a_run_that_reads_along_is_noted_at_the_first_full_window_and_raises_no_alarm() -> None:
    watch = AlignmentWatch(look_every=2, alarm_step=8)
    printed = fit(reading_along(20), even(20), watch, 12)
    assert watch.aligned_at_step == 6  # three looks at eight utterances
    assert watch.alarm is None
    assert watch.share == 1.0
    assert printed == ["attention is aligned from step 6 on"]


def test_attention_found_after_the_alarm_is_still_noted() -> None:
    watch = AlignmentWatch(look_every=1, alarm_step=3)
    module = reading_along(20)
    module.recognizer.model.decoder.attention.step = 0.0
    fit(module, even(20), watch, 4)
    assert watch.aligned_at_step is None
    assert watch.alarm is not None
    state = watch.state_dict()
    again = AlignmentWatch(look_every=1, alarm_step=3)
    again.load_state_dict(state)
    printed = fit(reading_along(20), even(20), again, 6)
    assert again.aligned_at_step == 2  # of the last three looks, two
    assert [line.split()[0] for line in printed] == ["attention"]


@pytest.mark.parametrize(
    ("tokens", "ctc_weight", "words"),
    [
        (60, 0.4, ("labels are longer than their frames in 100%", "0.82 encoded frames")),
        (20, 0.0, ("ctc_weight is 0",)),
    ],
)
def test_a_run_made_to_fail_is_reported_once_with_its_cause(
    tokens: int, ctc_weight: float, words: tuple[str, ...]
) -> None:
    watch = AlignmentWatch(look_every=1, alarm_step=5)
    (line,) = fit(training(ctc_weight), even(tokens), watch, 9)
    assert line.startswith("warning: attention is not aligned by step 5 (0% of the utterances")
    assert all(word in line for word in words)
    assert "\n" not in line
    assert watch.aligned_at_step is None


def test_a_learning_rate_that_ruins_the_decoder_is_named() -> None:
    module = training()
    module.make_optimizer = lambda params: torch.optim.SGD(params, lr=300.0)
    (line,) = fit(module, even(20), AlignmentWatch(look_every=1, alarm_step=30), 30, gradient_clip_val=5.0)
    assert "learning rate 3e+02" in line
    assert "too high" in line


@pytest.mark.parametrize(
    "changes",
    [{"attend": {"_target_": "lasasr.attend.none.NoAttention", "_partial_": True}}, {"ctc_weight": 1.0}],
    ids=["none", "ctc"],
)
def test_what_has_nothing_to_align_is_not_watched(changes: dict[str, Any]) -> None:
    watch = AlignmentWatch(look_every=1, alarm_step=2)
    assert fit(training(**changes), even(20), watch, 5) == []
    assert watch.recent == []
    assert watch.unknown == "there is no attention that learns to align"


def test_of_attention_that_moves_diagonally_only_a_failure_to_align_is_reported() -> None:
    """Half a frame per token is far from the end when the tokens are; a clock at their pace looks like reading."""
    for step, lines in ((49 / 20, 0), (0.5, 1)):
        module, watch = reading_along(20), AlignmentWatch(look_every=1, alarm_step=4)
        module.recognizer.model.decoder.attention = Clockwork(12, step)
        module.recognizer.model.decoder.attention.moves_diagonally = True
        printed = fit(module, even(20), watch, 6)
        assert [line.split(" by ")[0] for line in printed] == ["warning: attention is not aligned"] * lines
        assert watch.aligned_at_step is None
        assert watch.unknown == "hard steps move along the diagonal before anything is learnt"


@pytest.mark.parametrize(("name", "hard"), [("Monotonic", 0.5), ("Mocha", 0.5), ("Monotonic", 0.0), ("Mocha", 0.0)])
def test_hard_steps_move_diagonally_and_soft_ones_do_not(name: str, hard: float) -> None:
    chunk = {"chunk": 2} if name == "Mocha" else {}
    attention = getattr(monotonic, f"{name}Attention")(encoded_dim=6, query_dim=5, dim=4, hard=hard, **chunk)
    assert attention.moves_diagonally is (hard > 0.0)


def test_no_alarm_where_it_is_off_the_run_is_short_or_utterances_are() -> None:
    assert fit(training(), even(20), AlignmentWatch(look_every=1, alarm_step=0), 6) == []
    (line,) = fit(training(), even(20), AlignmentWatch(look_every=1), 6)
    assert not line.startswith("warning")
    assert fit(training(), batch(range(8)), AlignmentWatch(look_every=1, alarm_step=2), 6) == []


def test_a_run_too_short_for_the_alarm_says_at_its_end_that_attention_is_not_aligned() -> None:
    watch = AlignmentWatch(look_every=1)
    (line,) = fit(training(), even(20), watch, 6)
    assert line.startswith("note: attention is not aligned after all 6 updates (0% of the utterances are read along)")
    assert watch.alarm is None  # the card's alarm is a warning with a cause
    assert fit(reading_along(20), even(20), AlignmentWatch(look_every=1), 6) == ["attention is aligned from step 3 on"]
    assert fit(training(), even(20), AlignmentWatch(look_every=10), 6) == []  # never looked at


def test_a_resumed_run_watches_as_if_nothing_had_happened(tmp_path: Path) -> None:
    whole = AlignmentWatch(look_every=1, alarm_step=7)
    expected = fit(training(), even(20), whole, 10)
    parts = [AlignmentWatch(look_every=1, alarm_step=7) for _ in range(3)]
    said = [fit(training(), even(20), part, end, tmp_path) for part, end in zip(parts, (2, 5, 10), strict=True)]
    assert [line for line in itertools.chain(*said) if not line.startswith("note")] == expected
    assert parts[-1].state_dict() == whole.state_dict()


@pytest.mark.parametrize("wrong", [{"look_every": 0}, {"alarm_step": -1}, {"alarm_step": "soon"}])
def test_numbers_without_meaning_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="got"):
        AlignmentWatch(**wrong)
