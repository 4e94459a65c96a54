"""Wrong folders and options: one line that names what is wrong, and nothing of them is run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from pretrained_folders import folder_of, shelf

from lasasr.errors import LasasrError, UsageError
from lasasr.listen.pretrained import folder
from lasasr.listen.pretrained.encoder import PretrainedEncoder
from lasasr.listen.pretrained.types import frontend_part
from lasasr.models import encoder_parts, factory

assert shelf  # a fixture


@pytest.fixture
def weights(shelf: Path, tmp_path: Path) -> Path:
    """A folder of its own."""
    return Path(shutil.copytree(folder_of("whisper", shelf), tmp_path / "weights"))


def build(weights: Path | str, **options: Any) -> PretrainedEncoder:
    return PretrainedEncoder(input_dim=80, weights=str(weights), **options)


def set_config(weights: Path, **changes: Any) -> None:
    path = weights / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_pickle_is_not_read(weights: Path) -> None:
    (weights / "model.safetensors").rename(weights / "pytorch_model.bin")
    with pytest.raises(LasasrError, match=r"pytorch_model\.bin, which can hold code, but no model\.safetensors"):
        build(weights)


def test_several_parts_are_refused(weights: Path) -> None:
    (weights / "model.safetensors").rename(weights / "model-00001-of-00002.safetensors")
    (weights / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(LasasrError, match="in several parts"):
        build(weights)


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_remote_code_is_refused(weights: Path, file: str) -> None:
    content = json.loads((weights / "config.json").read_text()) if file == "config.json" else {}
    (weights / file).write_text(json.dumps({**content, "auto_map": {"AutoModel": "evil.Model"}}))
    (weights / "evil.py").write_text(f"open({str(weights / 'ran')!r}, 'w')")
    with pytest.raises(LasasrError, match=rf"{file} asks for code of its own \(auto_map\)"):
        build(weights)
    assert not (weights / "ran").exists()


@pytest.mark.parametrize(
    ("model_type", "reason"),
    [
        ("bert", "model type bert is none of whisper, wav2vec2"),
        ("wav2vec2-conformer", "model type wav2vec2-conformer is not taken: its convolutions read padding"),
        ("data2vec-audio", "model type data2vec-audio is not taken: its positions read padding"),
        (None, "model type None is none of"),
    ],
)
def test_another_model_type_is_refused(weights: Path, model_type: str | None, reason: str) -> None:
    set_config(weights, model_type=model_type)
    with pytest.raises(UsageError, match=reason):
        build(weights)


def test_truncated_weights_are_refused(weights: Path) -> None:
    tensors = weights / "model.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-100])
    with pytest.raises(LasasrError, match=r"model\.safetensors is damaged or cut off"):
        build(weights)


def test_a_pointer_of_git_lfs_is_named(weights: Path) -> None:
    (weights / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(LasasrError, match=r"model\.safetensors is a pointer of Git LFS; .*: git lfs pull$"):
        build(weights)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoder_layers": 4}, r"lacks layers\.3\.\S+ and \d+ more: these are no weights of the whisper"),
        ({"d_model": 32}, r"has shape \(16, 80, 3\), and config.json says \(32, 80, 3\)"),
        ({"encoder_attention_heads": 3}, "config.json describes no whisper .*num_heads"),
        ({"quantization_config": {}}, "quantized weights"),
    ],
)
def test_weights_of_another_size_are_refused(weights: Path, changes: dict[str, Any], reason: str) -> None:
    set_config(weights, **changes)
    with pytest.raises(LasasrError, match=reason):
        build(weights)


def test_weights_that_are_not_finite_are_refused(weights: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(weights / "model.safetensors")
    tensors["model.encoder.conv1.bias"][0] = torch.nan
    save_file(tensors, weights / "model.safetensors")
    with pytest.raises(LasasrError, match=r"conv1\.bias holds NaN"):
        build(weights)


@pytest.mark.parametrize(
    ("preprocessor", "reason"),
    [
        ({"sampling_rate": 8000}, "sampling_rate=8000, and only 16000 is known here"),
        ({"hop_length": 80}, "hop_length=80, and only 160"),
        ({"feature_size": 128}, "feature_size=128, and only 80"),
    ],
)
def test_another_front_end_than_the_published_is_refused(
    weights: Path, preprocessor: dict[str, Any], reason: str
) -> None:
    (weights / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    with pytest.raises(UsageError, match=reason):
        frontend_part(folder.find(str(weights)))


def test_missing_weights_say_what_fetches_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(LasasrError, match=r"fetch it: hf download openai/nowhere --include config\.json"):
        build("openai/nowhere")
    with pytest.raises(LasasrError, match=r"is no folder$"):
        build(tmp_path / "nowhere")
    with pytest.raises(LasasrError, match=r"config\.json is missing: no folder of weights"):
        build(tmp_path)


def test_a_model_in_the_cache_of_the_hub_is_found(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants
    import huggingface_hub.file_download

    cache = tmp_path / "cache" / "models--openai--tiny"
    shutil.copytree(weights, cache / "snapshots" / ("0" * 40))
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    assert build("openai/tiny").sha256 == build(weights).sha256


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"window": "half"}, "listen.window must be real or full, got 'half'"),
        ({"layers": "first"}, "layers must be last or weighted, got 'first'"),
        ({"layers": 3}, "layers must be last or weighted, got 3"),
        ({"freeze": "some"}, "freeze must be all or features or none"),
        ({"bundle": "link"}, "bundle must be weights or reference"),
        ({"freeze": "none", "thaw_after": 3}, "thaw_after=3 is for freeze=all"),
        ({"thaw_after": 0}, "thaw_after must be at least 1"),
        ({"thaw_layers": 1}, "thaw_layers must be 1 to 3, and thaw_after says when"),
        ({"thaw_after": 3, "thaw_layers": 4}, "thaw_layers must be 1 to 3"),
        ({"learning_rate": 1e-5}, "learning_rate=1e-05 is of nothing"),
        ({"layer_drop": 1.0}, r"layer_drop must lie in \[0, 1\)"),
    ],
)
def test_options_without_a_meaning_are_refused(weights: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises((ValueError, UsageError), match=reason):
        build(weights, **options)


def test_a_front_end_that_disagrees_is_refused(weights: Path) -> None:
    listen = {"_target_": f"{PretrainedEncoder.__module__}.PretrainedEncoder", "weights": str(weights)}
    of_encoder = {"_target_": encoder_parts.OF_ENCODER}
    needed, resolved = encoder_parts.resolved_parts(of_encoder, listen)
    assert needed == {"_target_": "lasasr.audio.whisper_log_mel.WhisperLogMelFrontend", "bins": 80}
    assert encoder_parts.resolved_parts({"_target_": needed["_target_"]}, resolved)[1] == resolved
    with pytest.raises(UsageError, match=r"is not the one that listen\.weights=.* was trained with"):
        encoder_parts.resolved_parts({"_target_": "lasasr.audio.fbank_frontend.FbankFrontend"}, listen)
    with pytest.raises(UsageError, match="frontend=of_encoder is for an encoder that needs a certain one"):
        factory.frontend(of_encoder, 1)
