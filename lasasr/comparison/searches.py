"""Chooses the result of each run that `--search NAME` means: all by one search, whatever its name in each run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lasasr.artifacts import results
from lasasr.artifacts.results import StoredResult
from lasasr.artifacts.run_results import RunResults
from lasasr.artifacts.search_identity import SearchIdentity, identity_of, search_words
from lasasr.errors import LasasrError, UsageError, nearest

Command = Callable[[RunResults, Mapping[str, Any]], str]  # run, summary that has the search → how to decode with it
_MOST: Final = 6  # candidates, or runs, that a message names


@dataclass(frozen=True)
class _Candidate:
    """One result of a run."""

    run_results: RunResults
    stored: StoredResult
    summary: dict[str, Any]
    identity: SearchIdentity | None

    @property
    def names(self) -> set[str]:
        """The names that `--search` accepts for it."""
        own = {} if self.stored.name.code else self.run_results.config.get("choices") or {}
        if not self.stored.name.code and self.run_results.foreign(self.stored):
            return results.names_of(self.stored) | {self.run_results.text(self.summary)}
        return results.names_of(self.stored) | ({str(own["search"])} if own.get("search") else set())

    @property
    def label(self) -> str:
        """A name for the command line that no other result has."""
        return self.stored.name.label or (self.identity.search_id if self.identity else self.stored.name.split)


def by_search(all_run_results: Sequence[RunResults], split: str, search: str, command: Command) -> list[StoredResult]:
    """The result of each run by the search that `search` names: its text, its digits, both, or its id.

    Raises:
        UsageError: the name means several searches, or none; names the candidates, or the nearest.
        LasasrError: runs have no result by that search; names them with the command that makes it.
    """
    candidates_of = {id(run_results): _candidates(run_results, split) for run_results in all_run_results}
    candidates = [candidate for run_results in all_run_results for candidate in candidates_of[id(run_results)]]
    matching = [candidate for candidate in candidates if search in candidate.names]
    if not matching:
        listed = {name for candidate in candidates for name in (candidate.stored.name.text, candidate.label) if name}
        raise UsageError(
            f"--search {search}: no run has a result of {split} by that search; {nearest(search, listed)}; "
            "lasasr evaluate RUN search=NAME decodes by another search"
        )
    if len({candidate.identity for candidate in matching}) > 1:
        raise UsageError(f"--search {search} means several searches: {_listed(matching)}; choose by the digits")
    chosen = [
        _result_of_run(candidates_of[id(run_results)], matching[0].identity, search) for run_results in all_run_results
    ]
    lacking = [run_results for run_results, stored in zip(all_run_results, chosen, strict=True) if stored is None]
    if lacking:
        commands = "; ".join(command(run_results, matching[0].summary) for run_results in lacking[:_MOST])
        more = f" and {len(lacking) - _MOST} more" if len(lacking) > _MOST else ""
        raise LasasrError(
            f"--search {search}: {len(lacking)} of the runs have no such result of {split}: {commands}{more}"
        )
    return [stored for stored in chosen if stored is not None]


def _candidates(run_results: RunResults, split: str) -> list[_Candidate]:
    listed = [(stored, stored.summary()) for stored in results.list_results(run_results.run.results, split)]
    return [_Candidate(run_results, stored, summary, identity_of(summary)) for stored, summary in listed]


def _result_of_run(
    candidates: Sequence[_Candidate], identity: SearchIdentity | None, search: str
) -> StoredResult | None:
    """A run's result by a search: the one that is named, else that on the run's own data."""
    alike = [candidate for candidate in candidates if candidate.identity == identity]
    exact = [
        candidate
        for candidate in alike
        if search in (candidate.stored.name.code, candidate.stored.name.label, str(candidate.stored.name))
    ]
    own = [
        candidate
        for candidate in alike
        if candidate.summary.get("data") in (None, candidate.run_results.own_data(candidate.stored.name.split))
    ]
    for selected in (exact, own, alike):
        if len(selected) == 1:
            return selected[0].stored
        if selected:
            raise UsageError(
                f"--search {search} means several results of one run: {_listed(selected)}; choose by the digits"
            )
    return None


def _listed(candidates: Sequence[_Candidate]) -> str:
    descriptions = {
        candidate.label: f"{candidate.label} ({search_words(candidate.summary.get('search'))})"
        for candidate in candidates
    }
    more = f" and {len(descriptions) - _MOST} more" if len(descriptions) > _MOST else ""
    return ", ".join(list(descriptions.values())[:_MOST]) + more
