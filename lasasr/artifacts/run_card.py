"""card.json: what a run is, what it was trained on and how, what came of it (docs/card.md has its keys).

A card is read whichever version wrote it. A key that is absent was not known when it was written, or is not yet; one
that this version does not know stays where the card is written again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from lasasr.artifacts import files
from lasasr.configuration import typed
from lasasr.errors import LasasrError

FILE: Final = "card.json"  # in the run folder
DEV_METRICS: Final = ("per", "wer", "perplexity")  # of phones, of words, of a language model: a run has one of them
SCHEMA: Final = 1
RUN_ID: Final = "run_id"  # of the card and of the checkpoints: drawn when the run begins, whatever folder it lies in
MEANING: Final = "meaning"  # in the metadata of a field ...
UNIT: Final = "unit"  # ... of which docs/card.md is made


def key(meaning: str, default: Any = None, unit: str = "") -> Any:
    """A field that is a key of card.json."""
    metadata = {MEANING: meaning, UNIT: unit}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class SplitData:
    """A split as it was when the run was made."""

    content: str | None = key("fingerprint of its utterances, transcripts and audio, or of its sentences")
    utterances: int | None = key("how many it has; of a language model, sentences")
    corpus: str | None = key("fingerprint of the corpus that it is of, where that is the second one of adapt=replay")
    left_out: int = key("how many are not among them because their audio cannot be read", 0)


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a run was trained on."""

    corpus: str | None = key("fingerprint of the corpus as it was configured")
    normalizer: str | None = key("transcript rule and its version")
    splits: Mapping[str, SplitData] | None = key("train, dev and what is evaluated; absent before 0.2.0")


@dataclass(frozen=True, kw_only=True)
class Averaged:
    """What a mean of checkpoints is the mean of."""

    run: str | None = key("name of the run's folder")
    checkpoints: Sequence[str] = key("names of the files", ())


@dataclass(frozen=True, kw_only=True)
class PretrainedWeights:
    """What an encoder arrived with."""

    weights: str | None = key("folder or name on the hub, as configured")
    sha256: str | None = key("of its model.safetensors")
    model_type: str | None = key("as its config.json says")


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """How a trained recognizer was trained on."""

    methods: Sequence[str] = key("names of what `adapt=` chose", ())
    base: str | None = key("bundle that it began with, as configured")
    sha256: str | None = key("of that bundle's model.safetensors")
    replayed: int | None = key("utterances of the second corpus in an epoch; absent: there is none")


@dataclass(frozen=True, kw_only=True, eq=False)
class RunCard(Mapping[str, Any]):
    """The card of a run.

    It is a mapping of the keys of its JSON, too: for keys that have no field here, and for columns of one's own that
    were written for 0.2.0.
    """

    plain: Mapping[str, Any] = field(default_factory=dict)  # all that was read, for what writes it again
    schema: int = key("of this file", SCHEMA)
    run_id: str | None = key("drawn when the run began; its checkpoints hold the same; absent before 0.2.0")
    status: Literal["unfinished", "finished"] = key("whether training and evaluation have ended", "unfinished")
    recipe: str | None = key("name of the recipe, or path of the user's own")
    seed: int | None = key("of initialisation, order and noise")
    started_at: str | None = key("when the run began", unit="ISO 8601, UTC")
    finished_at: str | None = key("when it became finished", unit="ISO 8601, UTC")
    commit: str | None = key("of the checkout, `+changed` where files differed from it; null where installed")
    versions: Mapping[str, str] = key("package → version: Python, lasasr and what it computes with", {})
    hardware: Mapping[str, Any] = key("`processor`, `cores` (usable), `memory_gib` (GiB), `gpus` (names)", {})
    command: str | None = key("the command line that began it")
    precision: str | None = key("of training, as Lightning calls it: `32-true`, `bf16-mixed`")
    threads: int | None = key("of torch on a CPU")
    data: Data = key("what it was trained on", Data())  # noqa: RUF009
    parameters: int | None = key("how many numbers the weights are")
    trained_parameters: int | None = key("how many of them were trained when training began; absent: all")
    adapted: Adapted | None = key("what was trained on, and how; absent: nothing")  # noqa: RUF009
    pretrained: PretrainedWeights | None = key("what the encoder arrived with; absent: nothing")  # noqa: RUF009
    teachers: Mapping[str, str] = key("run, bundle or table that the loss learns from → its digest; absent: none", {})
    encoding_s: float | None = key("running the frozen encoder once over train and dev, where that is kept", unit="s")
    steps: int | None = key("updates that were made")
    train_s: float | None = key("training with its validations, over all resumptions", unit="s")
    peak_memory_mib: float | None = key("most memory of all tensors on the GPU; null on a CPU", unit="MiB")
    validations: Sequence[Mapping[str, int | float]] = key("of each: `step`, `epoch`, and dev value → number", ())
    aligned_at_step: int | None = key("update at which attention was aligned; null: never; absent: it was not watched")
    alignment_unknown: str | None = key("why alignment could not be watched; null: it could")
    alignment_alarm: str | None = key("what was said of attention that does not align; null: nothing")
    infeasible_utterances: Sequence[str] = key("utterances with fewer encoded frames than CTC needs", ())
    self_attentive: bool | None = key("whether the encoder is; absent where it did not say so yet")
    averaged: Averaged | None = key("of what `lasasr average` made, what it is the mean of")  # noqa: RUF009
    results: Mapping[str, Mapping[str, Any]] = key("split → `results/<split>.json` when training ended", {})
    diverged: str | None = key("why training left the numbers; null once it came to its end")

    def __getitem__(self, name: str) -> Any:
        return self.plain[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain)

    def __len__(self) -> int:
        return len(self.plain)

    @property
    def alignment_watched(self) -> bool:
        """Whether it is known when attention was aligned, or that it never was."""
        return "aligned_at_step" in self.plain and not self.alignment_unknown

    def best_dev(self, monitor: str | None = None) -> tuple[str, float] | None:
        """The name and the smallest value of what validations were judged by; None: there was none.

        Args:
            monitor: `checkpoint.monitor`; None: the error rate of the recognizer, or perplexity.
        """
        names = (monitor,) if monitor else DEV_METRICS
        for name in names:
            if values := [float(validation[name]) for validation in self.validations if name in validation]:
                return name, min(values)
        return None

    def content_at_training(self, split: str) -> str | None:
        """The content of a split when the run was made; None: a card of 0.1.0 does not know it."""
        result = self.results.get(split) or {}
        split_data = (self.data.splits or {}).get(split, SplitData())
        content = result.get("data", split_data.content)  # of a mean of checkpoints, nothing is decoded yet
        return None if content is None else str(content)


def read(path: Path) -> RunCard:
    """A card that was written by any version, or by anyone.

    Raises:
        LasasrError: it is missing, damaged, or of another schema; names file, key and value.
    """
    return _typed(files.read_json(path), path, "is damaged")


def write(path: Path, plain: Mapping[str, Any]) -> None:
    """Write a card, whole or not at all.

    Args:
        plain: all of its keys; `schema` is added.

    Raises:
        LasasrError: a value is of another kind than its key; an older card stays as it is.
    """
    card = {"schema": SCHEMA, **plain}
    _typed(card, path, "cannot be written")
    files.write_json(path, card)


def _typed(content: Any, path: Path, problem: str) -> RunCard:
    if not isinstance(content, dict):
        raise LasasrError(f"{path} {problem}: it holds no keys")
    if content.get("schema") != SCHEMA:
        raise LasasrError(f"{path} has schema {content.get('schema')}, this version of lasasr reads {SCHEMA}")
    try:
        _refuse_infinite(content)
        card = typed.read(RunCard, content, plain=content)
        for index, validation in enumerate(card.validations):
            if "step" not in validation:
                raise typed.LackError([f"validations[{index}].step"])
    except typed.KindError as error:
        raise LasasrError(f"{path} {problem}: {error}") from None
    return card


def _refuse_infinite(value: Any, key: str = "") -> None:
    """JSON has no such numbers, though Python reads them: what holds one could not be written again."""
    if isinstance(value, float) and not math.isfinite(value):
        raise typed.KindError(f"{key} is {value}, not a finite number")
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_infinite(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _refuse_infinite(inner, f"{key}[{index}]")
