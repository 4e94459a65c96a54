"""Where a config becomes objects: the only door, and it is guarded.

`_target_` names a class or function. Hydra would import anything; here only names below the allowed prefixes pass
(`lasasr.`, a few of torch and Lightning, and what `LASASR_ALLOW` lists), so that a config or a bundle from a stranger
cannot run their code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from torch import nn

from lasasr import runs
from lasasr.audio import base as frontends
from lasasr.audio.base import Frontend
from lasasr.corpora.base import Corpus, TextCorpus
from lasasr.errors import LasasrError, UsageError
from lasasr.files import read_json
from lasasr.lm.base import LanguageModel
from lasasr.losses.base import Heads, Loss
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
    """Waveform → features; one that is not `ready` is still to be fitted or loaded.

    Raises:
        LasasrError: it does not keep to the contract.
    """
    made = frontends.checked(build(config["frontend"], "frontend"))
    initialise(made, int(config["seed"]), "frontend.")
    return made


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


def loss(config: Config) -> Loss:
    """What training minimises.

    Raises:
        LasasrError: it does not keep to the contract.
    """
    made = build(config["loss"], "loss")
    if not isinstance(made, Loss):
        raise LasasrError(f"loss {type(made).__name__} is no lasasr.losses.base.Loss; derive it from that class")
    return made


def heads(config: Config) -> Heads:
    """The heads of a model: what its loss needs, or in a bundle what `heads` says."""
    return Heads(**config["heads"]) if "heads" in config else loss(config).heads


def model(config: Config, input_dim: int, vocabulary_size: int) -> Model:
    """Encoder, and what the loss needs of decoder and CTC head; initial weights follow `seed` and each part's name."""
    encoder = build(config["listen"], "listen", input_dim=input_dim)
    needs_decoder, needs_ctc = heads(config)
    decoder = None
    if needs_decoder:
        attend = lambda **sizes: build(config["attend"], "attend", **sizes)  # noqa: E731
        decoder = build(
            config["spell"], "spell", attend=attend, encoded_dim=encoder.output_dim, vocabulary_size=vocabulary_size
        )
    ctc = CTCHead(encoded_dim=encoder.output_dim, vocabulary_size=vocabulary_size) if needs_ctc else None
    made = Model(encoder=encoder, decoder=decoder, ctc=ctc)
    initialise(made, int(config["seed"]))
    return made


def initialise(module: nn.Module, seed: int, prefix: str = "") -> None:
    """Draw every part's initial weights from a generator keyed by (seed, name of the part).

    Changing one part (another attention, say) then leaves the start of all others equal, so that two runs of one seed
    are a pair. Children come before parents, whose `reset_parameters` may set what theirs left.
    """
    state = torch.get_rng_state()
    for name, part in reversed(list(module.named_modules())):
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            digest = hashlib.sha256(f"{seed}/{prefix}{name}".encode()).digest()
            torch.manual_seed(int.from_bytes(digest[:7], "little"))
            reset()
    torch.set_rng_state(state)


def language_model(config: Config, vocabulary_size: int) -> LanguageModel:
    """The language model; initial weights follow `seed` and each part's name."""
    made: LanguageModel = build(config["lm"], "lm", vocabulary_size=vocabulary_size)
    initialise(made, int(config["seed"]))
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
        elif isinstance(value, Mapping) and isinstance(value.get("lm"), str):
            finish[key] = _with_lms(value, f"{place}.{key}", lm)
    if not finish:
        return build(part, place)
    rest = {key: value for key, value in part.items() if key not in finish}
    return build({**rest, "_partial_": True}, place, **finish)
