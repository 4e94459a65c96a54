"""Which results of a run are its own, which another search or other data gave, and what a new one is called.

The run's own are those of the search of its config.yaml, on the data it was made with. lasasr 0.1.0 wrote those of any
search to results/<split>.json; a file there that is not the run's own is known by what it says, and makes way.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from lasasr.artifacts import files, results
from lasasr.artifacts.result_names import (
    Difference,
    ResultName,
    data_difference,
    other_result_name,
    sanitised,
    search_difference,
)
from lasasr.artifacts.results import StoredResult
from lasasr.artifacts.runs import Run
from lasasr.artifacts.search_identity import (
    SearchIdentity,
    identity_of,
    model_contents,
    model_paths,
    normal,
    search_identity,
    search_words,
)
from lasasr.artifacts.utterance_files import earlier_plot_name
from lasasr.configuration.sections import Part, Plain
from lasasr.configuration.settings import Recognition
from lasasr.errors import LasasrError

ENDINGS: Final = (".json", ".jsonl", ".txt")  # of a result's files, the summary first
Utterances = Callable[[], Mapping[str, str]]  # id → reference, read only where it is needed


class Decoding(NamedTuple):
    """One search on some data, as `lasasr evaluate` runs it."""

    settings: Recognition
    choice: str = ""  # of the config group `search`, where another was chosen than the run's
    base: Part | None = None  # the search that the choice stands for


@dataclass(frozen=True)
class RunResults:
    """The results of one run."""

    run: Run

    @cached_property
    def config(self) -> dict[str, Any]:
        """The run's."""
        return self.run.config()

    @cached_property
    def own_search(self) -> SearchIdentity:
        """Of the search of config.yaml, with the language models that the bundle carries."""
        search = self.config.get("search") or {}
        return search_identity(search, self._own_models(search))

    def _own_models(self, search: Mapping[str, Any]) -> dict[str, str]:
        """What the models of config.yaml's search held when the run was trained: the bundle has copies."""
        if not model_paths(search):
            return {}
        try:
            carried = Run(self.run.bundle).config()
        except LasasrError:  # not trained yet, or its results alone are here
            return model_contents(search)
        return model_contents(carried.get("search") or {}, self.run.bundle)

    def own_data(self, split: str) -> str | None:
        """The content of a split when the run was made; None: runs of 0.1.0 do not know it."""
        if content := self.run.card().content_at_training(split):
            return content
        own = self.own(split)
        data = None if own is None else own.summary().get("data")
        return None if data is None else str(data)

    def own(self, split: str) -> StoredResult | None:
        """The run's own result of a split; None: there is none, or its summary is damaged."""
        stored = StoredResult(self.run.results, ResultName(split))
        if not stored.path.exists():
            return None
        with suppress(LasasrError):
            return None if self.foreign(stored) else stored
        return None

    def foreign(self, stored: StoredResult) -> str:
        """What wrote results/<split>.json, where that is not the run's own search on its data; "" where it is."""
        summary = stored.summary()
        if not self._searched_alike(summary):
            return f"search={search_words(summary['search'])}"
        if "data" in summary:  # 0.1.0 did not write it; later versions give this name to the run's own only
            return ""
        corpus_at_training, corpus = self.run.card().data.corpus, summary.get("corpus")
        return f"corpus={corpus}" if corpus_at_training and corpus and corpus_at_training != corpus else ""

    def _searched_alike(self, summary: Mapping[str, Any]) -> bool:
        """By the path of language models, or by their content: either is enough for results that do not say both."""
        search, own = summary.get("search"), self.config.get("search")
        if search is None or own is None:
            return True
        if "search_models" not in summary and normal(search) == normal(own):
            return True
        return identity_of(summary) == self.own_search

    def missing(self, split: str) -> str:
        """Why there is no result of the run's own, and the way out."""
        stored = StoredResult(self.run.results, ResultName(split))
        way_out = f"lasasr evaluate {self.run.folder}{self._splits_override(split)} decodes it"
        if not stored.path.exists():
            return f"{stored.path} is missing: {way_out}"
        writer = self.foreign(stored)
        return f"the run's own result is missing: {stored.path.name} was written by {writer}; {way_out} again"

    def _splits_override(self, split: str) -> str:
        usual = (self.config.get("evaluate") or {}).get("splits") or []
        return "" if split in usual else f" evaluate.splits=[{split}]"

    def name(self, split: str, decoding: Decoding, data: str, utterances: Utterances) -> ResultName:
        """What the result of a decoding is called: as one of the same search and data that is there, or anew.

        Args:
            data: the content of the split.
            utterances: of the split, by which data are compared where no content was noted.
        """
        search = decoding.settings.search
        identity = search_identity(search)
        own_data = self._is_own_data(split, data, utterances)
        if own_data and identity == self.own_search:
            return ResultName(split)
        for stored in results.list_results(self.run.results, split):
            with suppress(LasasrError):  # one that is damaged: it is replaced if it has the name that follows
                summary = stored.summary()
                if stored.name.code and summary.get("data") == data and identity_of(summary) == identity:
                    return stored.name
        elsewhere = None if own_data else decoding.settings.plain
        text = self._text(search, identity, decoding.choice, decoding.base, elsewhere)
        return other_result_name(split, text, identity.values, data)

    def text(self, summary: Mapping[str, Any]) -> str:
        """What the search of a summary is called in the name of its result; "" where it is the run's own."""
        identity = identity_of(summary)
        if identity is None or identity == self.own_search:
            return ""
        return sanitised(self._text(summary["search"], identity))

    def _text(
        self,
        search: Part,
        identity: SearchIdentity,
        choice: str = "",
        base: Part | None = None,
        elsewhere: Plain | None = None,
    ) -> str:
        """What tells a search from the run's own and, where a configuration is given, its data from the run's."""
        words = Difference([], [])
        if identity != self.own_search:
            words = search_difference(self.config.get("search") or {}, search, choice, base)
            if not words.text():  # it names a model by the same path, which holds another one now
                words = Difference(["model"], [])
        return words.text() if elsewhere is None else words.text(data_difference(self.config, elsewhere))

    def _is_own_data(self, split: str, data: str, utterances: Utterances) -> bool:
        """Whether the data are those the run was made with; a run of 0.1.0 knows utterances and references only."""
        own_content = self.own_data(split)
        if own_content is not None:
            return data == own_content
        own = self.own(split)
        if own is None:
            return True
        try:
            _, lines = own.read()
        except LasasrError:  # damaged: it is decoded again
            return True
        return {line["id"]: line["reference"] for line in lines} == dict(utterances())

    def make_way(self, split: str) -> StoredResult | None:
        """Give what another search wrote to results/<split>.json its own name; None: there was nothing to do."""
        before = StoredResult(self.run.results, ResultName(split))
        if not before.path.exists() or self.own(split) is not None:
            return None
        try:
            summary = before.summary()
        except LasasrError:  # damaged, so that nothing is known of it: it is decoded again
            return None
        identity = identity_of(summary) or self.own_search
        data = str(summary.get("data", f"corpus {summary.get('corpus')}"))
        of_other_search = identity != self.own_search
        text = self._text(summary.get("search") or {}, identity, elsewhere=None if of_other_search else self.config)
        after = StoredResult(before.folder, other_result_name(split, text, identity.values, data))
        for ending in reversed(ENDINGS):  # the summary last: where it is, all is
            source = before.path.with_suffix(ending)
            if source.exists():
                with files.replacing(after.folder / f"{after.name}{ending}") as temporary:
                    shutil.copyfile(source, temporary)
        self._move_plots(after)
        for ending in ENDINGS:
            before.path.with_suffix(ending).unlink(missing_ok=True)
        return after

    def _move_plots(self, after: StoredResult) -> None:
        """The maps that it drew over the run's own."""
        plots = self.run.folder / "plots"
        with suppress(LasasrError):
            for line in after.read()[1]:
                path = plots / earlier_plot_name(after.name.split, line["id"])
                if path.exists():
                    (plots / str(after.name)).mkdir(exist_ok=True)
                    path.rename(plots / str(after.name) / path.name)
