"""A configuration, typed: `load` makes it, once, of plain values, and everything after that takes it.

A section is a dataclass whose fields are its keys: of what kind each is, what it is when it is absent, and whether it
is trained. A part (what has a `_target_`) stays plain: its class says what its keys are.

`configs/base.yaml` and `lm_base.yaml` have the same keys with the same values (a test). A field made by `trained`
changes what is trained, and so which run a configuration describes; one made by `idle` changes how training is run,
watched or looked at afterwards, and describes the same run.

A default is what runs that are older than their key did. It therefore never changes: what recipes begin with is changed
in yaml, once the test that holds both together says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Final, Literal, NamedTuple, get_type_hints

from lasasr.configuration import typed
from lasasr.errors import LasasrError, UsageError

Plain = Mapping[str, Any]  # what a file says, before it is loaded
Part = Mapping[str, Any]  # what has a `_target_`: the class that it is an object of, and its keys
_TRAINED: Final = "trained"
_NAMED: Final = "named"
_NO_PARTS: Final = ("plain", "choices")  # mappings that are none, as are those that are `named_parts`
_TENSORBOARD: Final[Part] = {"_target_": "lasasr.training.local_loggers.TensorBoard", "_partial_": True}


def trained(default: Any) -> Any:
    """A field that changes what is trained."""
    return field(default=default, metadata={_TRAINED: True})


def idle(default: Any) -> Any:
    """A field that does not change what is trained."""
    return field(default=default, metadata={_TRAINED: False})


def named_parts(default: Mapping[str, Any], way_out: str) -> Any:
    """A section of parts that have names of the user's."""
    return field(default_factory=lambda: default, metadata={_NAMED: True, typed.WAY_OUT: way_out})


class TaskKind(NamedTuple):
    """What is trained, as far as it is known without loading torch; `lasasr.tasks` does the work."""

    trains: str  # in messages
    section: str  # that names its model: by it a configuration's task is known
    base: str  # the yaml file that its recipes start from
    changeable: tuple[str, ...]  # what an evaluation can change of a finished run ...
    changeable_words: str  # ... in words
    refusals: Mapping[str, str] = {}  # verb or option → why it takes no such configuration


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Decoding dev while training."""

    search: Part
    maps: int = idle(2)  # attention maps drawn into TensorBoard per validation


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Of attention, watched on training batches."""

    look_every: int = idle(10)  # updates from one look to the next
    alarm_step: int | None = idle(None)  # updates after which attention that is not aligned is reported; 0: never


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What is kept of a training, and what the bundle is made from."""

    best: int = trained(1)  # of the best are kept: none of them, and the bundle is made from the last
    final: Literal["best", "last"] = trained("best")  # the bundle is made from it
    every_s: float = idle(300)  # a `last` is written at least so often, seconds


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
class Evaluate:
    """When training has ended."""

    splits: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class RecognitionEvaluate(Evaluate):
    """Decoding when training has ended."""

    splits: Sequence[str] = idle(("test",))
    batch_s: float = idle(120)  # seconds of padded audio decoded at once
    maps: int = idle(4)  # attention maps saved as pictures
    score_references: bool = idle(True)  # of wrong hypotheses, to tell the model's errors from the search's


@dataclass(frozen=True, kw_only=True)
class LanguageEvaluate(Evaluate):
    """Perplexity when training has ended."""

    splits: Sequence[str] = idle(("dev",))
    batch_tokens: float = idle(16000)  # padded tokens at once


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Changes of the training audio; the groups' yaml files hold the parts."""

    waveform: Sequence[Part] = trained(())  # perturbations, one after the other
    specaugment: Part | None = trained(None)  # noqa: RUF009 - of the normalised features


@dataclass(frozen=True, kw_only=True)
class Debug:
    """Ways to find out whether a model can learn at all."""

    overfit_utterances: int | None = trained(None)  # every split is so many utterances of train


@dataclass(frozen=True, kw_only=True)
class TrainerOptions:
    """The options of Lightning's Trainer that the toolkit reads too, with Lightning's own defaults."""

    accelerator: str = "auto"
    devices: int | str | Sequence[int] = "auto"
    num_nodes: int = 1
    strategy: str | Part = "auto"
    precision: str | int | None = "32-true"
    max_epochs: int | None = None
    max_steps: int = -1
    gradient_clip_val: float | None = None
    accumulate_grad_batches: int = 1
    log_every_n_steps: int = 50
    limit_train_batches: int | float = 1.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A configuration, whatever it trains."""

    task: ClassVar[TaskKind]
    plain: Plain  # all that was loaded, for what writes it down and tells runs apart by it
    recipe: str
    choices: Mapping[str, Any]  # config group → choice

    corpus: Part
    tokenizer: Part
    batching: Part
    optimizer: Part
    schedule: Part
    trainer: Part  # with the keys of `TrainerOptions` in any case
    # runs that are older than the key had this one
    logger: Mapping[str, Any] = named_parts(
        {"tensorboard": _TENSORBOARD}, "logger takes loggers by name, as logger=[tensorboard,csv]"
    )
    callbacks: Mapping[str, Any] = named_parts(
        {}, "callbacks takes callbacks by name, as +callbacks.mine._target_=my.module.Mine"
    )

    seed: int = idle(1)  # it makes runs of one system, and stands in their folders' names
    name: Any = idle(None)  # noqa: RUF009 - of the run's folder, in place of overrides (`artifacts.run_names` reads it)
    data_dir: str = idle("data")  # where corpora lie
    prepared_dir: str = idle("data/prepared")  # where what is made of them lies
    runs_dir: str = idle("runs")  # where runs lie
    threads: int | None = idle(None)  # of torch on a CPU; null: half the cores
    bf16_if_fast: bool = trained(False)  # train in bf16-mixed where the device computes in it
    early_stopping: int | None = trained(None)  # validations without a better one before training ends; null: never
    checkpoint: Checkpoint
    evaluate: Evaluate

    def refuse(self, verb: str) -> None:
        """Refuse a verb or an option that takes no configuration of this task.

        Raises:
            UsageError: it takes none; says why.
        """
        if verb in self.task.refusals:
            raise UsageError(f"{self.recipe} {self.task.refusals[verb]}")


@dataclass(frozen=True, kw_only=True)
class Recognition(Settings):
    """A recognizer's configuration."""

    task: ClassVar[TaskKind] = TaskKind(
        "a recognizer",
        section="listen",
        base="base",
        changeable=("search", "evaluate", "data_dir", "prepared_dir", "corpus"),
        changeable_words="a trained run can only change search, evaluate and where its corpus lies",
    )
    frontend: Part
    listen: Part
    attend: Part | None  # null, as spell may be: a loss without a decoder needs none
    spell: Part | None
    loss: Part
    sampling: Part
    search: Part
    loading: Part
    ema: float | None = trained(None)  # decay of a moving average of the weights; null: none
    validation: Validation
    alignment: Alignment
    checkpoint: RecognitionCheckpoint
    warm_start: WarmStart
    evaluate: RecognitionEvaluate
    augment: Augment
    debug: Debug


@dataclass(frozen=True, kw_only=True)
class Language(Settings):
    """A language model's configuration."""

    task: ClassVar[TaskKind] = TaskKind(
        "a language model",
        section="lm",
        base="lm_base",
        changeable=("evaluate", "data_dir", "prepared_dir", "corpus"),
        changeable_words="a trained language model can only change evaluate and its corpus",
        refusals={
            "doctor": "trains a language model: doctor examines recipes of speech",
            "compare": "is a language model; lasasr evaluate tells its perplexity",
            "--shards": "is a language model's recipe, whose corpus holds no audio",
            "-m": "is a language model, which has no search to sweep over: leave out -m",
        },
    )
    lm: Part
    tokenizer_sentences: int = trained(1_000_000)  # of train, that a tokenizer is learnt from
    checkpoint: Checkpoint
    evaluate: LanguageEvaluate


KINDS: Final[tuple[type[Settings], ...]] = (Language, Recognition)


def kind_of(plain: Plain) -> type[Settings]:
    """What plain values configure: told by the section that names its model; without any, a recognizer."""
    return next((kind for kind in KINDS if kind.task.section in plain), Recognition)


def load(plain: Plain, subject: str, refusal: type[LasasrError] = UsageError) -> Settings:
    """The configuration, typed.

    Args:
        plain: as `compose` gives it, or as config.yaml holds it; a key that is absent is at its default.
        subject: the file or command that it comes from, for messages.
        refusal: what is raised: a file of the toolkit's own is damaged, a command is wrong.

    Raises:
        LasasrError: a value is of another kind than its key takes, or a part is missing; names subject and key.
    """
    kind = kind_of(plain)
    try:
        models = [one.task for one in KINDS if one.task.section in plain]
        if len(models) > 1:
            named = " and ".join(f"{one.section} ({one.trains})" for one in models)
            raise typed.KindError(f"it has {named}, but trains one of them: leave the other out")
        trainer = plain.get("trainer")
        if isinstance(trainer, Mapping):
            options = typed.read(TrainerOptions, trainer, "trainer.")
            trainer = {**trainer, **vars(options)}
        given = plain if trainer is None else {**plain, "trainer": trainer}
        made = typed.read(kind, given, plain=plain)
        if hollow := list(_parts_without_target(made)):
            raise typed.KindError(f"{', '.join(hollow)} has no _target_, so there is nothing to build")
        return made
    except typed.LackError as error:
        raise refusal(f"{subject}: {error}, which {kind.task.trains} needs") from None
    except typed.KindError as error:
        raise refusal(f"{subject}: {error}") from None


def _parts_without_target(section: Any, place: str = "") -> Iterator[str]:
    """The dotted keys of the parts that say no class."""
    hints = get_type_hints(type(section))
    for one in fields(section):
        value, key = getattr(section, one.name), f"{place}{one.name}"
        if is_dataclass(hints[one.name]):
            yield from _parts_without_target(value, f"{key}.")
            continue
        is_part = hints[one.name] in (Part, Part | None) and _NAMED not in one.metadata and one.name not in _NO_PARTS
        if is_part and value is not None and "_target_" not in value:
            yield key


def section_defaults(kind: type[Any]) -> dict[str, dict[str, Any]]:
    """Section → key → default; the keys beside all sections stand below "". Parts have none."""
    hints, own, sections = get_type_hints(kind), {}, {}
    for one in fields(kind):
        if is_dataclass(hints[one.name]):
            sections[one.name] = section_defaults(hints[one.name])[""]
        elif _NAMED in one.metadata:
            sections[one.name] = {}
        elif _TRAINED in one.metadata:
            own[one.name] = one.default
    return {"": own, **sections}


def idle_keys(kind: type[Any]) -> set[str]:
    """Dotted keys that do not change what is trained."""
    hints, found = get_type_hints(kind), set()
    for one in fields(kind):
        if is_dataclass(hints[one.name]):
            found |= {f"{one.name}.{key}" for key in idle_keys(hints[one.name])}
        elif one.metadata.get(_TRAINED) is False:
            found.add(one.name)
    return found
