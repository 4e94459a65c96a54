"""The contract of a task: everything that depends on what is trained, and the order in which a training does it."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from lasasr.artifacts.run_results import Decoding
from lasasr.artifacts.runs import Run
from lasasr.configuration.settings import Settings
from lasasr.corpora.base import Progress
from lasasr.data.splits import AnySplits
from lasasr.distributed import launch
from lasasr.distributed.ranks import Ranks
from lasasr.training import data_check

S = TypeVar("S", bound=Settings)
P = TypeVar("P", bound=AnySplits)  # what is prepared
M = TypeVar("M")  # what is trained


class Evaluated(NamedTuple):
    """What came of evaluating a run."""

    summaries: list[dict[str, Any]]  # of each search, split by split
    files: list[Path]  # where they were written; none on other ranks than the first


@dataclass(frozen=True)
class Task(ABC, Generic[S, P, M]):
    """The work on one configuration.

    Args:
        settings: of the run.
    """

    settings: S

    @abstractmethod
    def check(self, begun: bool = False) -> None:
        """Refuse what can be seen to be wrong before anything is prepared or written.

        Args:
            begun: whether a checkpoint is gone on from.

        Raises:
            LasasrError: the work cannot be done; the message says why and what to do.
        """

    @abstractmethod
    def prepare(self, progress: Progress, again: bool = False) -> P:
        """Make what is missing below `prepared_dir`; reuse what is there.

        Args:
            again: look whether audio has changed since it was prepared, and prepare that anew.

        Raises:
            LasasrError: the corpus is missing or damaged.
        """

    def warnings(self, prepared: P) -> Iterator[str]:
        """What of a corpus is probably not as its maker meant it, a line each; none of most."""
        yield from ()

    @abstractmethod
    def describe(self, prepared: P) -> Iterable[str]:
        """The lines that `lasasr prepare` prints."""

    @abstractmethod
    def current_splits(self, progress: Progress) -> AnySplits:
        """The splits as the corpus is now; nothing is downloaded for it, and no tokenizer learnt.

        Raises:
            LasasrError: the corpus is missing or damaged.
        """

    @abstractmethod
    def build(self, prepared: P, begun: bool, progress: Progress) -> M:
        """What is trained, with its weights as training begins with them.

        Args:
            begun: a checkpoint is gone on from, whose weights come after any beginning.
        """

    @abstractmethod
    def fit(
        self, trained_as: S, folder: Path, resume: bool, prepared: P, model: M, progress: Progress
    ) -> dict[str, Any]:
        """Train; what the card says of it, and nothing on other ranks than the first.

        Args:
            trained_as: the settings, with the precision that the machine computes in.
        """

    @abstractmethod
    def finish(self, folder: Path, prepared: P, model: M, progress: Progress) -> dict[str, Any]:
        """Save the bundle and evaluate; what the card says of that."""

    @abstractmethod
    def evaluate(
        self, run: Run, decodings: Sequence[Decoding], device: str, ranks: Ranks, progress: Progress
    ) -> Evaluated:
        """Evaluate a trained run on `evaluate.splits`, and write the results.

        Args:
            decodings: the searches to decode with; none in a task that has no search.
        """

    @abstractmethod
    def is_evaluated(self, run: Run, split: str, data: str) -> bool:
        """Whether there is a result of the run's own on this content of a split."""

    def train(self, folder: Path, resume: bool, progress: Progress) -> dict[str, Any]:
        """Train into the run folder `folder`, as `check` has found nothing wrong with; return what its card says.

        Other ranks than the first return nothing.

        Raises:
            Interrupted: a signal ended training; `checkpoints/last.ckpt` holds everything `resume` needs.
            LasasrError: the work cannot be done; the message says why and what to do.
        """
        from lasasr.training.machine import keep_freed_memory, precision, seed_everything, set_threads, slowdown
        from lasasr.training.progress_printer import quiet  # which loads Lightning, as an evaluation does not

        begun = resume and Run(folder).begun
        computed_in = precision(self.settings)
        quiet()
        threads = set_threads(self.settings.threads)
        slower = slowdown(computed_in, self.settings.trainer["accelerator"])
        if slower is not None:
            what = f"warning: trainer.precision={computed_in}: here a product takes {slower:.1f} times as long as in"
            launch.say(f"{what} float32, because this processor emulates it; 32-true is faster")
        keep_freed_memory()
        seed_everything(self.settings.seed)
        prepared = self.prepare(progress)
        data = data_check.begin(folder, prepared, self.settings, resume)
        model = self.build(prepared, begun, progress)
        trained_as = replace(self.settings, trainer={**self.settings.trainer, "precision": computed_in})
        fitted = self.fit(trained_as, folder, resume, prepared, model, progress)
        if not fitted:
            return {}
        about_work = {"precision": computed_in, "threads": threads, "data": data}
        return {**fitted, **about_work, **self.finish(folder, prepared, model, progress)}


def print_other_data(run: Run, splits: AnySplits, names: Iterable[str]) -> None:
    """Say of each of the named splits that is not that of the run what becomes of its result."""
    for line in data_check.other_data(run, splits, names):
        sys.stderr.write(f"note: {line}\n")
