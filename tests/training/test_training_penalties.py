"""What holds training back: 0 at the start, the formula afterwards, in training alone, the same after a kill."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from training_tiny import Data, SignalAt, Training, batch, trainer, training

from lasasr.adapt import ewc
from lasasr.adapt.base import Penalty, check_together
from lasasr.adapt.ewc import EWC
from lasasr.adapt.freeze import Freeze
from lasasr.adapt.l2sp import L2SP
from lasasr.adapt.lora import Lora
from lasasr.adapt.regularized import RegularizedLoss
from lasasr.adapt.self_distillation import SelfDistillation
from lasasr.artifacts import delta
from lasasr.artifacts.bundle import write_tensors
from lasasr.errors import Interrupted, LasasrError, UsageError
from lasasr.losses.joint import JointLoss
from lasasr.training.checkpoints import LAST
from lasasr.training.fisher import fisher
from lasasr.training.interrupt import Interrupt
from lasasr.training.step import RecognizerStep

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with its Fisher information."""
    folder, recognizer = tmp_path_factory.mktemp("base"), training().recognizer
    recognizer.save(folder)
    held = fisher(recognizer, JointLoss(ctc_weight=0.4), [batch([number]) for number in range(4)])
    write_tensors(folder / ewc.FILE, held, {ewc.OF_WEIGHTS: delta.base_at(folder).sha256})
    return folder


def begun(penalty: Penalty, base: Path) -> Training:
    module = training()
    penalty.begin(module.recognizer, base)
    module.loss = RegularizedLoss(module.loss, {"held": penalty})
    return module


def step_of(module: Training) -> RecognizerStep:
    some = batch([0, 3, 5])
    features, frames = module.recognizer.encoder_input(some.waveforms, some.waveform_lengths)
    return RecognizerStep(module.recognizer, some, features, frames, 0)


def shifted(module: Training, by: float = 0.1) -> Training:
    generator = torch.Generator().manual_seed(1)
    for parameter in module.recognizer.parameters():
        parameter.data += by * torch.randn(parameter.shape, generator=generator)
    return module


PENALTIES = [L2SP(weight=0.5), EWC(weight=2.0), SelfDistillation(weight=0.5)]


@pytest.mark.parametrize("penalty", PENALTIES)
def test_it_is_nothing_at_the_start_and_above_0_later_and_no_part_of_a_validation(penalty: Penalty, base: Path) -> None:
    module = begun(penalty, base)
    assert float(module.loss.terms(step_of(module)).sums["held"]) == pytest.approx(0.0, abs=1e-5)
    shifted(module)
    plain, terms = module.loss.loss.terms(step_of(module)), module.loss.terms(step_of(module))
    assert terms.sums["held"] > 0
    torch.testing.assert_close(terms.total, plain.total + terms.sums["held"])
    assert terms.divisor == plain.divisor
    evaluated = module.loss.eval().terms(step_of(module))
    assert set(evaluated.sums) == set(plain.sums)
    torch.testing.assert_close(evaluated.total, plain.total)


@pytest.mark.parametrize("penalty", PENALTIES[:2])
def test_the_distance_of_weights_is_the_sum_that_the_papers_have(penalty: L2SP, base: Path) -> None:
    module = begun(penalty, base)
    started = {name: value.detach().clone() for name, value in module.recognizer.named_parameters()}
    held = load_file(base / ewc.FILE) if isinstance(penalty, EWC) else {}
    step = step_of(shifted(module))
    expected = sum(
        0.5 * float((held.get(name, torch.ones(())) * (value.detach().double() - started[name]) ** 2).sum())
        for name, value in module.recognizer.named_parameters()
    )
    value = penalty.per_token(step, 0.4)
    assert float(value) == pytest.approx(expected, rel=1e-5)
    value.backward()  # type: ignore[no-untyped-call]
    for name, parameter in module.recognizer.named_parameters():
        moved = held.get(name, torch.ones(())) * (parameter.detach() - started[name])
        torch.testing.assert_close(parameter.grad, moved)


def test_fisher_information_is_the_mean_of_squared_gradients() -> None:
    recognizer, loss = training().recognizer, JointLoss(ctc_weight=0.4)
    found = fisher(recognizer, loss, [batch([number]) for number in (1, 2, 4)])
    expected = {name: torch.zeros_like(value) for name, value in recognizer.named_parameters()}
    for number in (1, 2, 4):
        some = batch([number])
        features, frames = recognizer.encoder_input(some.waveforms, some.waveform_lengths)
        output = recognizer.model(features, frames, some.tokens, some.token_lengths)
        losses = loss(output.logits, output.ctc_log_probs, output.encoded_lengths, some.tokens, some.token_lengths)
        in_nats = losses.total * (some.token_lengths + 1).sum()
        gradients = torch.autograd.grad(in_nats, list(recognizer.parameters()), allow_unused=True)
        for (name, _), gradient in zip(recognizer.named_parameters(), gradients, strict=True):
            expected[name] += torch.zeros(()) if gradient is None else gradient.square() / 3
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)
    assert sum(float(value.sum()) for value in found.values()) > 0


def test_the_divergence_from_what_was_said_before(base: Path) -> None:
    """By the definition of KL, token by token and frame by frame, in float64."""
    penalty = SelfDistillation(temperature=2.0)
    module = begun(penalty, base)
    before = step_of(module)
    logits, log_probs = before.logits.detach(), before.ctc_log_probs.detach()  # type: ignore[union-attr]
    after = step_of(shifted(module))

    def mean(now: Tensor, then: Tensor, sizes: Tensor) -> float:
        total, count = 0.0, 0
        for row, size in enumerate(sizes.tolist()):
            for place in range(size):
                p, q = ((values[row, place].double() / 2.0).softmax(-1) for values in (then, now))
                total += 4.0 * float(torch.where(p > 0, p * (p.log() - q.log()), 0.0).sum())
                count += 1
        return total / count

    of_tokens = mean(after.logits.detach(), logits, before.batch.token_lengths + 1)  # type: ignore[union-attr]
    of_frames = mean(after.ctc_log_probs.detach(), log_probs, before.encoded_lengths)  # type: ignore[union-attr]
    for share in (0.0, 0.3, 1.0):
        found = float(penalty.per_token(after, share))
        assert found == pytest.approx((1 - share) * of_tokens + share * of_frames, rel=1e-4)
    assert not any("before" in name for name in module.state_dict())
    with pytest.raises(ValueError, match="temperature"):
        SelfDistillation(temperature=0.0)


def fit(module: Training, folder: Path, signal_at: int = 0) -> Training:
    last = folder / "checkpoints" / LAST
    interrupt = Interrupt(last, 1e9)
    with contextlib.suppress(Interrupted):
        trainer(folder, [SignalAt(signal_at, interrupt), interrupt], max_steps=6, limit_val_batches=0).fit(
            module, Data(), ckpt_path=last if last.exists() else None, weights_only=True
        )
    return module


@pytest.mark.parametrize("penalty", PENALTIES)
def test_broken_off_and_continued_it_ends_as_if_nothing_had_happened(
    penalty: Penalty, base: Path, tmp_path: Path
) -> None:
    whole = fit(begun(penalty, base), tmp_path / "whole").recognizer.state_dict()
    fit(begun(penalty, base), tmp_path / "broken", signal_at=3)
    again = fit(begun(penalty, base), tmp_path / "broken").recognizer.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in whole.items())
    free = fit(training(), tmp_path / "free").recognizer.state_dict()
    assert not all(torch.equal(value, free[name]) for name, value in whole.items())


def test_without_fisher_information_ewc_is_refused_in_one_line(base: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(base, tmp_path / "bundle"))
    (copied / ewc.FILE).unlink()
    with pytest.raises(LasasrError, match=r"adapt=ewc needs .*fisher\.safetensors, which is not there: lasasr fisher"):
        ewc.read(copied)
    held = load_file(base / ewc.FILE)
    save_file(held, copied / ewc.FILE, {ewc.OF_WEIGHTS: "0" * 64})
    with pytest.raises(LasasrError, match="is of other weights than those beside it"):
        ewc.read(copied)
    name = next(iter(held))
    save_file(held | {name: held[name] - 1.0}, copied / ewc.FILE, {ewc.OF_WEIGHTS: delta.base_at(copied).sha256})
    with pytest.raises(LasasrError, match="holds what is no Fisher information"):
        ewc.read(copied)


def test_what_does_not_go_together_is_refused() -> None:
    check_together({"lora": Lora(), "self_distillation": SelfDistillation()})
    check_together({"freeze": Freeze(parts=["encoder"]), "ewc": EWC(), "l2sp": L2SP()})
    with pytest.raises(UsageError, match=r"adapt=\[lora,l2sp\]: l2sp holds weights back, but with lora those of the"):
        check_together({"lora": Lora(), "l2sp": L2SP()})
    with pytest.raises(ValueError, match="weight must be above 0, got 0"):
        L2SP(weight=0.0)
