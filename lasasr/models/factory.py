"""Where a config becomes objects: the only place where it does.

`_target_` names a class or function, and `gate` says which may stand where: a config or a bundle from a stranger runs
no code of theirs. The keys beside it are arguments; `_partial_: true` leaves some of them to whoever builds it,
`_args_` is a list of positional ones, and with `_recursive_: false` parts among the arguments stay plain values.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import torch
from torch import nn

from lasasr.artifacts import run_paths
from lasasr.artifacts.files import read_json
from lasasr.audio import base as frontends
from lasasr.audio.base import Frontend
from lasasr.audio.perturb import FinitePerturbation
from lasasr.configuration import gate, users_parts
from lasasr.configuration.arguments import check_arguments
from lasasr.configuration.configurable import configurable
from lasasr.configuration.contracts import contract_of, place_kind
from lasasr.configuration.returned import check_returned
from lasasr.configuration.sections import Part
from lasasr.configuration.settings import Recognition
from lasasr.corpora.base import Corpus, TextCorpus
from lasasr.errors import LasasrError, PartError, UsageError
from lasasr.listen.base import Encoder
from lasasr.lm.base import LanguageModel
from lasasr.losses.base import Loss
from lasasr.models import encoder_parts, first_calls
from lasasr.models.network import CTCHead, Model
from lasasr.models.parts import ModelParts
from lasasr.models.preset_weights import initialise_checked
from lasasr.nn.initial_weights import built_by
from lasasr.text import storage
from lasasr.text.base import Tokenizer

M = TypeVar("M", bound=nn.Module)
# What a shipped class raises for options that make no sense, torch among it: a negative dimension, no memory for it
_OF_OPTIONS: Final = (TypeError, ValueError, RuntimeError, ArithmeticError, MemoryError, IndexError)
# The keys that are no arguments of a part, and the value that each has where it is left out.
DIRECTIVES: Final[dict[str, Any]] = {"_partial_": False, "_recursive_": True, "_args_": [], "_convert_": "all"}
# The key of searches that names a language model by its path: `search_parts` puts the model itself in its place.
LANGUAGE_MODEL: Final = "lm"
NOTHING_TO_GROW: Final = "tokenizer=grown adds tokens to those of a recognizer that is trained on: add adapt=full ..."
# What a constructor of the user's raises for options that make no sense
_OF_VALUES: Final = (TypeError, ValueError, OSError, RuntimeError)


def check_targets(config: Any, place: str = "") -> None:
    """Refuse every `_target_`, at any depth, that may not stand where it stands, and arguments of another kind.

    Args:
        place: of `config` in the configuration; "" for the whole.

    Raises:
        UsageError: names the place, the target and the way to allow it, or the argument.
    """
    if isinstance(config, Mapping):
        target = gate.resolve(config["_target_"], place) if "_target_" in config else None
        for key, value in config.items():
            check_targets(value, f"{place}.{key}" if place else str(key))
        if target is not None:
            own = {key: value for key, value in _arguments(config).items() if not is_path_of_model(key, value)}
            check_arguments(target, own, place)
    elif isinstance(config, list | tuple):
        for position, value in enumerate(config):
            check_targets(value, f"{place}[{position}]")


def build(config: Part, place: str, **finish: Any) -> Any:
    """The object that `config` describes; a `_partial_` one is finished with the keywords `finish`.

    Args:
        config: plain values with a `_target_`.
        place: where it stands in the configuration (`attend`), for its contract and for messages.

    Raises:
        UsageError: a target may not stand there, does not exist, does not take these options, or returns something
            else than what its place takes; or an argument of `finish` is set.
    """
    if "_target_" not in config:
        raise UsageError(f"{place} has no _target_, so there is nothing to build")
    if config.get("_partial_") and (supplied := sorted(finish.keys() & config.keys())):
        raise UsageError(
            f"{place}.{supplied[0]} cannot be set: the toolkit supplies it (~{place}.{supplied[0]} leaves it out)"
        )
    check_targets(config, place)  # before the first of its parts is made
    maker = _maker(config, place)
    if config.get("_partial_"):
        users_own = users_parts.is_users(config["_target_"])  # whatever it raises, it is named
        return _called(partial(maker, **finish), config, place, Exception if users_own else _OF_OPTIONS)
    return _called(maker, config, place, Exception)


def _maker(config: Part, place: str) -> Callable[..., Any]:
    """The part's class or function with its arguments, not called yet."""
    _check_directives(config, place)
    target = gate.resolve(config["_target_"], place)
    make = _argument if config.get("_recursive_", True) else lambda value, _: copy.deepcopy(value)
    positional = [make(value, f"{place}._args_") for value in config.get("_args_", ())]
    check_arguments(target, _arguments(config), place)
    named = {key: make(value, f"{place}.{key}") for key, value in _arguments(config).items()}
    return partial(target, *positional, **named)


def _arguments(config: Part) -> dict[str, Any]:
    """The keys that are arguments of a part."""
    return {key: value for key, value in config.items() if key not in (*DIRECTIVES, "_target_")}


def is_path_of_model(key: str, value: Any) -> bool:
    """Whether an argument is the path of a language model."""
    return key == LANGUAGE_MODEL and isinstance(value, str)


def _argument(value: Any, place: str) -> Any:
    """A value with the parts in it made, in containers of its own."""
    if isinstance(value, Mapping):
        if "_target_" not in value:
            return {key: _argument(inner, f"{place}.{key}") for key, inner in value.items()}
        maker = _maker(value, place)
        return (
            partial(_finished, maker, value, place)
            if value.get("_partial_")
            else _called(maker, value, place, Exception)
        )
    return [_argument(inner, place) for inner in value] if isinstance(value, list | tuple) else value


def _check_directives(config: Part, place: str) -> None:
    for key, default in DIRECTIVES.items():
        value = config.get(key, default)
        if type(value) is not type(default) or (key == "_convert_" and value != default):
            way = "arguments are plain values: leave it out" if key == "_convert_" else f"as in {key}: {default}"
            raise UsageError(f"{place}.{key} is {value!r:.200}; {way}")


def _called(
    maker: Callable[[], Any], config: Part, place: str, wrong: type[Exception] | tuple[type[Exception], ...]
) -> Any:
    """What `maker` returns; `wrong` are the exceptions that mean that the options make no sense."""
    try:
        return _finished(maker, config, place)
    except LasasrError:
        raise
    except wrong as error:
        defect = not isinstance(error, _OF_VALUES) or (isinstance(error, TypeError) and users_parts.went_through(error))
        if defect and users_parts.is_users(config["_target_"]):
            raise PartError(users_parts.fault_of(f"{place} ({config['_target_']})", error)) from error
        reason = " ".join(str(error).split())
        raise UsageError(f"{place} ({config['_target_']}): {reason}{_lacking(config, place, error)}") from error


def _lacking(config: Part, place: str, error: Exception) -> str:
    """How a part gets an argument that the toolkit would supply, where it is refused for the lack of it."""
    contract = contract_of(place_kind(place))
    if contract is None or config.get("_partial_") or not isinstance(error, TypeError):
        return ""
    lacking = [name for name in contract.supplied if f"'{name}'" in str(error)]
    return f"; {place}._partial_=true has the toolkit supply {' and '.join(lacking)}" if lacking else ""


def _finished(maker: Callable[..., Any], config: Part, place: str, *positional: Any, **finish: Any) -> Any:
    """What `maker` returns, if it is what the place takes; of the user's own it is noted whose fault is whose."""
    target = config["_target_"]
    value = check_returned(maker(*positional, **finish), target, place)
    if users_parts.is_users(target):
        first_calls.watch(value, users_parts.note(value, str(target), place))
    return value


def corpus(part: Part) -> Corpus:
    """The corpus of speech as configured (nothing is read yet).

    Raises:
        UsageError: it is text alone.
    """
    built = any_corpus(part)
    if isinstance(built, TextCorpus):
        raise UsageError(f"corpus={built.name} holds no audio: it trains language models (lasasr train lm/...)")
    return built


def any_corpus(part: Part) -> Corpus | TextCorpus:
    """The corpus as configured, of speech or of text (nothing is read yet)."""
    return cast(Corpus | TextCorpus, build(part, "corpus"))


def frontend(part: Part, seed: int) -> Frontend:
    """Waveform → features; one that is not `ready` is still to be fitted or loaded.

    Raises:
        LasasrError: it does not keep to the contract.
    """
    make = lambda seed: frontends.checked(built_by(seed, "frontend", lambda: build(part, "frontend")))  # noqa: E731
    return _initialised(make, seed, "frontend.")


def train_tokenizer(part: Part, transcripts: Iterable[str]) -> Tokenizer:
    """Learn the tokenizer from normalised training transcripts; one that is not `_partial_` is there already."""
    return cast(Tokenizer, build(part, "tokenizer", transcripts=transcripts))


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read back what `Tokenizer.save` wrote; the class is named in the file and must be allowed."""
    file = folder / storage.FILE
    stored = read_json(file)
    kind = gate.resolve(stored.get("type") if isinstance(stored, dict) else None, "tokenizer", f"{file}: type")
    if not (isinstance(kind, type) and issubclass(kind, Tokenizer)):
        raise UsageError(f"{file}: type={stored['type']} is no class of tokenizers")
    return kind.load(folder)


@configurable("tokenizer")
def tokenizer_of_run(run: str | None) -> Tokenizer:
    """The tokenizer of a finished run or a bundle.

    Raises:
        UsageError: none is named.
        LasasrError: there is no such run or bundle.
    """
    if run is None:
        raise UsageError("tokenizer.run is not set: tokenizer=of_run needs tokenizer.run=RUN, a run folder or bundle")
    return load_tokenizer(run_paths.bundle_folder(run))


@configurable("tokenizer")
def grown_tokenizer(run: str | None, transcripts: Iterable[str]) -> Tokenizer:
    """The tokenizer of a finished run or a bundle with the characters of new transcripts after its own tokens.

    Raises:
        UsageError: no run is named, or its vocabulary is fixed.
        LasasrError: there is no such run or bundle.
    """
    if run is None:
        raise UsageError(NOTHING_TO_GROW)
    return tokenizer_of_run(run).grown(transcripts)


def loss(part: Part, seed: int) -> Loss:
    """What training minimises; initial weights of one that has parameters follow `seed`."""
    make: Callable[[int], Loss] = lambda seed: built_by(seed, "loss", lambda: build(part, "loss"))  # noqa: E731
    return _initialised(make, seed, "loss.")


def draws_few_forms(waveform: Sequence[Part]) -> bool:
    """Whether the perturbations of waveforms are a single one that gives one of a few fixed forms."""
    if len(waveform) != 1 or "_target_" not in waveform[0]:
        return False
    kind = gate.resolve(waveform[0]["_target_"], "augment.waveform")
    return isinstance(kind, type) and issubclass(kind, FinitePerturbation)


def required_input_dim(listen: Part) -> int | None:
    """F of the front end that an encoder needs; None: any."""
    needed = encoder_parts.required_frontend(listen)
    return None if needed is None else frontend(needed, seed=1).output_dim


def model_parts(settings: Recognition) -> ModelParts:
    """What a recognizer is built from, with the heads that its loss needs."""
    frontend, listen = encoder_parts.resolved_parts(settings.frontend, settings.listen)
    return ModelParts(
        frontend=frontend,
        listen=listen,
        attend=settings.attend,
        spell=settings.spell,
        search=settings.search,
        seed=settings.seed,
        heads=loss(settings.loss, settings.seed).heads,
    )


def model(parts: ModelParts, input_dim: int, vocabulary_size: int) -> Model:
    """Encoder, and what the loss needs of decoder and CTC head; initial weights follow `seed` and each part's name."""
    return _initialised(lambda seed: _model(parts, seed, input_dim, vocabulary_size), parts.seed)


def _initialised(make: Callable[[int], M], seed: int, prefix: str = "") -> M:
    """What `make(seed)` builds, with its initial weights drawn, and nothing that was given it drawn anew.

    Its weights are ordinary tensors in inference mode, too: others do not tell whether they were changed.
    """
    with torch.inference_mode(False):
        module = make(seed)
        initialise_checked(module, seed, prefix, lambda: make(seed + 1))
    return module


def _model(parts: ModelParts, seed: int, input_dim: int, vocabulary_size: int) -> Model:
    """The model as its constructors leave it, which draw by `seed`."""
    encoder = built_by(seed, "encoder", lambda: build(parts.listen, "listen", input_dim=input_dim))
    _check_intermediate(encoder, parts.heads.intermediate_ctc)
    sizes = {"encoded_dim": encoder.output_dim, "vocabulary_size": vocabulary_size}
    decoder = None
    if parts.heads.decoder:
        attend = lambda **sizes: built_by(  # noqa: E731
            seed, "decoder.attention", lambda: build(_needed(parts.attend, "attend"), "attend", **sizes)
        )
        spell = _needed(parts.spell, "spell")
        decoder = built_by(seed, "decoder", lambda: build(spell, "spell", attend=attend, **sizes))
    ctc = built_by(seed, "ctc", lambda: CTCHead(**sizes)) if parts.heads.ctc else None
    return Model(encoder=encoder, decoder=decoder, ctc=ctc)


def _check_intermediate(encoder: Encoder, is_read: bool) -> None:
    if is_read and not encoder.intermediate:
        raise UsageError(
            "loss.intermediate_ctc_weight is above 0, but the encoder has no layer for it: set "
            "listen.intermediate_layers (listen=transformer or conformer), or the weight to 0"
        )
    if encoder.intermediate and not is_read:
        raise UsageError("listen.intermediate_layers is set, but no loss reads it: set loss.intermediate_ctc_weight")


def _needed(part: Part | None, place: str) -> Part:
    if part is None:
        raise UsageError(f"{place} is null, but the loss needs a decoder: choose {place}=..., or loss=ctc")
    return part


def language_model(part: Part, seed: int, vocabulary_size: int) -> LanguageModel:
    """The language model; initial weights follow `seed` and each part's name."""
    build_it = partial(build, part, "lm", vocabulary_size=vocabulary_size)
    make: Callable[[int], LanguageModel] = lambda seed: built_by(seed, "lm", build_it)  # noqa: E731
    return _initialised(make, seed)
