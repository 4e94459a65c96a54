"""A comparison of texts: files of other toolkits by name, several of one name as seeds, and runs of lasasr."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lasasr.comparison.entries import RunSelection
from lasasr.comparison.grouping import SystemRuns, copied_seeds, groups, refuse_one_name
from lasasr.comparison.outside import outside_run, rescored
from lasasr.comparison.pairs import NO_SPEAKERS
from lasasr.comparison.reference_set import ReferenceSet, Scoring, reference_set, speakers_of
from lasasr.errors import UsageError
from lasasr.transcripts.base import Texts, Transcripts


@dataclass(frozen=True)
class NamedTexts:
    """The files of one system; several are its seeds."""

    name: str
    files: tuple[Transcripts, ...]


def text_comparison(
    reference: Transcripts | None,
    named: Sequence[NamedTexts],
    runs: RunSelection | None,
    scoring: Scoring,
    rule: Callable[[str], str] | None = None,
    table: tuple[str, Texts] | None = None,
    split: str | None = None,
    allowed: Mapping[str, bool] | None = None,
) -> tuple[RunSelection, list[SystemRuns], list[str], ReferenceSet]:
    """The systems in order, named ones first; notes on what limits their comparison; and the references.

    Args:
        reference: the references; None: those that the first file or run brings.
        runs: runs of lasasr.
        rule, table: who said an utterance, as `reference_set.speakers_of` takes them.
        split: a name for the test set; None: that of the reference.
        allowed: `any_search`, `any_corpus` of `grouping.groups`.

    Raises:
        LasasrError: the texts are not of the same utterances, or damaged.
        UsageError: nothing brings references, or two systems have one name.
    """
    source, texts, origin = _references(reference, named, runs)
    implied = [(str(file.path), file.speakers) for file in (*([reference] if reference else []), *_files(named))]
    if runs:
        implied += [(run.name, {line["id"]: line.get("speaker") or "" for line in run.lines}) for run in runs.runs[:1]]
    implied = [(name, {key: speaker for key, speaker in said.items() if speaker}) for name, said in implied]
    references = reference_set(source, texts, scoring, speakers_of(texts, rule, table, implied), origin)
    own_split = split or (runs.split if runs else None) or _split(reference or _files(named)[0])
    systems = [
        SystemRuns(
            system.name,
            tuple(
                outside_run(str(number), file, references, own_split, scoring)
                for number, file in enumerate(system.files, start=1)
            ),
        )
        for system in named
    ]
    notes = [note for system in systems for note in copied_seeds(system)]
    if runs:
        grouped, notes_of_runs = groups(runs, **(allowed or {}), renormalized=scoring.changes)
        systems += [
            replace(group, runs=tuple(rescored(run, references, scoring) for run in group.runs)) for group in grouped
        ]
        notes += notes_of_runs
    refuse_one_name([system.name for system in systems])
    notes += _notes(references, systems)
    selection = RunSelection(
        own_split, [run for system in systems for run in system.runs], runs.missing if runs else []
    )
    return selection, systems, notes, references


def _files(named: Sequence[NamedTexts]) -> list[Transcripts]:
    return [file for system in named for file in system.files]


def _references(
    reference: Transcripts | None, named: Sequence[NamedTexts], runs: RunSelection | None
) -> tuple[str, Texts, Transcripts | None]:
    """Where the references are from, the texts, and the file."""
    if reference is not None:
        return str(reference.path), reference.as_references(), reference
    for file in _files(named):
        if (own := file.own_references()) is not None:
            return str(file.path), own, file
    if runs is None:
        raise UsageError("none of these files holds references; --reference REF names them")
    first = runs.runs[0]
    durations_s = {line["id"]: line["duration_s"] for line in first.lines if line.get("duration_s")}
    texts = {line["id"]: line["reference"] for line in first.lines}
    return first.name, texts, Transcripts(Path(first.name), references=texts, durations_s=durations_s)


def _split(transcripts: Transcripts) -> str:
    """A name for the test set: of a file called `ref` or `text`, that of its folder."""
    path = transcripts.path.resolve()
    stem = path.name.partition(".")[0] or path.name
    return path.parent.name if stem in ("ref", "text", "hyp") and path.parent.name else stem


def _notes(references: ReferenceSet, systems: Sequence[SystemRuns]) -> list[str]:
    notes = [] if references.speakers else [NO_SPEAKERS]
    for system in systems:
        missing = {run.seed: run.summary["without_hypothesis"] for run in system.runs}
        if any(missing.values()):
            listed = ", ".join(f"{count:,} of seed {seed}" for seed, count in missing.items() if count)
            notes.append(f"utterances of {system.name} without a hypothesis count as deletions: {listed}")
    return notes
