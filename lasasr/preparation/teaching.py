"""What teachers say of train and dev, asked once and kept: keyed by their weights and by what the audio holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lasasr.artifacts import files, run_paths
from lasasr.artifacts.runs import Run
from lasasr.configuration.settings import Recognition
from lasasr.corpora.base import Progress
from lasasr.data.dataset import Taught
from lasasr.distributed import launch
from lasasr.errors import LasasrError, UsageError, looked_up
from lasasr.losses.base import Teaching, TextTeaching, TokenTeaching
from lasasr.preparation.speech import Prepared
from lasasr.preparation.teacher_texts import taught_texts, texts_of_table
from lasasr.preparation.teacher_tokens import taught_tokens
from lasasr.preparation.teachers import identities

SPLITS = ("train", "dev")


def check(teaching: Teaching) -> None:
    """Refuse what can be seen to be wrong before anything is prepared.

    Raises:
        UsageError: no teacher is named, or more than the loss reads.
        LasasrError: a teacher has no bundle, or the table is missing.
    """
    table = teaching.table if isinstance(teaching, TextTeaching) else None
    if not teaching.teachers and table is None:
        more = ", or loss.texts=TABLE" if isinstance(teaching, TextTeaching) else ""
        raise UsageError(f"loss.teachers names no teacher: loss.teachers=[RUN], run folders or bundles{more}")
    if teaching.teachers and table is not None:
        raise UsageError(f"loss.teachers and loss.texts={table} are both given: the texts come from one of them")
    for teacher in teaching.teachers:
        run_paths.bundle_folder(teacher)
    if table is not None and not files.expanded(table).is_file():
        raise LasasrError(f"loss.texts={table} is missing, or no file{looked_up(table)}")


def taught_splits(
    teaching: Teaching, settings: Recognition, prepared: Prepared, progress: Progress, device: str
) -> dict[str, Taught]:
    """What the teachers say of train and dev, asked where it is not known yet.

    Args:
        device: to compute on.

    Raises:
        UsageError: a teacher has other tokens, or cannot be asked so.
        LasasrError: a teacher cannot be used, or has nothing to say of an utterance; names both.
    """
    if isinstance(teaching, TokenTeaching):
        return {split: taught_tokens(teaching, settings, prepared, split, progress, device) for split in SPLITS}
    assert isinstance(teaching, TextTeaching)
    if teaching.table is not None:
        return {split: texts_of_table(teaching.table, prepared, split, teaching.nbest) for split in SPLITS}
    return {split: taught_texts(teaching, settings, prepared, split, progress, device) for split in SPLITS}


def note(teaching: Teaching, folder: Path, resume: bool) -> None:
    """Note in a run's card what its teachers are; a run that goes on has those that it began with.

    Raises:
        LasasrError: a teacher is not what it was.
    """
    run, now = Run(folder), identities(teaching)
    if resume and (teacher := _changed(run, now)) is not None:
        raise LasasrError(
            f"{folder} cannot go on: {teacher}, which it learns from, is not what it was: put it back, or train anew "
            "with --fresh"
        )
    if launch.helper() is None:
        run.note(teachers=now)


def refuse_changed(run: Run, teaching: Teaching) -> None:
    """Refuse to take a finished run for the one that was asked for where it learnt from another teacher.

    Raises:
        LasasrError: a teacher is not what it was, or is not there.
    """
    if (teacher := _changed(run, identities(teaching))) is not None:
        raise LasasrError(
            f"{run.folder} is finished, but {teacher}, which it learnt from, has changed since: put it back, or train "
            "anew with --fresh"
        )


def _changed(run: Run, now: Mapping[str, str]) -> str | None:
    """A teacher that is another one now than the card says."""
    before = run.card().teachers
    return next((teacher for teacher, digest in now.items() if before.get(teacher, digest) != digest), None)
