"""Bottlenecks after layers, against the formula applied by hooks; their bundles."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from tiny_recognizer import parts
from torch import Tensor, nn

from lasasr.adapt.adapter import Adapter, Bottleneck
from lasasr.adapt.names import named_parameters
from lasasr.artifacts import delta
from lasasr.errors import UsageError
from lasasr.models.adaptation import Adaptation
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer

PART = {"_target_": "lasasr.adapt.adapter.Adapter", "bottleneck_dim": 3}


def made() -> Recognizer:
    torch.manual_seed(1)
    return Recognizer.build(parts(0.3), CharacterTokenizer.train(["abcd"]), "none/1").eval()


def adapted(recognizer: Recognizer) -> Recognizer:
    method = Adapter(bottleneck_dim=3)
    method.add(recognizer, 1)
    method.choose(recognizer)
    for part in recognizer.modules():
        if isinstance(part, Bottleneck):
            part.up.weight.data.normal_(generator=torch.Generator().manual_seed(2))
    return recognizer


def encoded(recognizer: Recognizer) -> Tensor:
    features = torch.randn(2, 30, 8, generator=torch.Generator().manual_seed(3))
    return recognizer.model.encode(features, torch.tensor([30, 13])).encoded


def test_it_computes_the_formula_after_each_layer_and_padding_stays_0() -> None:
    recognizer, plain = adapted(made()), made()
    for layer, own in zip(plain.model.encoder.layers, recognizer.model.encoder.layers, strict=True):  # type: ignore
        down, up = (getattr(own.adapter, name).weight.detach() for name in ("down", "up"))

        def hook(_: nn.Module, __: object, x: Tensor, down: Tensor = down, up: Tensor = up) -> Tensor:
            return x + torch.einsum("em,btm->bte", up, torch.einsum("me,bte->btm", down, x).clamp(min=0))

        layer.register_forward_hook(hook)
    torch.testing.assert_close(encoded(recognizer), encoded(plain))
    assert not encoded(recognizer)[1, 7:].any()
    assert torch.equal(encoded(copy.deepcopy(recognizer)), encoded(recognizer))


def test_at_the_start_nothing_is_changed_and_only_the_modules_are_trained() -> None:
    recognizer, method = made(), Adapter(bottleneck_dim=3)
    before = encoded(recognizer)
    method.add(recognizer, 1)
    method.choose(recognizer)
    assert torch.equal(encoded(recognizer), before)
    trained = {name for name, p in named_parameters(recognizer).items() if p.requires_grad}
    assert trained == {f"encoder.layers.{n}.adapter.{part}.weight" for n in (0, 1) for part in ("down", "up")}


def test_a_delta_and_a_merged_bundle_compute_the_same(tmp_path: Path) -> None:
    made().save(tmp_path / "base")
    recognizer = adapted(Recognizer.load(tmp_path / "base"))
    recognizer.adaptation = Adaptation({"adapter": PART}, delta.base_at(tmp_path / "base"))
    recognizer.save(tmp_path / "delta")
    loaded = Recognizer.load(tmp_path / "delta")
    assert torch.equal(encoded(loaded), encoded(recognizer))
    loaded.merge()
    loaded.save(tmp_path / "merged")
    (tmp_path / "base" / "model.safetensors").unlink()
    assert torch.equal(encoded(Recognizer.load(tmp_path / "merged")), encoded(recognizer))


def test_what_cannot_be_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"after: encoder\.layer\.0 matches no layers .*encoder\.layers\.0"):
        Adapter(after=["encoder.layer.0"]).add(made(), 1)
    with pytest.raises(ValueError, match="bottleneck_dim"):
        Adapter(bottleneck_dim=0)


@pytest.mark.parametrize(
    ("encoder", "more"),
    [("transformer.TransformerEncoder", {}), ("conformer.ConformerEncoder", {"kernel_size": 3})],
)
def test_layers_of_self_attention_have_them_too(encoder: str, more: dict[str, int], tmp_path: Path) -> None:
    sizes = {"hidden_dim": 8, "heads": 2, "layers": 2, "feedforward_dim": 12, "subsampling_factor": 4, **more}
    listen = {"_target_": f"lasasr.listen.{encoder}", "_partial_": True, **sizes}
    plain, own = (
        Recognizer.build(parts(0.3, listen=listen), CharacterTokenizer.train(["abcd"]), "none/1").eval() for _ in "ab"
    )
    before = encoded(plain)
    Adapter(bottleneck_dim=3).add(own, 1)
    assert torch.equal(encoded(own), before)
    for layer, bare in zip(own.model.encoder.layers, plain.model.encoder.layers, strict=True):  # type: ignore
        layer.adapter.up.weight.data.normal_(generator=torch.Generator().manual_seed(2))
        bare.register_forward_hook(lambda _, __, x, adapter=layer.adapter: adapter(x))
    assert not torch.allclose(encoded(own), before)
    torch.testing.assert_close(encoded(own), encoded(plain))
    own.adaptation = Adaptation({"adapter": PART})
    own.save(tmp_path / "bundle")
    assert torch.equal(encoded(Recognizer.load(tmp_path / "bundle")), encoded(own))
