"""Which result of each run `--search NAME` means: those of one search, whatever each run calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lasasr.artifacts import results
from lasasr.artifacts.results import Stored
from lasasr.artifacts.run_results import RunResults
from lasasr.artifacts.search_identity import SearchIdentity, identity_of, search_words
from lasasr.errors import LasasrError, UsageError, nearest

Command = Callable[[RunResults, Mapping[str, Any]], str]  # run, summary that has the search → how to decode with it
_MOST: Final = 6  # candidates, or runs, that a message names


@dataclass(frozen=True)
class _Candidate:
    """One result of a run."""

    of_run: RunResults
    stored: Stored
    summary: dict[str, Any]
    identity: SearchIdentity | None

    @property
    def names(self) -> set[str]:
        """What it can be called."""
        own = {} if self.stored.name.code else self.of_run.config.get("choices") or {}
        if not self.stored.name.code and self.of_run.foreign(self.stored):
            return results.names_of(self.stored) | {self.of_run.text(self.summary)}
        return results.names_of(self.stored) | ({str(own["search"])} if own.get("search") else set())

    @property
    def label(self) -> str:
        """What tells it from all others, on a command line."""
        return self.stored.name.label or (self.identity.search_id if self.identity else self.stored.name.split)


def by_search(of_runs: Sequence[RunResults], split: str, search: str, command: Command) -> list[Stored]:
    """The result of each run by the search that `search` names: its text, its digits, both, or its id.

    Raises:
        UsageError: the name means several searches, or none; names the candidates, or the nearest.
        LasasrError: runs have no result by that search; names them with the command that makes it.
    """
    there = {id(of_run): _candidates(of_run, split) for of_run in of_runs}
    every = [one for of_run in of_runs for one in there[id(of_run)]]
    meant = [one for one in every if search in one.names]
    if not meant:
        listed = {name for one in every for name in (one.stored.name.text, one.label) if name}
        raise UsageError(f"--search {search}: no run has a result of {split} by that search; {nearest(search, listed)}")
    if len({one.identity for one in meant}) > 1:
        raise UsageError(f"--search {search} means several searches: {_listed(meant)}; choose by the digits")
    chosen = [_of_run(there[id(of_run)], meant[0].identity, search) for of_run in of_runs]
    lacking = [of_run for of_run, stored in zip(of_runs, chosen, strict=True) if stored is None]
    if lacking:
        commands = "; ".join(command(of_run, meant[0].summary) for of_run in lacking[:_MOST])
        more = f" and {len(lacking) - _MOST} more" if len(lacking) > _MOST else ""
        raise LasasrError(
            f"--search {search}: {len(lacking)} of the runs have no such result of {split}: {commands}{more}"
        )
    return [stored for stored in chosen if stored is not None]


def _candidates(of_run: RunResults, split: str) -> list[_Candidate]:
    found = [(stored, stored.summary()) for stored in results.listed(of_run.run.results, split)]
    return [_Candidate(of_run, stored, summary, identity_of(summary)) for stored, summary in found]


def _of_run(candidates: Sequence[_Candidate], identity: SearchIdentity | None, search: str) -> Stored | None:
    """A run's result by a search: the one that is named, else that on the run's own data."""
    alike = [one for one in candidates if one.identity == identity]
    exact = [one for one in alike if search in (one.stored.name.code, one.stored.name.label, str(one.stored.name))]
    own = [one for one in alike if one.summary.get("data") in (None, one.of_run.own_data(one.stored.name.split))]
    for some in (exact, own, alike):
        if len(some) == 1:
            return some[0].stored
        if some:
            raise UsageError(
                f"--search {search} means several results of one run: {_listed(some)}; choose by the digits"
            )
    return None


def _listed(candidates: Sequence[_Candidate]) -> str:
    said = {one.label: f"{one.label} ({search_words(one.summary.get('search'))})" for one in candidates}
    more = f" and {len(said) - _MOST} more" if len(said) > _MOST else ""
    return ", ".join(list(said.values())[:_MOST]) + more
