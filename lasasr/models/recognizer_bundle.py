"""The bundle of a recognizer: what it is built from, beside its weights, written and read back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from lasasr.artifacts import bundle, delta, run_paths
from lasasr.artifacts.bundle import Header
from lasasr.artifacts.bundle_config import SCHEMA
from lasasr.audio.pauses import Lengths
from lasasr.configuration.sections import Plain
from lasasr.configuration.settings import Recognition, kind_of
from lasasr.errors import LasasrError, UsageError
from lasasr.losses.base import Heads
from lasasr.metrics.confidence import Logistic
from lasasr.models import adaptation, factory, language_model
from lasasr.models.adaptation import Adaptation
from lasasr.models.language_model import load_tokenizer
from lasasr.models.parts import ModelParts
from lasasr.search.confidence import FEATURES
from lasasr.text.base import Tokenizer

DAY_S = 86_400.0
PARTS = ("frontend", "listen", "attend", "spell", "search", "seed")  # that a bundle's config.yaml has in any case


class Contents(NamedTuple):
    """All of a bundle but the weights."""

    parts: ModelParts  # what the recognizer is built from
    tokenizer: Tokenizer
    normalizer: str  # name/version of the transcript rule that references went through
    trained_on: Lengths | None  # how long the utterances of training were, where that is known
    calibration: Logistic | None  # of the confidence of words
    adaptation: Adaptation | None  # what was added to it, and the bundle that it is a delta to


def write(folder: Path, recognizer: nn.Module, contents: Contents) -> None:
    """Write model.safetensors, config.yaml (plain values), the tokenizer's files, language models.

    Of a recognizer that is a delta to a base: adapter.safetensors in the place of model.safetensors.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents.tokenizer.save(folder)
    search = language_model.carried(contents.parts.search, folder)
    lengths = contents.trained_on
    metadata: dict[str, Any] = {"normalizer": contents.normalizer, "trained_on": lengths and lengths._asdict()}
    if contents.calibration is not None:
        metadata["confidence"] = contents.calibration._asdict()
    plain = {**metadata, **contents.parts.plain(), "search": search}
    adapted = contents.adaptation
    if adapted is not None:
        plain |= adapted.plain()
    if adapted is None or adapted.base is None:
        bundle.write(folder, recognizer, SCHEMA, plain)
    else:
        delta.write(folder, recognizer, SCHEMA, plain, adapted.base)


def read(folder: Path, base: str | Path | None) -> tuple[Contents, Header]:
    """What a bundle holds, and what its file of weights says of itself.

    Args:
        folder: a bundle, or a run, whose bundle it stands for.
        base: of a bundle that is a delta, the bundle or run that it is one to; None: the one that it names.

    Raises:
        LasasrError: the folder is no bundle of a recognizer, or a file in it is damaged.
    """
    if (folder / "card.json").exists():
        folder = run_paths.bundle_folder(folder)
    if kind_of(bundle.read_config(folder, SCHEMA, ())) is not Recognition:
        raise LasasrError(f"{folder} holds a language model, no recognizer: give it to a search as search.lm")
    config = bundle.read_config(folder, SCHEMA, (*PARTS, "normalizer"))
    parts = _parts(config, folder)
    adapted = adaptation.read(config, folder, None if base is None else run_paths.bundle_folder(base))
    deltas_base = None if adapted is None else adapted.base
    header = bundle.read_header(folder) if deltas_base is None else delta.read_header(folder, deltas_base)
    tokenizer = load_tokenizer(folder)
    described = (*("frontend", "listen", "attend", "spell", "search"), *([adaptation.KEY] if adapted else []))
    bundle.refuse_huge(config, header, [name for name in described if name in config])
    trained_on, calibration = _lengths(config.get("trained_on"), folder), _calibration(config.get("confidence"), folder)
    return Contents(parts, tokenizer, config["normalizer"], trained_on, calibration, adapted), header


def _parts(config: Plain, folder: Path) -> ModelParts:
    """What the recognizer of a bundle is built from.

    Raises:
        LasasrError: a part is null that the model needs, or a search names what is not in the bundle.
    """
    heads = _heads(config, folder)
    for name in ("frontend", "listen", "search", *(("attend", "spell") if heads.decoder else ())):
        if config[name] is None:
            raise LasasrError(f"{folder / bundle.CONFIG}: {name} is null, but the model needs it")
    parts = {name: config[name] for name in PARTS}
    return ModelParts(**{**parts, "search": language_model.in_bundle(config["search"], folder)}, heads=heads)


def _heads(config: Plain, folder: Path) -> Heads:
    """The heads of a bundle; those of 0.1.0 tell the loss in their place."""
    heads = config.get("heads")
    if heads is None and "loss" in config:
        return factory.loss(config["loss"], config["seed"]).heads
    needed = set(Heads._fields) - set(Heads._field_defaults)
    if (
        not isinstance(heads, dict)
        or not needed <= set(heads) <= set(Heads._fields)
        or set(map(type, heads.values())) != {bool}
    ):
        raise LasasrError(f"{folder / bundle.CONFIG}: heads must hold decoder and ctc, true or false, got {heads}")
    return Heads(**heads)


def _calibration(stored: Any, folder: Path) -> Logistic | None:
    """What a bundle says of the confidence of words."""
    if stored is None:
        return None
    values = [stored.get("bias"), *(stored.get("weights") or {}).values()] if isinstance(stored, dict) else [None]
    numbers = all(isinstance(value, float) and math.isfinite(value) for value in values)
    if not numbers or set(stored) != {"bias", "weights"} or not set(stored["weights"]) <= set(FEATURES):
        raise LasasrError(
            f"{folder / bundle.CONFIG}: confidence must hold bias and weights of {', '.join(FEATURES)}, numbers"
        )
    return Logistic(stored["bias"], dict(stored["weights"]))


def _lengths(stored: Any, folder: Path) -> Lengths | None:
    """What a bundle tells of its training utterances; those made before it was told do not."""
    try:
        if stored is None:
            return None
        lengths = Lengths(float(stored["usual_s"]), float(stored["longest_s"])).checked()
        if not 0 <= lengths.usual_s <= lengths.longest_s <= DAY_S:
            raise ValueError("no utterance is so long")
        return lengths
    except (TypeError, KeyError, ValueError, UsageError):
        raise LasasrError(
            f"{folder / bundle.CONFIG}: trained_on must hold usual_s and longest_s, got {stored}"
        ) from None
