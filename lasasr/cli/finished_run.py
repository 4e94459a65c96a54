"""A finished run that is asked for again: whether its data are still what they were, and what is done if not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lasasr.configuration.loading import loading
from lasasr.configuration.settings import Recognition, Settings
from lasasr.errors import LasasrError

if TYPE_CHECKING:
    from lasasr.artifacts.runs import Run
    from lasasr.data.splits import AnySplits


class UncheckedError(LasasrError):
    """The data of a run cannot be compared with today's."""


def check_finished(run: Run, settings: Settings) -> None:
    """Compare the data of a finished run with today's; what it is only evaluated on is decoded anew where it differs.

    Args:
        settings: the run's, with today's places of data.

    Raises:
        LasasrError: it was trained on other data.
    """
    with loading():
        from lasasr.tasks.lookup import task_of
        from lasasr.training import data_check

    try:
        splits = _current_splits(run, settings)
        changed = [] if splits is None else data_check.changed_splits(run, splits, settings)
    except (LasasrError, OSError) as error:
        print(f"note: its data could not be checked: {error}", file=sys.stderr)
        return
    data_check.refuse_trained(run, changed)
    if isinstance(settings, Recognition) and run.card().teachers:
        _refuse_other_teachers(run, settings)
    if splits is None:
        return
    anew = []
    for difference in changed:
        data = splits.contents(difference.split).fingerprint
        if task_of(settings).is_evaluated(run, difference.split, data):
            print(f"note: {data_check.other_line(run, difference)}", file=sys.stderr)
        else:  # which says the same
            anew.append(difference.split)
    if anew:
        _evaluate(run, settings, anew)


def _refuse_other_teachers(run: Run, settings: Recognition) -> None:
    """Refuse a run that learnt from other teachers; where they are gone nothing can be said.

    Raises:
        LasasrError: a teacher has changed.
    """
    from lasasr.models import factory
    from lasasr.preparation import teaching

    wanted = factory.loss(settings.loss, settings.seed).teaching
    if wanted is None:
        return
    try:
        teaching.check(wanted)
    except LasasrError as error:
        print(f"note: what it learnt from could not be checked: {error}", file=sys.stderr)
        return
    teaching.refuse_changed(run, wanted)


def _current_splits(run: Run, settings: Settings) -> AnySplits | None:
    """The splits as the corpus is now; None: they are those of the run as far as is known.

    Raises:
        LasasrError: they cannot be compared.
    """
    with loading():
        from lasasr.cli.progress import progress
        from lasasr.models import factory
        from lasasr.preparation.speech import folder_of
        from lasasr.tasks.lookup import task_of
        from lasasr.training import data_check

    corpus = factory.any_corpus(settings.corpus)
    now, before = corpus.fingerprint(), run.card().data.corpus
    if data_check.noted(run) is None:
        if now == before:
            return None
        raise UncheckedError(
            f"it {data_check.UNKNOWN}, and the corpus has another fingerprint now ({now}, {before} before): its files "
            f"were moved or have changed"
        )
    folder = folder_of(corpus, settings)
    if now == before and not folder.is_dir():
        raise UncheckedError(f"{folder}, which was prepared of them, is gone; lasasr prepare makes it again")
    with progress() as report:
        return task_of(settings).current_splits(report)


def _evaluate(run: Run, settings: Settings, names: Sequence[str]) -> None:
    """Evaluate splits to results of their own; the run's own results stay."""
    from lasasr.artifacts.run_lock import writing
    from lasasr.artifacts.run_results import Decoding
    from lasasr.cli.progress import progress
    from lasasr.distributed.ranks import Ranks
    from lasasr.tasks.lookup import task_of

    of_these = replace(settings, evaluate=replace(settings.evaluate, splits=tuple(names)))
    decodings = [Decoding(of_these)] if isinstance(of_these, Recognition) else []
    with writing(run.folder, "evaluated"), progress() as report:
        task_of(of_these).evaluate(run, decodings, _device(settings), Ranks(), report)


def _device(settings: Settings) -> str:
    import torch

    return "cuda" if settings.trainer["accelerator"] != "cpu" and torch.cuda.is_available() else "cpu"
