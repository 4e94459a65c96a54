"""Training a language model, and measuring its perplexity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lasasr.artifacts import perplexity_results, run_paths
from lasasr.artifacts.run_results import Decoding
from lasasr.artifacts.runs import Run
from lasasr.configuration.settings import Language
from lasasr.corpora.base import Progress
from lasasr.data.splits import TextSplits
from lasasr.distributed.ranks import Ranks
from lasasr.models import factory
from lasasr.models.language_model import TrainedLM
from lasasr.models.parts import LanguageParts
from lasasr.preparation.text import PreparedText, prepare_text, prepare_text_splits
from lasasr.tasks.base import Evaluated, Task, print_other_data
from lasasr.training import data_check


@dataclass(frozen=True)
class LanguageTask(Task[Language, PreparedText, TrainedLM]):
    """See `Task`."""

    def check(self, begun: bool = False) -> None:
        """See `Task`."""
        from lasasr.training.lm_run import check

        check(self.settings)
        data_check.refuse_absent(self.settings, factory.any_corpus(self.settings.corpus))

    def prepare(self, progress: Progress, again: bool = False) -> PreparedText:
        """See `Task`; no audio is read, so that there is nothing to look at again."""
        return prepare_text(self.settings, progress)

    def describe(self, prepared: PreparedText) -> Iterator[str]:
        """See `Task`."""
        for split in prepared.splits:
            counts = prepared.sentences(split).counts
            left_out = f", {counts.left_out} left out: {counts.first_left_out}" if counts.left_out else ""
            yield f"{split:12s} {counts.sentences:9d} sentences {counts.words:10d} words{left_out}"
        yield f"vocabulary   {prepared.tokenizer.vocabulary_size:9d} tokens, four of them special"

    def current_splits(self, progress: Progress) -> TextSplits:
        """See `Task`."""
        return prepare_text_splits(self.settings, progress)

    def build(self, prepared: PreparedText, begun: bool, progress: Progress) -> TrainedLM:
        """See `Task`."""
        parts = LanguageParts(lm=self.settings.lm, seed=self.settings.seed)
        return TrainedLM.build(parts, prepared.tokenizer, str(prepared.rule))

    def fit(
        self,
        trained_as: Language,
        folder: Path,
        resume: bool,
        prepared: PreparedText,
        model: TrainedLM,
        progress: Progress,
    ) -> dict[str, Any]:
        """See `Task`."""
        from lasasr.training.lm_run import fit_language_model

        return fit_language_model(trained_as, folder, resume, prepared, model)

    def finish(self, folder: Path, prepared: PreparedText, model: TrainedLM, progress: Progress) -> dict[str, Any]:
        """See `Task`."""
        from lasasr.training.lm_run import evaluate

        model.eval().save(folder / "bundle")
        records = evaluate(self.settings, model, prepared, progress)
        perplexity_results.write_own(folder, records)
        return {"parameters": sum(p.numel() for p in model.parameters()), "results": records}

    def evaluate(
        self, run: Run, decodings: Sequence[Decoding], device: str, ranks: Ranks, progress: Progress
    ) -> Evaluated:
        """See `Task`; the first rank measures alone."""
        from lasasr.training.lm_run import evaluate

        if not ranks.first:
            return Evaluated([], [])
        data_check.refuse_absent(self.settings, factory.any_corpus(self.settings.corpus))
        splits = self.settings.evaluate.splits
        trained = TrainedLM.load(run_paths.bundle_folder(run.folder)).to(device)
        prepared = prepare_text(self.settings, progress, splits, trained.tokenizer)
        print_other_data(run, prepared, splits)
        records = evaluate(self.settings, trained, prepared, progress)
        return Evaluated(list(records.values()), perplexity_results.write(run, records, self.settings))

    def is_evaluated(self, run: Run, split: str, data: str) -> bool:
        """See `Task`."""
        recorded = [perplexity_results.read(path).get(split, {}) for path in perplexity_results.others(run.folder)]
        return any(record.get("data") == data for record in recorded)
