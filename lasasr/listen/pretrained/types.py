"""The model types that may be read: those whose encoder keeps the contract of `listen`, which the tests try."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from lasasr.errors import LasasrError, UsageError
from lasasr.listen.pretrained.body import Body
from lasasr.listen.pretrained.folder import WeightsFolder
from lasasr.nn.allocation import TooLargeError

INSTALL: Final = "pip install 'lasasr[pretrained]'"
WINDOWS: Final = ("real", "full")
SAMPLE_RATE_HZ: Final = 16_000
_MOST_BINS: Final = 1024  # of mel; published models have 80 or 128


class Type(NamedTuple):
    """A type of model."""

    body: str  # class below lasasr.listen.pretrained
    frontend: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]  # config, preprocessor → part
    windows: bool = False  # whether there is a choice of `window`


def _log_mel(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    bins = _bins(config)
    _published(preprocessor, feature_size=bins, hop_length=160, n_fft=400)
    return {"_target_": "lasasr.audio.whisper_log_mel.WhisperLogMelFrontend", "bins": bins}


def _waveform(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    """Normalised or not: the large models are, the base models of Microsoft are not."""
    large = config.get("feat_extract_norm") == "layer"
    published = large or config.get("model_type") in ("wav2vec2", "hubert")
    normalise = preprocessor.get("do_normalize", published)
    if not isinstance(normalise, bool):
        raise _OtherError(f"do_normalize={normalise!r}, which is neither true nor false")
    return {"_target_": "lasasr.audio.waveform.WaveformFrontend", "normalise": normalise}


def _bins(config: Mapping[str, Any]) -> int:
    bins = config.get("num_mel_bins", 80)
    if not isinstance(bins, int) or not 1 <= bins <= _MOST_BINS:
        raise _ConfigError(f"num_mel_bins={bins!r}, which is no number of mel bands")
    return bins


def _stacked_fbank(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    _published(preprocessor, feature_size=80, num_mel_bins=80, stride=2)
    return {"_target_": "lasasr.audio.stacked_fbank.StackedFbankFrontend"}


def _parakeet(config: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    bins = _bins(config.get("encoder_config") or config)
    _published(preprocessor, feature_size=bins, hop_length=160, n_fft=512, win_length=400, preemphasis=0.97)
    return {"_target_": "lasasr.audio.parakeet_log_mel.ParakeetLogMelFrontend", "bins": bins}


TYPES: Final[dict[str, Type]] = {
    "whisper": Type("whisper.WhisperBody", _log_mel, windows=True),
    "wav2vec2": Type("wav2vec2.Wav2Vec2Body", _waveform),
    "hubert": Type("wav2vec2.HubertBody", _waveform),
    "wavlm": Type("wav2vec2.WavLMBody", _waveform),
    "unispeech-sat": Type("wav2vec2.UniSpeechSatBody", _waveform),
    "wav2vec2-bert": Type("wav2vec2_bert.Wav2Vec2BertBody", _stacked_fbank),
    "parakeet_ctc": Type("parakeet.ParakeetBody", _parakeet),
    "parakeet_encoder": Type("parakeet.ParakeetBody", _parakeet),
}
REFUSED: Final = {
    "wav2vec2-conformer": "its convolutions read padding, so that an utterance is encoded otherwise in a batch",
    "data2vec-audio": "its positions read padding, so that an utterance is encoded otherwise in a batch",
}
_NOT_KEPT: Final = ("architectures", "attn_implementation", "dtype", "torch_dtype", "transformers_version", "use_cache")
_CHOICES_OF_CODE: Final = ("attn_implementation", "experts_implementation")  # may name code that the hub holds


def type_of(name: str, model_type: str) -> Type:
    """The type of a model.

    Raises:
        UsageError: it is not one of those that keep the contract.
    """
    if model_type in REFUSED:
        raise UsageError(f"listen.weights={name}: model type {model_type} is not taken: {REFUSED[model_type]}")
    if model_type not in TYPES:
        raise UsageError(f"listen.weights={name}: model type {model_type} is none of {', '.join(TYPES)}")
    return TYPES[model_type]


def architecture(folder: WeightsFolder) -> dict[str, Any]:
    """config.json as a bundle carries it: what the model is built from, and nothing that asks for more."""
    config = {key: value for key, value in folder.config.items() if key not in _NOT_KEPT and not key.startswith("_")}
    return {**config, "model_type": folder.model_type}


def frontend_part(folder: WeightsFolder) -> dict[str, Any]:
    """The front end that the weights were trained with, as a part of a configuration.

    Raises:
        UsageError: the model type is not taken, or the folder asks for other features than its type has.
    """
    model = type_of(folder.name, folder.model_type)
    try:
        _published(folder.preprocessor, sampling_rate=SAMPLE_RATE_HZ)
        return model.frontend(folder.config, folder.preprocessor)
    except _OtherError as error:
        raise UsageError(f"listen.weights={folder.name}: {folder.preprocessor_file} says {error}") from None
    except _ConfigError as error:
        raise UsageError(f"listen.weights={folder.name}: config.json says {error}") from None


def body(model_type: str, config: Mapping[str, Any], window: str, name: str) -> Body:
    """The model of a config.json, with random weights.

    Raises:
        UsageError: transformers is not installed, or the type or window is unknown.
        LasasrError: config.json does not describe such a model.
        TooLargeError: it is larger than `allocation.Bounded` allows.
    """
    model = type_of(name, model_type)
    if window not in WINDOWS:
        raise UsageError(f"listen.window must be {' or '.join(WINDOWS)}, got {window!r}")
    if window != WINDOWS[0] and not model.windows:
        raise UsageError(f"listen.window={window} is for Whisper; {model_type} has no window: leave it out")
    module, _, kind = model.body.rpartition(".")
    require_transformers()
    body_class = getattr(importlib.import_module(f"lasasr.listen.pretrained.{module}"), kind)
    settings = _without_code({key: value for key, value in config.items() if key != "model_type"})
    try:
        _check_probabilities(settings)
        built = cast(Body, body_class(settings, window) if model.windows else body_class(settings))
        if not len(built.layers):
            raise ValueError("it has no layers")
        return built
    except (LasasrError, TooLargeError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        reason = reason if isinstance(error, ValueError | TypeError) else f"{type(error).__name__}: {reason}"
        raise LasasrError(f"listen.weights={name}: config.json describes no {model_type} ({reason})") from error


def require_transformers() -> None:
    """Refuse to go on without the library that has the models.

    Raises:
        UsageError: it is not installed, or of another generation.
    """
    try:
        import transformers
    except ImportError:
        raise UsageError(f"listen=pretrained needs transformers: {INSTALL}") from None
    if not transformers.__version__.startswith("5."):
        raise UsageError(f"listen=pretrained needs transformers 5, and {transformers.__version__} is here: {INSTALL}")


class _OtherError(Exception):
    """A folder asks for other features than those of its type."""


class _ConfigError(Exception):
    """config.json describes no features."""


def _without_code(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config.json, or that in a bundle, of plain options: none chooses what computes attention, at any depth."""
    return {
        key: _without_code(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if not str(key).startswith("_") and key not in _CHOICES_OF_CODE
    }


def _check_probabilities(config: Mapping[str, Any]) -> None:
    """Refuse a dropout that torch refuses only when it drops."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            _check_probabilities(value)
        elif "drop" in str(key) and isinstance(value, int | float) and not 0 <= value <= 1:
            raise ValueError(f"{key}={value} is no probability")


def _published(preprocessor: Mapping[str, Any], **values: Any) -> None:
    """Refuse what says other values of features than the type was published with."""
    for key, value in values.items():
        if preprocessor.get(key, value) != value:
            raise _OtherError(f"{key}={preprocessor[key]!r}, and only {value} is known here")
