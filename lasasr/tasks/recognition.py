"""Training a recognizer, and decoding with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lasasr.artifacts import results, run_paths
from lasasr.artifacts.run_results import Decoding, RunResults
from lasasr.artifacts.runs import Run
from lasasr.configuration.settings import Recognition
from lasasr.corpora.audio_faults import skipped, skipped_beside
from lasasr.corpora.base import Progress
from lasasr.data.splits import Splits
from lasasr.distributed.ranks import Ranks
from lasasr.evaluation.names import result_names
from lasasr.evaluation.split import evaluate_searches, evaluate_split
from lasasr.models import factory, language_model
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import Prepared, fit_frontend, prepare, prepare_splits
from lasasr.remaining import duration
from lasasr.tasks.base import Evaluated, Task, print_other_data
from lasasr.training import data_check


@dataclass(frozen=True)
class RecognitionTask(Task[Recognition, Prepared, Recognizer]):
    """See `Task`."""

    def check(self, begun: bool = False) -> None:
        """See `Task`."""
        from lasasr.training.run import check

        check(self.settings, begun)
        data_check.refuse_absent(self.settings, factory.corpus(self.settings.corpus))

    def prepare(self, progress: Progress, again: bool = False) -> Prepared:
        """See `Task`."""
        return prepare(self.settings, progress, again)

    def warnings(self, prepared: Prepared) -> Iterator[str]:
        """See `Task`."""
        from lasasr.doctor.names import confusable

        for split in prepared.manifests:
            yield from (finding.line() for finding in confusable(split, prepared.utterances(split)))

    def describe(self, prepared: Prepared) -> Iterator[str]:
        """See `Task`."""
        for split in prepared.manifests:
            utterances = prepared.utterances(split)
            speakers, length = len(set(utterances.speakers)), duration(float(utterances.durations_s.sum()))
            yield f"{split:12s} {len(utterances):7d} utterances {speakers:5d} speakers {length:>10s}"
            manifest = prepared.manifests[split]
            if left_out := len(skipped(manifest)):
                yield f"{split:12s} {left_out:7d} left out for their audio: {skipped_beside(manifest)}"
        yield f"vocabulary   {prepared.tokenizer.vocabulary_size:7d} tokens, four of them special"

    def current_splits(self, progress: Progress) -> Splits:
        """See `Task`."""
        return prepare_splits(self.settings, progress)

    def build(self, prepared: Prepared, begun: bool, progress: Progress) -> Recognizer:
        """See `Task`; what is wrong with its data is said before any audio is read."""
        from lasasr.doctor.examination import warn_or_refuse
        from lasasr.training.adapting import beginning, is_adapting
        from lasasr.training.warm_start import warm_start

        recognizer = beginning(self.settings, prepared.tokenizer, str(prepared.rule))
        warn_or_refuse(self.settings, prepared, recognizer)
        if self.settings.warm_start.run and not begun and not is_adapting(self.settings):
            warm_start(recognizer, self.settings.warm_start.run, self.settings.warm_start.parts)
        fit_frontend(recognizer.frontend, self.settings, prepared, progress)
        recognizer.try_search()
        return recognizer.train()

    def fit(
        self,
        trained_as: Recognition,
        folder: Path,
        resume: bool,
        prepared: Prepared,
        model: Recognizer,
        progress: Progress,
    ) -> dict[str, Any]:
        """See `Task`."""
        from lasasr.training.run import fit_recognizer

        return fit_recognizer(trained_as, folder, resume, prepared, model, progress)

    def finish(self, folder: Path, prepared: Prepared, model: Recognizer, progress: Progress) -> dict[str, Any]:
        """See `Task`."""
        model.trained_on = prepared.lengths()
        model.eval().save(folder / "bundle")
        summaries = {
            split: evaluate_split(model, prepared, split, self.settings, folder, progress)
            for split in self.settings.evaluate.splits
        }
        return {"parameters": model.parameter_count, "results": summaries}

    def evaluate(
        self, run: Run, decodings: Sequence[Decoding], device: str, ranks: Ranks, progress: Progress
    ) -> Evaluated:
        """See `Task`; the model encodes every batch once for all searches."""
        data_check.refuse_absent(self.settings, factory.corpus(self.settings.corpus))
        trained = Recognizer.load(run_paths.bundle_folder(run.folder), device)
        searches = [decoding.settings for decoding in decodings]
        recognizers = [
            trained.searching(language_model.search(search_settings.search, trained.tokenizer))
            for search_settings in searches
        ]
        splits = self.settings.evaluate.splits
        prepared = ranks.in_turn(lambda: prepare(self.settings, progress, only=splits))
        if ranks.first:
            print_other_data(run, prepared, splits)
        # before anything is decoded: what cannot be named is said at once
        names = [result_names(run, decodings, prepared, split, trained) if ranks.first else [] for split in splits]
        decoded = [
            evaluate_searches(recognizers, prepared, split, searches, run.folder, progress, ranks, of_split)
            for split, of_split in zip(splits, names, strict=True)
        ]
        by_search = [summary for of_search in zip(*decoded, strict=True) for summary in of_search]
        stems = [name for of_search in zip(*names, strict=True) for name in of_search]
        return Evaluated(by_search, [run.results / f"{stem}.json" for stem in stems])

    def is_evaluated(self, run: Run, split: str, data: str) -> bool:
        """See `Task`."""
        name = RunResults(run).name(split, Decoding(self.settings), data, dict)
        return results.StoredResult(run.results, name).path.exists()
