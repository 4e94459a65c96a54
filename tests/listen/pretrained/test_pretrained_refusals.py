"""Wrong folders and options: one line that names what is wrong, and nothing of them is run."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pretrained_folders import folder_of, shelf, transformers

from lasasr.errors import LasasrError, UsageError
from lasasr.listen.pretrained import folder
from lasasr.listen.pretrained.encoder import PretrainedEncoder
from lasasr.listen.pretrained.types import frontend_part
from lasasr.models import encoder_parts, factory
from lasasr.nn import initial_weights

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
    ],
)
def test_another_model_type_is_refused(weights: Path, model_type: str | None, reason: str) -> None:
    set_config(weights, model_type=model_type)
    with pytest.raises(UsageError, match=reason):
        build(weights)


@pytest.mark.parametrize("model_type", [None, ["whisper"]])
def test_a_config_without_a_model_type_is_refused(weights: Path, model_type: Any) -> None:
    set_config(weights, model_type=model_type)
    with pytest.raises(LasasrError, match=r"config\.json names no model_type"):
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
        ({"encoder_layers": 2}, r"also has layers\.2\.\S+ and 14 more: these are no weights of the whisper"),
        ({"encoder_layers": 0}, "describes no whisper .it has no layers"),
        ({"encoder_layers": 10**8}, r"describes another model than that of \S+: it has far more layers"),
        ({"d_model": 10**9}, r"describes another model than that of \S+: one of its tensors needs"),
        ({"encoder_attention_heads": 3}, "config.json describes no whisper .*num_heads"),
        ({"activation_function": "x"}, "config.json describes no whisper .KeyError: 'x'"),
        ({"dropout": 5.0}, "config.json describes no whisper .dropout=5.0 is no probability"),
        ({"dropout": float("nan")}, "dropout=nan is no probability"),
        ({"quantization_config": {}}, "quantized weights"),
    ],
)
def test_weights_of_another_size_are_refused(weights: Path, changes: dict[str, Any], reason: str) -> None:
    set_config(weights, **changes)
    with pytest.raises(LasasrError, match=reason):
        build(weights)


@pytest.mark.parametrize("bins", ["eighty", None, 80.0, 0, 10**9])
def test_a_number_of_mel_bands_that_makes_no_sense_is_refused(weights: Path, bins: Any) -> None:
    set_config(weights, num_mel_bins=bins)
    with pytest.raises(UsageError, match=rf"config\.json says num_mel_bins={bins!r}, which is no number of mel bands"):
        frontend_part(folder.find(str(weights)))


@pytest.mark.parametrize(
    ("name", "changed", "reason"),
    [
        ("conv1.bias", lambda old: old.index_fill(0, torch.tensor([0]), torch.nan), "holds NaN or infinite"),
        ("conv1.bias", lambda old: old.double() + 1e300, "holds NaN or infinite"),
        ("conv1.weight", lambda old: (50 * old).to(torch.int8), "is int8; take weights in float16"),
        ("conv1.weight", lambda old: old.to(torch.float8_e4m3fn), "is float8_e4m3fn; take weights in float16"),
        ("conv1.weight", lambda old: old.to(torch.complex64), "is complex64; take weights in float16"),
        ("layers.0.self_attn.k_proj.bias", lambda _: torch.zeros(16), r"also has layers\.0\.self_attn\.k_proj\.bias:"),
    ],
)
def test_other_weights_than_those_of_the_model_are_refused(
    weights: Path, name: str, changed: Callable[[torch.Tensor | None], torch.Tensor], reason: str
) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(weights / "model.safetensors")
    tensors[f"model.encoder.{name}"] = changed(tensors.get(f"model.encoder.{name}"))
    save_file(tensors, weights / "model.safetensors")
    with pytest.raises(LasasrError, match=reason):
        build(weights)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_those_that_it_rounds_to(weights: Path, dtype: torch.dtype) -> None:
    from safetensors.torch import load_file, save_file

    tensors = {name: value.to(dtype) for name, value in load_file(weights / "model.safetensors").items()}
    save_file(tensors, weights / "model.safetensors")
    for name, value in build(weights).body.net.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, tensors[f"model.encoder.{name}"].float())


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_what_is_no_file_is_named_and_not_waited_for(weights: Path, file: str) -> None:
    (weights / file).unlink(missing_ok=True)
    os.mkfifo(weights / file)
    with pytest.raises(LasasrError, match=rf"{file} (is no file|cannot be read \(it is no file)"):
        build(weights)
    (weights / file).unlink()
    (weights / file).symlink_to(file)
    with pytest.raises(LasasrError, match=rf"{file} (is a link to {file}|cannot be read \(it is no file)"):
        build(weights)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")
@pytest.mark.parametrize("file", [".", "config.json", "preprocessor_config.json", "model.safetensors"])
def test_what_may_not_be_read_is_named(weights: Path, file: str) -> None:
    (weights / "preprocessor_config.json").write_text("{}")
    for parent in (weights, *weights.parents):
        if parent.stat().st_uid == 0 and parent.is_relative_to(tempfile.gettempdir()):
            parent.chmod(parent.stat().st_mode | 0o055)
    (weights / file).chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(LasasrError, match=rf"^listen\.weights=\S+: \S*{file} cannot be read .Permission denied.$"):
            build(weights)
    finally:
        os.seteuid(0)


def test_code_that_computes_attention_is_not_chosen_by_a_bundle(weights: Path) -> None:
    architecture = json.loads((weights / "config.json").read_text())
    chosen = {"_attn_implementation": "evil/kernel", "attn_implementation": "evil/kernel"}
    with initial_weights.read_later():
        encoder = build(weights, architecture={**architecture, **chosen}, sha256="0")
    assert encoder.body.net.config._attn_implementation == "sdpa"


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


def test_features_are_those_of_processor_config_too(shelf: Path, tmp_path: Path) -> None:
    """`save_pretrained` of a processor writes no preprocessor_config.json any more."""
    weights = Path(shutil.copytree(folder_of("wav2vec2", shelf), tmp_path / "weights"))
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=False)
    extractor.save_pretrained(tmp_path / "alone")
    said = json.loads((tmp_path / "alone" / "preprocessor_config.json").read_text())
    (weights / "preprocessor_config.json").write_text(json.dumps({**said, "do_normalize": True}))
    assert frontend_part(folder.find(str(weights)))["normalise"] is True
    (weights / "processor_config.json").write_text(json.dumps({"feature_extractor": said}))
    loaded = transformers.AutoFeatureExtractor.from_pretrained(weights)
    assert frontend_part(folder.find(str(weights)))["normalise"] is loaded.do_normalize is False
    for wrong, reason in (
        ({**said, "sampling_rate": 8000}, r"processor_config\.json says sampling_rate=8000, and only 16000"),
        ({**said, "do_normalize": "false"}, r"processor_config\.json says do_normalize='false', which is neither"),
        ({**said, "auto_map": {}}, r"processor_config\.json asks for code of its own"),
        (3, r"processor_config\.json cannot be read \(feature_extractor is no mapping"),
    ):
        (weights / "processor_config.json").write_text(json.dumps({"feature_extractor": wrong}))
        with pytest.raises(LasasrError, match=reason):
            frontend_part(folder.find(str(weights)))


def test_missing_weights_say_what_fetches_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(LasasrError, match=r"fetch it: hf download openai/nowhere --include config\.json"):
        build("openai/nowhere")
    with pytest.raises(LasasrError, match=r"is no folder$"):
        build(tmp_path / "nowhere")
    for name in ("../nowhere", "nowhere..else", "-nowhere"):
        with pytest.raises(LasasrError, match=rf"={name} is neither a folder nor a name on the hub; looked up from "):
            build(name)
    with pytest.raises(LasasrError, match=r"is no folder$"):
        build("~nobody-of-this-name/weights")
    with pytest.raises(LasasrError, match=r"listen\.weights is empty; write a folder"):
        build(" ")
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(LasasrError, match=r"is a file; write the folder that holds it"):
        build(tmp_path / "model.safetensors")
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
    (cache / "snapshots" / ("0" * 40) / "model.safetensors").unlink()
    with pytest.raises(LasasrError, match=r"has no model\.safetensors; fetch it: hf download openai/tiny --include"):
        build("openai/tiny")


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
        ({"learning_rate": 0.0, "freeze": "none"}, "learning_rate must be above 0, got 0.0"),
        ({"learning_rate": -1.0, "thaw_after": 3}, "learning_rate must be above 0, got -1.0"),
        ({"layer_drop": 1.0, "freeze": "none"}, r"layer_drop must lie in \[0, 1\)"),
        ({"layer_drop": 0.1}, "layer_drop=0.1 skips trained layers: freeze=all, and nothing is thawed"),
        ({"projection_dim": -3}, "projection_dim must be ≥ 1, got -3"),
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
