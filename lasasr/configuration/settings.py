"""A configuration, typed: `load` makes it, once, of plain values, and everything after that takes it.

Its sections are dataclasses (`lasasr.configuration.sections`).

`configs/base.yaml` and `lm_base.yaml` have the same keys with the same values (a test). A field made by `trained`
changes what is trained, and so which run a configuration describes; one made by `idle` changes how training is run,
watched or looked at afterwards, and describes the same run.

A default is what runs that are older than their key did. It therefore never changes: what recipes begin with is changed
in yaml, once the test that holds both together says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Annotated, Any, ClassVar, Final, NamedTuple, get_type_hints

from lasasr.configuration import moved, typed
from lasasr.configuration.sections import (
    NAMED,
    TRAINED,
    Adapt,
    Alignment,
    Augment,
    Checkpoint,
    Debug,
    Evaluate,
    LanguageEvaluate,
    Part,
    Plain,
    Positive,
    RecognitionCheckpoint,
    RecognitionEvaluate,
    TrainerOptions,
    Validation,
    WarmStart,
    idle,
    named_parts,
    trained,
)
from lasasr.errors import LasasrError, UsageError

Seed = Annotated[int, typed.Within(0, 2**32 - 1)]  # what the generators of NumPy and Lightning take
Threads = Annotated[int, typed.Within(1, 4096)]
_NO_PARTS: Final = ("plain", "choices")  # mappings that are none, as are those that are `named_parts`
_TENSORBOARD: Final[Part] = {"_target_": "lasasr.training.local_loggers.TensorBoard", "_partial_": True}


class TaskKind(NamedTuple):
    """What is trained, as far as it is known without loading torch; `lasasr.tasks` does the work."""

    trains: str  # in messages
    section: str  # that names its model: by it a configuration's task is known
    base: str  # the yaml file that its recipes start from
    changeable: tuple[str, ...]  # what an evaluation can change of a finished run ...
    changeable_words: str  # ... in words
    refusals: Mapping[str, str] = {}  # verb or option → why it takes no such configuration


LONGEST_NAME: Final = 255  # bytes, of a file on the usual file systems


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

    seed: Seed = idle(1)  # it makes runs of one system, and stands in their folders' names
    name: Any = idle(None)  # of the run's folder, in place of overrides (`artifacts.run_names` reads it)
    data_dir: str = idle("data")  # where corpora lie
    prepared_dir: str = idle("data/prepared")  # where what is made of them lies
    runs_dir: str = idle("runs")  # where runs lie
    threads: Threads | None = idle(None)  # of torch on a CPU; null: half the cores
    bf16_if_fast: bool = trained(False)  # train in bf16-mixed where the device computes in it
    early_stopping: Positive | None = trained(None)  # validations without a better one before it ends; null: never
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
        changeable_words="a trained run can only change search, evaluate (evaluate.splits=[dev]) and its corpus",
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
    adapt: Adapt
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
    tokenizer_sentences: Positive = trained(1_000_000)  # of train, that a tokenizer is learnt from
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
    plain = moved.current_keys(plain)
    kind = kind_of(plain)
    try:
        models = [settings_kind.task for settings_kind in KINDS if settings_kind.task.section in plain]
        if len(models) > 1:
            named = " and ".join(f"{task.section} ({task.trains})" for task in models)
            raise typed.KindError(f"it has {named}, but trains one of them: leave the other out")
        trainer = plain.get("trainer")
        if isinstance(trainer, Mapping):
            options = typed.read(TrainerOptions, trainer, "trainer.")
            trainer = {**trainer, **vars(options)}
        completed = plain if trainer is None else {**plain, "trainer": trainer}
        loaded = typed.read(kind, completed, plain=plain)
        if overlong := next(_overlong(plain), None):
            raise typed.KindError(f"{overlong} has a name of more than {LONGEST_NAME} bytes, longer than any file's")
        if hollow := list(_parts_without_target(loaded)):
            raise typed.KindError(f"{', '.join(hollow)} has no _target_, so there is nothing to build")
        return loaded
    except typed.LackError as error:
        raise refusal(f"{subject}: {error}, which {kind.task.trains} needs") from None
    except typed.KindError as error:
        raise refusal(f"{subject}: {error}") from None


def _overlong(section: Any, place: str = "") -> Iterator[str]:
    """The keys of texts that no file system takes for a path, and that are no address either."""
    if isinstance(section, Mapping):
        for key, value in section.items():
            yield from _overlong(value, f"{place}.{key}" if place else str(key))
    elif isinstance(section, list | tuple):
        for index, value in enumerate(section):
            yield from _overlong(value, f"{place}[{index}]")
    elif isinstance(section, str) and "://" not in section and _longest_name(section) > LONGEST_NAME:
        yield place


def _longest_name(path: str) -> int:
    return max(len(name.encode(errors="replace")) for name in path.split("/"))


def _parts_without_target(section: Any, place: str = "") -> Iterator[str]:
    """The dotted keys of the parts that say no class."""
    hints = get_type_hints(type(section))
    for section_field in fields(section):
        value, key = getattr(section, section_field.name), f"{place}{section_field.name}"
        if typed.REST in section_field.metadata:
            yield from (f"{place}{name}" for name, part in value.items() if "_target_" not in part)
        if is_dataclass(hints[section_field.name]):
            yield from _parts_without_target(value, f"{key}.")
            continue
        is_part = (
            hints[section_field.name] in (Part, Part | None)
            and NAMED not in section_field.metadata
            and section_field.name not in _NO_PARTS
        )
        if is_part and value is not None and "_target_" not in value:
            yield key


def section_defaults(kind: type[Any]) -> dict[str, dict[str, Any]]:
    """Section → key → default; the keys beside all sections stand below "". Parts have none."""
    hints, own, sections = get_type_hints(kind), {}, {}
    for section_field in fields(kind):
        if is_dataclass(hints[section_field.name]):
            sections[section_field.name] = section_defaults(hints[section_field.name])[""]
        elif NAMED in section_field.metadata:
            sections[section_field.name] = {}
        elif TRAINED in section_field.metadata:
            own[section_field.name] = _default(section_field)
    return {"": own, **sections}


def _default(section_field: Field[Any]) -> Any:
    return section_field.default if section_field.default_factory is MISSING else section_field.default_factory()


def idle_keys(kind: type[Any]) -> set[str]:
    """Dotted keys that do not change what is trained."""
    hints, keys = get_type_hints(kind), set()
    for section_field in fields(kind):
        if is_dataclass(hints[section_field.name]):
            keys |= {f"{section_field.name}.{key}" for key in idle_keys(hints[section_field.name])}
        elif section_field.metadata.get(TRAINED) is False:
            keys.add(section_field.name)
    return keys
