"""A finished run that is asked for again: whether its data are still what they were, and what is done if not."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lasasr.configuration.loading import loading
from lasasr.errors import LasasrError

if TYPE_CHECKING:
    from lasasr.artifacts.runs import Run
    from lasasr.data.splits import AnySplits


class UncheckedError(LasasrError):
    """The data of a run cannot be compared with today's."""


def check_finished(run: Run, config: Mapping[str, Any]) -> None:
    """Compare the data of a finished run with today's; what it is only evaluated on is decoded anew where it differs.

    Args:
        config: the run's, with today's places of data.

    Raises:
        LasasrError: it was trained on other data.
    """
    with loading():
        from lasasr.artifacts.runs import refuse_partial
        from lasasr.training import data_check

    refuse_partial(run.folder / "config.yaml", config)
    try:
        splits = _todays_splits(run, config)
        changed = [] if splits is None else data_check.changed_splits(run, splits, config)
    except (LasasrError, OSError) as error:
        print(f"note: its data could not be checked: {error}", file=sys.stderr)
        return
    data_check.refuse_trained(run, changed)
    if splits is None:
        return
    anew = []
    for difference in changed:
        if _is_decoded(run, config, difference.split, splits):
            print(f"note: {data_check.other_line(run, difference)}", file=sys.stderr)
        else:  # which says the same
            anew.append(difference.split)
    if anew:
        _decode(run, config, anew)


def _todays_splits(run: Run, config: Mapping[str, Any]) -> AnySplits | None:
    """The splits as the corpus is now; None: they are those of the run as far as is known.

    Raises:
        LasasrError: they cannot be compared.
    """
    with loading():
        from lasasr.cli.progress import progress
        from lasasr.models import factory
        from lasasr.preparation.speech import folder_of, prepare_splits
        from lasasr.preparation.text import prepare_text_splits
        from lasasr.training import data_check

    corpus = factory.any_corpus(config)
    now, before = corpus.fingerprint(), (run.card().get("data") or {}).get("corpus")
    if data_check.noted(run) is None:
        if now == before:
            return None
        raise UncheckedError(
            f"it {data_check.UNKNOWN}, and the corpus has another fingerprint now ({now}, {before} before): its files "
            f"were moved or have changed"
        )
    folder = folder_of(corpus, config)
    if now == before and not folder.is_dir():
        raise UncheckedError(f"{folder}, which was prepared of them, is gone; lasasr prepare makes it again")
    with progress() as report:
        return prepare_text_splits(config, report) if "lm" in config else prepare_splits(config, report)


def _decode(run: Run, config: Mapping[str, Any], names: Sequence[str]) -> None:
    """Decode splits to results of their own; the run's own results stay."""
    from lasasr.artifacts.run_lock import writing
    from lasasr.artifacts.run_results import Decoding
    from lasasr.cli.evaluate import evaluate_lm_run, evaluate_run
    from lasasr.distributed.ranks import Ranks

    of_these = {**config, "evaluate": {**config["evaluate"], "splits": list(names)}}
    with writing(run.folder, "evaluated"):
        if "lm" in config:
            evaluate_lm_run(run, of_these, _device(config))
        else:
            evaluate_run(run, [Decoding(of_these)], _device(config), Ranks())


def _is_decoded(run: Run, config: Mapping[str, Any], split: str, splits: AnySplits) -> bool:
    """Whether there is a result of the run's own search on today's data."""
    from lasasr.artifacts import perplexity_results, results
    from lasasr.artifacts.run_results import Decoding, RunResults

    data = splits.contents(split).fingerprint
    if "lm" in config:
        there = [perplexity_results.read(path).get(split, {}) for path in perplexity_results.others(run.folder)]
        return any(record.get("data") == data for record in there)
    name = RunResults(run).name(split, Decoding(config), data, dict)
    return results.Stored(run.results, name).path.exists()


def _device(config: Mapping[str, Any]) -> str:
    import torch

    return "cuda" if config["trainer"]["accelerator"] != "cpu" and torch.cuda.is_available() else "cpu"
