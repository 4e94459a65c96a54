"""A bundle that is a delta to another one, read back, merged, and refused where it does not belong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny_recognizer import parts

from lasasr.adapt.lora import Lora, LowRank
from lasasr.artifacts import delta
from lasasr.errors import LasasrError, UsageError
from lasasr.models.adaptation import Adaptation
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer

PART = {"_target_": "lasasr.adapt.lora.Lora", "rank": 2, "also": ["ctc.output.bias"]}


def made(seed: int = 1) -> Recognizer:
    torch.manual_seed(seed)
    return Recognizer.build(parts(0.3, seed), CharacterTokenizer.train(["abcd"]), "none/1").eval()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    made().save(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def adapted(base: Path) -> Recognizer:
    recognizer = Recognizer.load(base)
    Lora(rank=2, also=["ctc.output.bias"]).add(recognizer, 1)
    for part in recognizer.modules():
        if isinstance(part, LowRank):
            part.b.data.normal_(generator=torch.Generator().manual_seed(1))
    assert recognizer.model.ctc is not None
    recognizer.model.ctc.output.bias.data += 1.0
    recognizer.adaptation = Adaptation({"lora": PART}, delta.base_at(base))
    return recognizer


@pytest.fixture
def saved(adapted: Recognizer, tmp_path: Path) -> Path:
    adapted.save(tmp_path / "delta")
    return tmp_path / "delta"


def logits(recognizer: Recognizer) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    features, frames = torch.randn(2, 30, 8, generator=generator), torch.tensor([30, 21])
    tokens = torch.tensor([[4, 5, 6], [7, 5, 4]])
    with torch.no_grad():
        output = recognizer.model(features, frames, tokens, torch.tensor([3, 3]))
    return torch.cat((output.logits.flatten(), output.ctc_log_probs.flatten()))


def test_a_delta_holds_what_differs_and_no_more(adapted: Recognizer, saved: Path, base: Path) -> None:
    held, below = load_file(saved / "adapter.safetensors"), load_file(base / "model.safetensors")
    assert {name for name in held if name in below} == {"model.ctc.output.bias"}
    assert all(name.endswith((".0.a", ".0.b")) for name in held if name not in below)
    assert not (saved / "model.safetensors").exists()
    loaded = Recognizer.load(saved)
    assert torch.equal(logits(loaded), logits(adapted))
    assert not torch.allclose(logits(loaded), logits(Recognizer.load(base)))
    assert loaded.adaptation == adapted.adaptation


def test_it_is_written_again_as_it_was(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "deep" / "er" / "again"
    Recognizer.load(saved).save(again)
    assert (again / "adapter.safetensors").read_bytes() == (saved / "adapter.safetensors").read_bytes()
    assert torch.equal(logits(Recognizer.load(again)), logits(Recognizer.load(saved)))


def test_merged_it_is_plain_weights_that_compute_the_same(saved: Path, base: Path, tmp_path: Path) -> None:
    recognizer = Recognizer.load(saved)
    before = logits(recognizer)
    recognizer.merge()
    assert recognizer.adaptation is None
    recognizer.save(tmp_path / "merged")
    shutil.rmtree(base)
    merged = Recognizer.load(tmp_path / "merged")
    torch.testing.assert_close(logits(merged), before, rtol=1e-5, atol=1e-5)
    assert set(load_file(tmp_path / "merged" / "model.safetensors")) == set(merged.state_dict())
    assert not {"adapter", "base"} & set(yaml.safe_load((tmp_path / "merged" / "config.yaml").read_text()))


def test_a_bundle_may_hold_all_weights_and_the_factors(adapted: Recognizer, base: Path, tmp_path: Path) -> None:
    adapted.adaptation = Adaptation({"lora": PART})
    adapted.save(tmp_path / "whole")
    shutil.rmtree(base)
    loaded = Recognizer.load(tmp_path / "whole")
    assert torch.equal(logits(loaded), logits(adapted))
    with pytest.raises(UsageError, match="whole is no adapter: it holds all weights, and needs no base"):
        Recognizer.load(tmp_path / "whole", base=tmp_path / "whole")


def test_the_base_is_found_or_given(saved: Path, base: Path, tmp_path: Path) -> None:
    expected = logits(Recognizer.load(saved))
    both = tmp_path / "moved"
    both.mkdir()
    for folder in (saved, base):
        shutil.move(folder, both / folder.name)
    assert torch.equal(logits(Recognizer.load(both / "delta")), expected)
    shutil.move(both / "base", tmp_path / "elsewhere")
    with pytest.raises(LasasrError, match=r"delta is a delta to the bundle .*base, which is not there: lasasr transcr"):
        Recognizer.load(both / "delta")
    assert torch.equal(logits(Recognizer.load(both / "delta", base=tmp_path / "elsewhere")), expected)


def test_another_base_is_refused(saved: Path, base: Path, tmp_path: Path) -> None:
    made(seed=2).save(tmp_path / "other")
    with pytest.raises(
        LasasrError, match=r"delta is an adapter for another base: .*other.* has sha256 \w{12}\.\.\., not"
    ):
        Recognizer.load(saved, base=tmp_path / "other")
    made(seed=2).save(base)
    with pytest.raises(LasasrError, match="adapter for another base"):
        Recognizer.load(saved)


def test_a_base_that_changes_under_a_training_is_said_when_the_delta_is_written(
    adapted: Recognizer, base: Path, tmp_path: Path
) -> None:
    made(seed=2).save(base)
    with pytest.raises(LasasrError, match="has changed since it was adapted"):
        adapted.save(tmp_path / "delta")


def test_a_delta_is_no_base(saved: Path) -> None:
    with pytest.raises(LasasrError, match=r"delta is itself a delta to another bundle: lasasr export \S+ --merge"):
        delta.base_at(saved)


def changed(saved: Path, **values: object) -> Path:
    path = saved / "config.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}))
    return saved


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"base": None}, "base must hold folder and sha256, got None"),
        ({"base": {"folder": 3, "sha256": "x"}}, "base must hold folder and sha256"),
        ({"adapter": [1]}, "adapter must hold methods by name"),
        ({"adapter": {"lora": {**PART, "rank": 3}}}, "does not fit its config.yaml|has shape"),
        ({"adapter": {"lora": {**PART, "rank": 10**9}}}, "adapter.lora.rank is 1000000000, which is no size"),
        ({"adapter": {"lora": {"_target_": "os.system"}}}, "outside the allowed prefixes"),
        ({"adapter": {}}, "does not fit its config.yaml"),
    ],
)
def test_a_damaged_delta_is_one_line(saved: Path, values: dict[str, object], said: str) -> None:
    with pytest.raises(LasasrError, match=said) as caught:
        Recognizer.load(changed(saved, **values))
    assert "\n" not in str(caught.value)


def test_factors_that_are_no_numbers_are_refused(saved: Path) -> None:
    path = saved / "adapter.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith(".a"))
    tensors[name][0, 0] = float("nan")
    save_file(tensors, path)
    with pytest.raises(LasasrError, match=r"0\.a holds NaN or infinite numbers"):
        Recognizer.load(saved)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(LasasrError, match=r"adapter\.safetensors is damaged"):
        Recognizer.load(saved)
