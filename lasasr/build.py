"""Where a config becomes objects: the only door, and it is guarded.

`_target_` names a class or function. Hydra would import anything; here only names below the allowed prefixes pass
(`lasasr.`, a few of torch and Lightning, and what `LASASR_ALLOW` lists), so that a config or a bundle from a stranger
cannot run their code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate

from lasasr import runs
from lasasr.audio.frontend import Frontend
from lasasr.corpora.base import Corpus, TextCorpus
from lasasr.errors import LasasrError, UsageError
from lasasr.files import read_json
from lasasr.initial_weights import built_by, initialise
from lasasr.lm.base import LanguageModel
from lasasr.loss import parts_needed
from lasasr.model import CTCHead, Model
from lasasr.text import storage
from lasasr.text.base import Tokenizer

ALLOWED = ("lasasr.", "torch.optim.", "lightning.pytorch.")
Config = Mapping[str, Any]


def allowed_prefixes() -> tuple[str, ...]:
    """The shipped prefixes and those the user adds: `LASASR_ALLOW=my.package,another`."""
    own = [name.strip() for name in os.environ.get("LASASR_ALLOW", "").split(",")]
    return ALLOWED + tuple(name if name.endswith(".") else f"{name}." for name in own if name)


def check_targets(config: Any, place: str = "") -> None:
    """Refuse every `_target_` outside the allowed prefixes, at any depth.

    Raises:
        UsageError: names the place, the target and the way to allow it.
    """
    if isinstance(config, Mapping):
        target = config.get("_target_")
        if target is not None and not str(target).startswith(allowed_prefixes()):
            prefix = str(target).split(".")[0]
            raise UsageError(
                f"{place or 'config'}._target_={target} is outside the allowed prefixes; "
                f"if you trust it: export LASASR_ALLOW={prefix}"
            )
        for key, value in config.items():
            check_targets(value, f"{place}.{key}" if place else str(key))
    elif isinstance(config, list | tuple):
        for position, value in enumerate(config):
            check_targets(value, f"{place}[{position}]")


def build(config: Config, place: str, **finish: Any) -> Any:
    """The object that `config` describes; a `_partial_` one is finished with the keywords `finish`.

    Args:
        config: plain values with a `_target_`.
        place: where it stands in the configuration (`attend`), for messages.

    Raises:
        UsageError: a target is not allowed, does not exist, or does not take these options.
    """
    check_targets(config, place)
    if "_target_" not in config:
        raise UsageError(f"{place} has no _target_, so there is nothing to build")
    try:
        made = instantiate(dict(config), _convert_="all")
        return made(**finish) if config.get("_partial_") else made
    except LasasrError:
        raise
    except InstantiationException as error:
        if isinstance(error.__cause__, LasasrError):
            raise error.__cause__ from None
        raise UsageError(f"{place}: {_reason(error)}") from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"{place} ({config.get('_target_')}): {error}") from error


def _reason(error: InstantiationException) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return " ".join(str(cause).split())


def corpus(config: Config) -> Corpus:
    """The corpus of speech as configured (nothing is read yet).

    Raises:
        UsageError: it is text alone.
    """
    made = any_corpus(config)
    if isinstance(made, TextCorpus):
        raise UsageError(f"corpus={made.name} holds no audio: it trains language models (lasasr train lm/...)")
    return made


def any_corpus(config: Config) -> Corpus | TextCorpus:
    """The corpus as configured, of speech or of text (nothing is read yet)."""
    return cast(Corpus | TextCorpus, build(config["corpus"], "corpus"))


def frontend(config: Config) -> Frontend:
    """Waveform → features; global statistics, where asked for, are still to be fitted or loaded."""
    return cast(Frontend, build(config["frontend"], "frontend"))


def train_tokenizer(config: Config, transcripts: Iterable[str]) -> Tokenizer:
    """Learn the tokenizer from normalised training transcripts; one that is not `_partial_` is there already."""
    return cast(Tokenizer, build(config["tokenizer"], "tokenizer", transcripts=transcripts))


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read back what `Tokenizer.save` wrote; the class is named in the file and must be allowed."""
    name = str(read_json(folder / storage.FILE).get("type"))
    check_targets({"_target_": name}, str(folder / storage.FILE))
    kind: type[Tokenizer] = get_class(name)
    return kind.load(folder)


def tokenizer_of_run(run: str | None) -> Tokenizer:
    """The tokenizer of a finished run or a bundle.

    Raises:
        UsageError: none is named.
        LasasrError: there is no such run or bundle.
    """
    if run is None:
        raise UsageError("tokenizer.run is not set: tokenizer=of_run needs tokenizer.run=RUN, a run folder or bundle")
    return load_tokenizer(runs.bundle_folder(run))


def model(config: Config, input_dim: int, vocabulary_size: int) -> Model:
    """Encoder, and what the loss needs of decoder and CTC head; initial weights follow `seed` and each part's name."""
    seed = int(config["seed"])
    encoder = built_by(seed, "encoder", lambda: build(config["listen"], "listen", input_dim=input_dim))
    weight = config["loss"]["ctc_weight"]
    needs_decoder, needs_ctc = parts_needed(build(weight, "loss.ctc_weight") if isinstance(weight, Mapping) else weight)
    sizes = {"encoded_dim": encoder.output_dim, "vocabulary_size": vocabulary_size}
    decoder = None
    if needs_decoder:
        attend = lambda **sizes: built_by(  # noqa: E731
            seed, "decoder.attention", lambda: build(config["attend"], "attend", **sizes)
        )
        decoder = built_by(seed, "decoder", lambda: build(config["spell"], "spell", attend=attend, **sizes))
    ctc = built_by(seed, "ctc", lambda: CTCHead(**sizes)) if needs_ctc else None
    made = Model(encoder=encoder, decoder=decoder, ctc=ctc)
    initialise(made, seed)
    return made


def language_model(config: Config, vocabulary_size: int) -> LanguageModel:
    """The language model; initial weights follow `seed` and each part's name."""
    seed = int(config["seed"])
    made: LanguageModel = built_by(seed, "lm", lambda: build(config["lm"], "lm", vocabulary_size=vocabulary_size))
    initialise(made, seed)
    return made


def search(config: Config, lm: Callable[[str], Any]) -> Any:
    """The search as configured.

    Args:
        lm: makes a scorer of what a key `lm` anywhere in the search names (`lasasr.language_model.scorer`).
    """
    return _with_lms(config["search"], "search", lm)


def _with_lms(part: Config, place: str, lm: Callable[[str], Any]) -> Any:
    finish: dict[str, Any] = {}
    for key, value in part.items():
        if key == "lm" and isinstance(value, str):
            finish[key] = lm(value)
        elif isinstance(value, Mapping) and _names_lm(value):
            finish[key] = _with_lms(value, f"{place}.{key}", lm)
    if not finish:
        return build(part, place)
    rest = {key: value for key, value in part.items() if key not in finish}
    if "_target_" not in part:  # a mapping of parts
        return {**{key: build(value, f"{place}.{key}") for key, value in rest.items()}, **finish}
    return build({**rest, "_partial_": True}, place, **finish)


def _names_lm(part: Config) -> bool:
    return isinstance(part.get("lm"), str) or any(_names_lm(one) for one in part.values() if isinstance(one, Mapping))
