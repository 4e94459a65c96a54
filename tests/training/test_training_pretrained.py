"""Training on top of a pretrained encoder: what is trained, from when on, at which rate, and what a bundle holds."""

from __future__ import annotations

import contextlib
import functools
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from fit_tiny import InterruptAt, fit_tiny
from training_tiny import Data, batch, trainer, training

from lasasr.adapt.freeze import Freeze
from lasasr.adapt.full import Full
from lasasr.errors import Interrupted, LasasrError, UsageError
from lasasr.models import encoder_parts
from lasasr.models.recognizer import Recognizer
from lasasr.training.module import Training
from lasasr.training.parameter_groups import brought
from lasasr.training.pretrained import pretrained_facts, share_line, thawing

sys.path.append(str(Path(__file__).parents[1] / "listen" / "pretrained"))
from pretrained_folders import folder_of, shelf

assert shelf  # a fixture


def module(shelf: Path, **options: Any) -> Training:
    listen = {
        "_target_": "lasasr.listen.pretrained.encoder.PretrainedEncoder",
        "_partial_": True,
        "weights": str(folder_of("whisper", shelf)),
        "projection_dim": 6,
        **options,
    }
    frontend, listen = encoder_parts.resolved_parts({"_target_": encoder_parts.OF_ENCODER}, listen)
    return training(frontend=frontend, listen=listen)


def weights_of(made: Training) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in made.recognizer.model.encoder.named_parameters()}


def changed(before: dict[str, torch.Tensor], made: Training) -> set[str]:
    return {name for name, value in weights_of(made).items() if not torch.equal(before[name], value)}


def fit(made: Training, folder: Path, steps: int) -> None:
    callbacks = thawing(made.recognizer)
    trainer(folder, callbacks, max_steps=steps, limit_val_batches=0).fit(made, Data())


def test_what_is_frozen_does_not_change(shelf: Path, tmp_path: Path) -> None:
    made = module(shelf)
    before = weights_of(made)
    trained, total = (
        sum(p.numel() for p in made.parameters() if p.requires_grad or frozen) for frozen in (False, True)
    )
    share = f"({100 * trained / total:.1f} %)"
    assert share_line(made.recognizer) == f"trained: {trained:,} of {total:,} parameters {share}"
    fit(made, tmp_path, 2)
    assert changed(before, made) == {"projection.weight", "projection.bias"}


def test_only_what_computes_features_is_frozen(shelf: Path, tmp_path: Path) -> None:
    made = module(shelf, freeze="features")
    before = weights_of(made)
    fit(made, tmp_path, 1)
    assert {name for name in before if ".conv" in name or "positions" in name} == set(before) - changed(before, made)


def test_methods_that_train_the_whole_encoder_leave_the_positions_that_no_one_trains(
    shelf: Path, tmp_path: Path
) -> None:
    made = module(shelf, freeze="none")
    before = weights_of(made)
    Full().choose(made.recognizer)
    fit(made, tmp_path, 1)
    assert set(before) - changed(before, made) == {"body.net.embed_positions.weight"}
    thawing_all = Freeze(parts=["encoder"], thaw_after=1)
    thawing_all.choose(made.recognizer)
    assert len(thawing_all.thawing(made.recognizer)) == len(before) - 1


def test_a_method_that_trains_all_is_refused_while_the_encoder_is_frozen(shelf: Path) -> None:
    with pytest.raises(UsageError, match=r"adapt=full trains all weights, but listen\.freeze keeps encoder\.body\.net"):
        Full().choose(module(shelf).recognizer)


@pytest.mark.parametrize(("steps", "thawed"), [(2, False), (3, True)])
def test_layers_thaw_after_so_many_updates(shelf: Path, tmp_path: Path, steps: int, thawed: bool) -> None:
    made = module(shelf, thaw_after=2, thaw_layers=1)
    before = weights_of(made)
    assert "more later" in (share_line(made.recognizer, brought(made)) or "")
    fit(made, tmp_path, steps)
    expected = {"projection.weight", "projection.bias"}
    if thawed:
        expected |= {name for name in before if ".layers.2." in name or "net.layer_norm" in name}
    assert changed(before, made) == expected


def test_broken_off_before_and_after_the_thaw_it_ends_as_if_nothing_had_happened(
    shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight updates of which the third is the first with the last layer, against the same broken off at 2 and at 6."""

    def trained(folder: Path, stop_at: int = 0, resume: bool = False) -> dict[str, torch.Tensor]:
        made = module(shelf, thaw_after=2, thaw_layers=1, learning_rate=0.01)
        made.make_optimizer = functools.partial(torch.optim.Adam, lr=0.02)
        watchers = [*thawing(made.recognizer), *([InterruptAt(stop_at)] if stop_at else [])]
        with contextlib.suppress(Interrupted):
            fit_tiny(folder, "checkpoint.final=last", resume=resume, watchers=watchers, module=made)
        return weights_of(made)

    expected = trained(tmp_path / "whole")
    trained(tmp_path / "broken", stop_at=2)
    trained(tmp_path / "broken", stop_at=6, resume=True)
    continued = trained(tmp_path / "broken", resume=True)
    assert "warning" not in capsys.readouterr().err
    assert all(torch.equal(expected[name], value) for name, value in continued.items())


def test_a_best_checkpoint_from_before_the_thaw_is_taken(
    shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = module(shelf, thaw_after=100)
    fit_tiny(tmp_path, "checkpoint.final=best", watchers=thawing(made.recognizer), module=made)
    never = "warning: listen.thaw_after=100 is never reached, so nothing is thawed: training ends after 8 updates"
    assert [line for line in capsys.readouterr().err.splitlines() if "warning" in line] == [never]
    (best,) = tmp_path.glob("checkpoints/step=*.ckpt")
    stored = torch.load(best, weights_only=True)["state_dict"]
    prefix = "recognizer.model.encoder."
    assert all(torch.equal(stored[prefix + name], value) for name, value in weights_of(made).items())


def test_a_rate_of_its_own(shelf: Path, tmp_path: Path) -> None:
    made = module(shelf, freeze="none", learning_rate=0.125)
    fit(made, tmp_path, 1)
    first, second = made.optimizers().optimizer.param_groups  # type: ignore[union-attr]
    assert (first["lr"], second["lr"]) == (0.5, 0.125)
    assert {id(p) for p in second["params"]} == {id(p) for p in made.recognizer.model.encoder.brought()}
    assert not {id(p) for p in first["params"]} & {id(p) for p in second["params"]}


def test_what_is_frozen_stays_without_dropout(shelf: Path) -> None:
    made = module(shelf, thaw_after=2, thaw_layers=1)
    encoder = made.train().recognizer.model.encoder
    layers = encoder.body.layers
    assert encoder.training
    assert not any(layer.training for layer in layers)
    encoder.thaw()
    assert [layer.training for layer in layers] == [False, False, True]
    encoder.eval()
    assert not layers[2].training


def heard(recognizer: Recognizer) -> torch.Tensor:
    some = batch([0, 3])
    return recognizer.eval().encode_waveforms(some.waveforms, some.waveform_lengths).encoded


def test_a_bundle_holds_the_weights(shelf: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folder_of("whisper", shelf), tmp_path / "weights"))
    made = module(shelf, weights=str(folder)).recognizer
    made.save(tmp_path / "bundle")
    shutil.rmtree(folder)
    loaded = Recognizer.load(tmp_path / "bundle")
    torch.testing.assert_close(heard(loaded), heard(made), rtol=0, atol=0)
    assert pretrained_facts(loaded)["pretrained"] == {
        "weights": str(folder),
        "sha256": made.parts.listen["sha256"],
        "model_type": "whisper",
    }
    loaded.save(tmp_path / "again")
    torch.testing.assert_close(heard(Recognizer.load(tmp_path / "again")), heard(made), rtol=0, atol=0)


def test_a_bundle_refers_to_the_weights(shelf: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folder_of("whisper", shelf), tmp_path / "weights"))
    whole, made = module(shelf).recognizer, module(shelf, weights=str(folder), bundle="reference").recognizer
    whole.save(tmp_path / "whole")
    made.save(tmp_path / "bundle")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("bundle", "whole")]
    assert sizes[0] < sizes[1] - 4 * sum(p.numel() for p in made.model.encoder.body.parameters()) // 2
    torch.testing.assert_close(heard(Recognizer.load(tmp_path / "bundle")), heard(made), rtol=0, atol=0)
    shutil.copyfile(folder_of("whisper", shelf) / "config.json", folder / "model.safetensors")
    with pytest.raises(LasasrError, match=r"has sha256 \S+, not \S+ as when it was trained with"):
        Recognizer.load(tmp_path / "bundle")
    shutil.rmtree(folder)
    with pytest.raises(LasasrError, match="is no folder"):
        Recognizer.load(tmp_path / "bundle")


def test_a_reference_to_weights_that_are_trained_is_refused(shelf: Path) -> None:
    for options in ({"freeze": "none"}, {"freeze": "features"}, {"thaw_after": 3}):
        with pytest.raises(UsageError, match="bundle=reference is for weights that stay as they are"):
            module(shelf, bundle="reference", **options)
        trained_further = module(shelf, **options).recognizer
        with pytest.raises(UsageError, match="the weights were trained further, so that no other file has them"):
            trained_further.model.encoder.stored(trained_further.parts.listen, "reference")
