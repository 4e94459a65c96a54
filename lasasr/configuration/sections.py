"""The sections of a configuration, and how their fields are declared.

A section is a dataclass whose fields are its keys: of what kind each is, what it is when it is absent, and whether it
is trained. A part (what has a `_target_`) stays plain: its class says what its keys are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from lasasr.configuration import typed

Count = Annotated[int, typed.Within(0)]
Positive = Annotated[int, typed.Within(1)]
Limit = Annotated[int, typed.Within(-1)]  # -1: none
Plain = Mapping[str, Any]  # what a file says, before it is loaded
Part = Mapping[str, Any]  # what has a `_target_`: the class that it is an object of, and its keys
Rate = Annotated[float, typed.Within(0)]
AboveZero = Annotated[float, typed.Within(0.001)]
TRAINED: Final = "trained"
NAMED: Final = "named"
REPLAY: Final = "lasasr.adapt.replay.Replay"


def trained(default: Any) -> Any:
    """A field that changes what is trained."""
    return field(default=default, metadata={TRAINED: True})


def idle(default: Any) -> Any:
    """A field that does not change what is trained."""
    return field(default=default, metadata={TRAINED: False})


def mapping() -> Any:
    """A field of values by names of the user's that changes what is trained; none by default."""
    return field(default_factory=dict, metadata={TRAINED: True})


def named_parts(default: Mapping[str, Any], way_out: str) -> Any:
    """A section of parts that have names of the user's."""
    return field(default_factory=lambda: default, metadata={NAMED: True, typed.WAY_OUT: way_out})


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Decoding dev while training."""

    search: Part
    maps: Count = idle(2)  # attention maps drawn into TensorBoard per validation


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Of attention, watched on training batches."""

    look_every: Positive = idle(10)  # updates from one look to the next
    alarm_step: Count | None = idle(None)  # updates after which attention that is not aligned is reported; 0: never


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What is kept of a training, and what the bundle is made from."""

    best: Limit = trained(1)  # of the best are kept: none of them, and the bundle is made from the last
    final: Literal["best", "last"] = trained("best")  # the bundle is made from it
    every_s: Annotated[float, typed.Within(0)] = idle(300)  # a `last` is written at least so often, seconds


@dataclass(frozen=True, kw_only=True)
class RecognitionCheckpoint(Checkpoint):
    """The best by a dev error rate."""

    monitor: str | None = trained(None)  # dev error rate that tells the best; null: the recognizer's own


@dataclass(frozen=True, kw_only=True)
class WarmStart:
    """Weights of a trained recognizer that some parts begin with."""

    run: str | None = trained(None)  # run folder or bundle; null: all parts begin anew
    parts: Sequence[str] = trained(("encoder", "ctc"))  # of encoder, decoder, ctc


@dataclass(frozen=True, kw_only=True)
class Adapt:
    """How a trained recognizer is trained on; `adapt=` adds methods, each a key of the section."""

    methods: Mapping[str, Part] = field(
        default_factory=dict, metadata={typed.REST: True, typed.WAY_OUT: "adapt takes methods, as adapt=lora"}
    )
    learning_rates: Mapping[str, Rate] = mapping()  # part or pattern → peak rate, in place of optimizer.lr
    warmup_steps: Mapping[str, Count] = mapping()  # part or pattern → updates in which its rate rises from 0
    speaker: str | int | None = trained(None)  # of the corpus, whose speech alone is trained on and tested
    minutes: int | float | None = trained(None)  # of that speech that are trained on; null: all
    bundle: Literal["delta", "whole"] | None = idle(None)  # null: a delta where weights were added, else whole

    @property
    def replay(self) -> Part | None:
        """The method that brings a second corpus."""
        name = replay_of(self.methods)
        return None if name is None else self.methods[name]


def replay_of(adapt: Plain) -> str | None:
    """The name of the method that brings a second corpus."""
    named = ((name, part) for name, part in adapt.items() if isinstance(part, Mapping))
    return next((name for name, part in named if part.get("_target_") == REPLAY), None)


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """When training has ended."""

    splits: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class RecognitionEvaluate(Evaluate):
    """Decoding when training has ended."""

    splits: Sequence[str] = idle(("test",))
    batch_s: AboveZero = idle(120)  # seconds of padded audio decoded at once
    maps: Count = idle(4)  # attention maps saved as pictures
    score_references: bool = idle(True)  # of wrong hypotheses, to tell the model's errors from the search's


@dataclass(frozen=True, kw_only=True)
class LanguageEvaluate(Evaluate):
    """Perplexity when training has ended."""

    splits: Sequence[str] = idle(("dev",))
    batch_tokens: AboveZero = idle(16000)  # padded tokens at once


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Changes of the training audio; the groups' yaml files hold the parts."""

    waveform: Sequence[Part] = trained(())  # perturbations, one after the other
    specaugment: Part | None = trained(None)  # of the normalised features


@dataclass(frozen=True, kw_only=True)
class Debug:
    """Ways to find out whether a model can learn at all."""

    overfit_utterances: Positive | None = trained(None)  # every split is so many utterances of train


@dataclass(frozen=True, kw_only=True)
class TrainerOptions:
    """The options of Lightning's Trainer that the toolkit reads too, with Lightning's own defaults."""

    accelerator: str = "auto"
    devices: int | str | Sequence[int] = "auto"
    num_nodes: Annotated[int, typed.Within(1, 65536)] = 1
    strategy: str | Part = "auto"
    precision: str | int | None = "32-true"
    max_epochs: Limit | None = None
    max_steps: Limit = -1
    gradient_clip_val: Annotated[float, typed.Within(0)] | None = None
    accumulate_grad_batches: Positive = 1
    log_every_n_steps: Positive = 50
    limit_train_batches: int | float = 1.0
