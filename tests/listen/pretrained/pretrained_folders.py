"""Folders of random weights, one for each model type, as transformers saves them; needs transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="no transformers: pip install 'lasasr[pretrained]'")

WHISPER = {
    "d_model": 16,
    "encoder_layers": 3,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 24,
    "num_mel_bins": 80,
    "max_source_positions": 150,
    "vocab_size": 30,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8, 8, 8, 8, 8, 8, 8),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 7,
    "vocab_size": 8,
}
LARGE = {**SMALL, "feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
BERT = {key: SMALL[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")}
PARAKEET = {**BERT, "subsampling_conv_channels": 4, "conv_kernel_size": 5}
# case → class of the configuration, class of the model, options; a case is a model type, or one of its two forms
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "whisper": ("WhisperConfig", "WhisperForConditionalGeneration", WHISPER),
    "wav2vec2": ("Wav2Vec2Config", "Wav2Vec2ForPreTraining", {**SMALL, "num_codevectors_per_group": 4}),
    "wav2vec2+large": ("Wav2Vec2Config", "Wav2Vec2Model", LARGE),
    "hubert": ("HubertConfig", "HubertModel", SMALL),
    "hubert+large": ("HubertConfig", "HubertForCTC", LARGE),
    "wavlm": ("WavLMConfig", "WavLMModel", SMALL),
    "wavlm+large": ("WavLMConfig", "WavLMModel", LARGE),
    "unispeech-sat": ("UniSpeechSatConfig", "UniSpeechSatModel", SMALL),
    "wav2vec2-bert": ("Wav2Vec2BertConfig", "Wav2Vec2BertForCTC", {**BERT, "vocab_size": 8}),
    "parakeet_ctc": ("ParakeetCTCConfig", "ParakeetForCTC", {"encoder_config": PARAKEET, "vocab_size": 8}),
    "parakeet_encoder": ("ParakeetEncoderConfig", "ParakeetEncoder", PARAKEET),
    "unispeech-sat+large": ("UniSpeechSatConfig", "UniSpeechSatForCTC", LARGE),
}


def model_of(case: str) -> Any:
    """The model with random weights, none of them zero, in evaluation."""
    config, model, options = CASES[case]
    torch.manual_seed(3)
    made = getattr(transformers, model)(getattr(transformers, config)(**options)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for part in made.modules():
            if isinstance(part, torch.nn.BatchNorm1d) and part.running_mean is not None:
                part.running_mean.normal_()
    return made


def folder_of(case: str, path: Path) -> Path:
    """A folder of the model, written once."""
    if not (path / case).is_dir():
        model_of(case).save_pretrained(path / case)
    return path / case


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the folders of a session lie."""
    return tmp_path_factory.mktemp("pretrained")
