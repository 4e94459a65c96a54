"""The sections of a configuration that hold no part: what each key is when it is absent, and whether it is trained.

`configs/base.yaml` and `lm_base.yaml` have the same keys with the same values (a test). A field made by `trained`
changes what is trained, and so which run a configuration describes; one made by `idle` changes how training is run,
watched or looked at afterwards, and describes the same run.

A default is what runs that are older than their key did. It therefore never changes: what recipes begin with is changed
in yaml, once the test that holds both together says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final

_TRAINED: Final = "trained"


def trained(default: Any) -> Any:
    """A field that changes what is trained."""
    return field(default=default, metadata={_TRAINED: True})


def idle(default: Any) -> Any:
    """A field that does not change what is trained."""
    return field(default=default, metadata={_TRAINED: False})


@dataclass(frozen=True)
class Validation:
    """Decoding dev while training; its search is a part, `validation.search`."""

    maps: int = idle(2)  # attention maps drawn into TensorBoard per validation


@dataclass(frozen=True)
class Alignment:
    """Of attention, watched on training batches."""

    look_every: int = idle(10)  # updates from one look to the next
    alarm_step: int | None = idle(None)  # updates after which attention that is not aligned is reported; 0: never


@dataclass(frozen=True)
class Checkpoint:
    """What is kept of a training, and what the bundle is made from."""

    monitor: str | None = trained(None)  # dev error rate that tells the best; null: the recognizer's own
    best: int = trained(1)  # of the best are kept: none of them, and the bundle is made from the last
    final: str = trained("best")  # or last: the bundle is made from it
    every_s: float = idle(300)  # a `last` is written at least so often, seconds


@dataclass(frozen=True)
class WarmStart:
    """Weights of a trained recognizer that some parts begin with."""

    run: str | None = trained(None)  # run folder or bundle; null: all parts begin anew
    parts: Sequence[str] = trained(("encoder", "ctc"))  # of encoder, decoder, ctc


@dataclass(frozen=True)
class Evaluate:
    """Decoding when training has ended."""

    splits: Sequence[str] = idle(("test",))
    batch_s: float = idle(120)  # seconds of padded audio decoded at once
    maps: int = idle(4)  # attention maps saved as pictures
    score_references: bool = idle(True)  # of wrong hypotheses, to tell the model's errors from the search's


@dataclass(frozen=True)
class Augment:
    """Changes of the training audio; the groups' yaml files hold the parts."""

    waveform: Sequence[Mapping[str, Any]] = trained(())  # perturbations, one after the other
    specaugment: Mapping[str, Any] | None = trained(None)  # of the normalised features


@dataclass(frozen=True)
class Debug:
    """Ways to find out whether a model can learn at all."""

    overfit_utterances: int | None = trained(None)  # every split is so many utterances of train


@dataclass(frozen=True)
class Loggers:
    """None but those that the group `logger` brings, and a user's own, by name."""


@dataclass(frozen=True)
class Callbacks:
    """None but a user's own, by name."""


@dataclass(frozen=True)
class Recognition:
    """A recognizer's configuration, but for its parts."""

    seed: int = idle(1)  # it makes runs of one system, and stands in their folders' names
    name: str | None = idle(None)  # of the run's folder, in place of the overrides
    data_dir: str = idle("data")  # where corpora lie
    prepared_dir: str = idle("data/prepared")  # where what is made of them lies
    runs_dir: str = idle("runs")  # where runs lie
    threads: int | None = idle(None)  # of torch on a CPU; null: half the cores
    bf16_if_fast: bool = trained(False)  # train in bf16-mixed where the device computes in it
    ema: float | None = trained(None)  # decay of a moving average of the weights; null: none
    early_stopping: int | None = trained(None)  # validations without a better one before training ends; null: never
    validation: Validation = Validation()
    alignment: Alignment = Alignment()
    checkpoint: Checkpoint = Checkpoint()
    warm_start: WarmStart = WarmStart()
    evaluate: Evaluate = Evaluate()
    augment: Augment = Augment()
    debug: Debug = Debug()
    logger: Loggers = Loggers()
    callbacks: Callbacks = Callbacks()


@dataclass(frozen=True)
class LanguageCheckpoint:
    """As `Checkpoint`, by dev perplexity."""

    best: int = trained(1)
    final: str = trained("best")
    every_s: float = idle(300)


@dataclass(frozen=True)
class LanguageEvaluate:
    """Perplexity when training has ended."""

    splits: Sequence[str] = idle(("dev",))
    batch_tokens: float = idle(16000)  # padded tokens at once


@dataclass(frozen=True)
class Language:
    """A language model's configuration, but for its parts."""

    seed: int = idle(1)
    name: str | None = idle(None)
    data_dir: str = idle("data")
    prepared_dir: str = idle("data/prepared")
    runs_dir: str = idle("runs")
    threads: int | None = idle(None)
    bf16_if_fast: bool = trained(False)
    tokenizer_sentences: int = trained(1_000_000)  # of train, that a tokenizer is learnt from
    early_stopping: int | None = trained(None)
    checkpoint: LanguageCheckpoint = LanguageCheckpoint()
    evaluate: LanguageEvaluate = LanguageEvaluate()
    logger: Loggers = Loggers()
    callbacks: Callbacks = Callbacks()


def section_defaults(settings: Any) -> dict[str, dict[str, Any]]:
    """Section → key → default; the keys beside all sections stand below ""."""
    own = {one.name: getattr(settings, one.name) for one in fields(settings)}
    sections = {name: value for name, value in own.items() if is_dataclass(value)}
    found = {"": {name: value for name, value in own.items() if name not in sections}}
    return found | {name: section_defaults(section)[""] for name, section in sections.items()}


def idle_keys(settings: Any) -> set[str]:
    """Dotted keys that do not change what is trained."""
    found = set()
    for one in fields(settings):
        value = getattr(settings, one.name)
        if is_dataclass(value):
            found |= {f"{one.name}.{key}" for key in idle_keys(value)}
        elif not one.metadata[_TRAINED]:
            found.add(one.name)
    return found
