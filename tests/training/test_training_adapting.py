"""What an adaptation trains and what it leaves: bit for bit, in modes, in optimizers, after a kill, at which rate."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from training_tiny import Data, SignalAt, Training, trainer, training

from lasasr.adapt.base import WeightMethod, weight_method
from lasasr.adapt.freeze import Freeze
from lasasr.adapt.full import Full
from lasasr.adapt.lora import Lora
from lasasr.adapt.names import named_parameters
from lasasr.errors import Interrupted, UsageError
from lasasr.nn.parametrized import plain_name
from lasasr.training import schedules
from lasasr.training.checkpoint_owner import misfit
from lasasr.training.checkpoints import LAST
from lasasr.training.ema import MovingAverage
from lasasr.training.interrupt import Interrupt
from lasasr.training.parameter_groups import PartRates, trained_parameters, warm_up
from lasasr.training.pretrained import Thaw, share_line, thawing

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice


def adapted(method: WeightMethod, **changes: Any) -> Training:
    module = training(**changes)
    module.make_optimizer = functools.partial(torch.optim.Adam, lr=0.01)
    method.add(module.recognizer, 1)
    method.choose(module.recognizer)
    module.recognizer.train()
    module.rates = PartRates(later=method.thawing(module.recognizer))
    return module


def state(module: Training) -> dict[str, Tensor]:
    """Weights and buffers."""
    return {name: value.detach().clone() for name, value in module.recognizer.state_dict().items()}


def fit(module: Training, folder: Path, steps: int, method: WeightMethod, signal_at: int = 0) -> None:
    """Train on from what `folder` holds."""
    last = folder / "checkpoints" / LAST
    interrupt = Interrupt(last, 1e9)
    callbacks = [*thawing(module.recognizer, method), SignalAt(signal_at, interrupt), interrupt]
    with contextlib.suppress(Interrupted):
        trainer(folder, callbacks, max_steps=steps, limit_val_batches=0).fit(
            module, Data(), ckpt_path=last if last.exists() else None, weights_only=True
        )


@pytest.mark.parametrize("method", [Lora(rank=2), Lora(rank=2, dropout=0.3, also=["ctc.output.bias"])])
def test_beside_the_factors_nothing_changes_and_all_of_them_do(method: Lora, tmp_path: Path) -> None:
    module = adapted(method)
    before = state(module)
    fit(module, tmp_path, 2, method)
    changed = {name for name, value in state(module).items() if not torch.equal(before[name], value)}
    factors = {name for name in before if name.endswith((".0.a", ".0.b"))}
    also = {"model.ctc.output.bias"} if method.also else set()
    assert changed == factors | also
    assert len(factors) > 10
    optimizer = module.optimizers().optimizer  # type: ignore[union-attr]
    trained = {id(parameter) for parameter in module.parameters() if parameter.requires_grad}
    assert {id(parameter) for parameter in optimizer.state} == trained


SPELL = {
    "_target_": "lasasr.spell.recurrent.RecurrentDecoder",
    "_partial_": True,
    "hidden_dim": 7,
    "dropout": 0.5,
}


def test_what_is_frozen_does_not_change_has_no_state_and_is_in_evaluation_mode(tmp_path: Path) -> None:
    method = Freeze(parts=["decoder", "encoder.layers.0"], but=["decoder.output.bias"])
    module = adapted(method, spell=SPELL)
    before, modes = state(module), []

    class Modes(Thaw):
        def on_train_batch_start(self, *_: Any) -> None:
            encoder, decoder = module.recognizer.model.encoder, module.recognizer.model.decoder
            assert decoder is not None
            modes.append((encoder.layers[0].training, encoder.layers[1].training, decoder.attention.training))  # type: ignore

    watching = Modes(1, "", lambda: None)
    # with a validation between, after which Lightning puts modes back
    trainer(tmp_path, [watching], max_epochs=2).fit(module, Data())
    assert modes == [(False, True, False)] * 8
    changed = {name for name, value in state(module).items() if not torch.equal(before[name], value)}
    expected = {name for name in before if name.startswith(("model.encoder.layers.1", "model.ctc"))}
    assert changed == expected | {"model.decoder.output.bias"}
    optimizer = module.optimizers().optimizer  # type: ignore[union-attr]
    named = {id(parameter): name for name, parameter in module.recognizer.named_parameters()}
    assert {named[id(parameter)] for parameter in optimizer.state} == changed


def test_all_of_a_frozen_decoder_is_without_dropout() -> None:
    decoder = adapted(Freeze(parts=["decoder"]), spell=SPELL).recognizer.model.decoder
    assert decoder is not None
    assert not decoder.draws
    assert adapted(Full(), spell=SPELL).recognizer.model.decoder.draws  # type: ignore[union-attr]


@pytest.mark.parametrize(("steps", "thawed"), [(2, False), (3, True)])
def test_what_is_frozen_thaws_after_so_many_updates(steps: int, thawed: bool, tmp_path: Path) -> None:
    method = Freeze(parts=["encoder"], thaw_after=2)
    module = adapted(method)
    before = state(module)
    later = method.thawing(module.recognizer)
    assert f"{sum(p.numel() for p in later):,} more later" in (share_line(module.recognizer, later) or "")
    fit(module, tmp_path, steps, method)
    changed = {name for name, value in state(module).items() if not torch.equal(before[name], value)}
    assert bool({name for name in changed if name.startswith("model.encoder")}) == thawed
    assert module.recognizer.model.encoder.training == thawed


@pytest.mark.parametrize("method", [Lora(rank=2, dropout=0.3), Freeze(parts=["encoder"], thaw_after=3)])
def test_broken_off_and_continued_it_ends_as_if_nothing_had_happened(method: WeightMethod, tmp_path: Path) -> None:
    whole = adapted(method)
    fit(whole, tmp_path / "whole", 6, method)
    for signal_at in (2, 5):
        fit(adapted(method), tmp_path / "broken", 6, method, signal_at)
        assert misfit(tmp_path / "broken" / "checkpoints" / LAST, adapted(method), None) is None
    continued = adapted(method)
    fit(continued, tmp_path / "broken", 6, method)
    expected, found = state(whole), state(continued)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_an_average_of_the_weights_follows_the_factors(tmp_path: Path) -> None:
    method = Lora(rank=2)
    module = adapted(method)
    before = state(module)
    trainer(tmp_path, [MovingAverage(0.5)], max_steps=3, limit_val_batches=0).fit(module, Data())
    after = state(module)
    assert all(torch.equal(before[name], after[name]) for name in before if not name.endswith((".a", ".b")))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_full_trains_everything_and_refuses_what_the_encoder_keeps_frozen() -> None:
    module = adapted(Full())
    assert all(parameter.requires_grad for parameter in module.recognizer.parameters())
    module.recognizer.model.encoder.requires_grad_(False)
    with pytest.raises(UsageError, match=r"adapt=full trains all weights, but listen\.freeze keeps encoder\.\S+ as it"):
        Full().choose(module.recognizer)
    with pytest.raises(UsageError, match=r"thaw_after=2 would train encoder\.\S+, which listen\.freeze keeps"):
        Freeze(parts=["encoder"], thaw_after=2).choose(module.recognizer)
    Freeze(parts=["encoder", "ctc"]).choose(module.recognizer)  # both freeze: no conflict


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parts": ["encodr"]}, r"adapt\.freeze\.parts: encodr matches no weights"),
        ({"parts": ["encoder"], "but": ["ctc"]}, r"adapt\.freeze\.but: ctc matches no weights"),
        ({"parts": ["*"]}, "freezes every weight: nothing is trained"),
    ],
)
def test_what_freeze_cannot_do_is_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        adapted(Freeze(**options))


@pytest.mark.parametrize("options", [{"parts": []}, {"parts": ["encoder"], "thaw_after": 0}])
def test_options_of_freeze_outside_their_range(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"parts|thaw_after"):
        Freeze(**options)


def test_two_methods_that_say_which_weights_are_trained_are_refused() -> None:
    assert weight_method({}) is None
    with pytest.raises(UsageError, match=r"adapt=\[lora,mine\]: lora and mine both say which weights are trained"):
        weight_method({"lora": Lora(), "mine": Full()})


def test_each_part_has_its_rate_and_its_warm_up() -> None:
    module = training()
    rates = PartRates({"encoder": 0.25, "decoder.attention": 0.125}, {"decoder": 4})
    groups = trained_parameters(module, rates)
    optimizer = torch.optim.SGD(groups, lr=1.0)
    schedule = warm_up(schedules.linear(optimizer, total_steps=8, warmup_steps=2, final=0.0))
    named = {id(parameter): name for name, parameter in named_parameters(module.recognizer).items()}
    for step in range(6):
        common = min(1.0, (step + 1) / 2) * (1.0 - max(0.0, (step - 2) / 6))
        seen = set()
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                name = named[id(parameter)]
                peak = 0.25 if name.startswith("encoder.") else 0.125 if ".attention." in name else 1.0
                rising = min(1.0, (step + 1) / 4) if name.startswith("decoder.") else 1.0
                assert group["lr"] == pytest.approx(peak * rising * common), (step, name)
                seen.add(name)
        assert seen == set(named.values())
        optimizer.step()
        schedule.step()


def test_rates_of_what_is_not_trained_are_refused() -> None:
    module = adapted(Freeze(parts=["encoder"]))
    with pytest.raises(UsageError, match=r"adapt\.learning_rates: encoder matches no weights"):
        trained_parameters(module, PartRates({"encoder": 0.1}))
    schedule = torch.optim.lr_scheduler.StepLR(
        torch.optim.SGD([{"params": [nn.Parameter(torch.ones(1))], "warmup_steps": 3}], lr=1.0), 2
    )
    with pytest.raises(UsageError, match=r"adapt\.warmup_steps is for the shipped schedules, not for StepLR"):
        warm_up(schedule)


def test_a_frozen_recognizer_tells_its_share() -> None:
    module = adapted(Lora(rank=2))
    factors = sum(
        value.numel()
        for name, value in module.recognizer.named_parameters()
        if plain_name(name) == name and name.endswith((".0.a", ".0.b"))
    )
    total = sum(parameter.numel() for parameter in module.recognizer.parameters())
    line = f"trained: {factors:,} of {total:,} parameters ({100 * factors / total:.1f} %)"
    assert share_line(module.recognizer) == line
    full = sum(parameter.numel() for parameter in training().recognizer.parameters())
    assert share_line(training().recognizer) is None
    assert share_line(training().recognizer, always=True) == f"trained: {full:,} of {full:,} parameters (100.0 %)"
