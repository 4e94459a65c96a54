"""Runs decoded on test sets of other runs, or of tables, by one search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from lasasr.artifacts.run_results import Decoding, RunResults
from lasasr.artifacts.runs import Run
from lasasr.cli.compose import recompose
from lasasr.configuration import settings as configuration
from lasasr.errors import LasasrError, UsageError, looked_up

if TYPE_CHECKING:
    from lasasr.configuration.settings import Recognition
    from lasasr.corpora.base import Progress
    from lasasr.data.splits import Splits

CUTS: Final = ".jsonl.gz"  # a Lhotse manifest, which stands for a table
OF_TABLE: Final = "test"  # the split that a table is decoded as
OF_RUN: Final = "lasasr.models.factory.tokenizer_of_run"


@dataclass(frozen=True)
class TestSet:
    """What all runs are decoded on."""

    label: str  # as the user named it
    split: str
    corpus: dict[str, Any]  # the section of a configuration
    choice: str  # of the config group


@dataclass(frozen=True)
class Search:
    """What all runs are decoded by."""

    part: dict[str, Any]
    choice: str  # of the config group


def runs(paths: Sequence[Path]) -> list[Run]:
    """The finished runs that the paths name.

    Raises:
        LasasrError: one is not finished, or a language model.
        UsageError: one is a result, no run.
    """
    from lasasr.comparison.sources import MissingRun, named_sources, result_path

    named = []
    for source in named_sources(paths):
        if isinstance(source, MissingRun):
            raise LasasrError(f"{source.name} is {source.status}, so nothing can be said about it: leave it out")
        if source.run is None or source.name is not None:
            raise UsageError(f"{result_path(source)} is one result: name its run, which is decoded on both test sets")
        named.append(source.run)
    return named


def chosen_search(before: Run, overrides: Sequence[str]) -> Search:
    """The search of what was before, with overrides on top."""
    plain = before.settings().plain
    changed = recompose(plain, overrides) if overrides else plain
    return Search(dict(changed["search"]), str(changed["choices"].get("search") or ""))


def test_set(wanted: str, side: str, before: Run, after: Run) -> TestSet:
    """What `--source` or `--target` names.

    Raises:
        UsageError: it is none of the three.
        LasasrError: the table is missing.
    """
    from lasasr.corpora.table_files import SUFFIXES

    whose, colon, split = wanted.partition(":")
    if colon and whose in ("before", "after") and split:
        plain = (before if whose == "before" else after).settings().plain
        return TestSet(wanted, split, dict(plain["corpus"]), str((plain.get("choices") or {}).get("corpus")))
    forms = (*SUFFIXES, CUTS)
    if not wanted.endswith(forms):
        raise UsageError(f"--{side} {wanted} is neither before:SPLIT nor after:SPLIT nor a table ({', '.join(forms)})")
    table = Path(wanted)
    if not table.is_file():
        raise LasasrError(f"--{side} {wanted} is missing, or no file{looked_up(table)}")
    return TestSet(wanted, OF_TABLE, _of_table(table, before), "table")


def _of_table(table: Path, before: Run) -> dict[str, Any]:
    """The corpus of a table alone; its transcripts pass through the rule of the run's own corpus."""
    from lasasr.models import factory

    own = cast("Recognition", before.settings())
    section = dict(recompose(own.plain, ["corpus=table"])["corpus"])
    path = str(table.resolve())
    return {**section, "train": path, "dev": path, "test": path, "transcript": factory.corpus(own.corpus).transcript}


def decode(run: Run, on: TestSet, search: Search, device: str, progress: Progress) -> Path:
    """The result of a run on a test set: the one that is there, or a new one.

    Raises:
        LasasrError: the run cannot be decoded so; the message says why.
    """
    from lasasr.artifacts.results import StoredResult
    from lasasr.artifacts.run_lock import writing
    from lasasr.distributed.ranks import Ranks
    from lasasr.preparation.speech import prepare_splits
    from lasasr.tasks.lookup import task_of

    changed = _settings(run, on, search)
    own_choice = changed.plain["choices"].get("search") == run.settings().choices.get("search")
    decoding = Decoding(changed, "" if own_choice else search.choice)
    splits = prepare_splits(changed, progress, only=[on.split])
    named = RunResults(run).name(on.split, decoding, splits.content(on.split), partial(_references, splits, on.split))
    stored = StoredResult(run.results, named)
    if stored.path.exists():
        return stored.path
    with writing(run.folder, "evaluated"):
        (path,) = task_of(changed).evaluate(run, [decoding], device, Ranks.from_torchrun(), progress).files
    return path


def _settings(run: Run, on: TestSet, search: Search) -> Recognition:
    """A run's configuration, decoded on another test set; its tokenizer is its own, not one learnt from that corpus."""
    own = run.settings()
    choices = {**own.choices, "corpus": on.choice, "search": search.choice}
    plain = {
        **own.plain,
        "corpus": on.corpus,
        "search": search.part,
        "tokenizer": {"_target_": OF_RUN, "run": str(run.folder)},
        "choices": choices,
    }
    changed = cast("Recognition", configuration.load(plain, f"recipe {own.plain['recipe']} of {run.folder}"))
    return replace(changed, evaluate=replace(changed.evaluate, splits=[on.split], maps=0, score_references=False))


def _references(splits: Splits, split: str) -> dict[str, str]:
    utterances = splits.utterances(split)
    return dict(zip(utterances.ids, map(splits.rule.scored, utterances.texts), strict=True))
