"""Groups runs that differ by their seed only into systems, and refuses runs that cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lasasr.comparison.entries import Entry, RunSelection
from lasasr.comparison.settings import differing, names, numbered, search_settings, shown
from lasasr.comparison.sources import MissingRun
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.significance import scores


@dataclass(frozen=True)
class SystemRuns:
    """One system: its runs."""

    name: str
    entries: tuple[Entry, ...]  # one per seed
    missing: tuple[MissingRun, ...] = ()  # seeds of it that have no result

    def system(self) -> scores.System:
        """The input of the statistics."""
        lost = tuple(run.seed for run in self.missing if run.status == "diverged")
        return scores.System(self.name, tuple(_run(entry) for entry in self.entries), lost)


def groups(
    selection: RunSelection, any_search: bool = False, any_corpus: bool = False
) -> tuple[list[SystemRuns], list[str]]:
    """The systems in order of appearance, and notes on what limits their comparison.

    Args:
        any_search: runs decoded by different searches may be compared.
        any_corpus: runs on corpora that are configured differently may be compared.

    Raises:
        LasasrError: the runs cannot be compared; names them and the way out.
        UsageError: a run is given twice.
    """
    notes = refuse(selection.entries, any_search, any_corpus)
    gathered: dict[str, list[Entry]] = {}
    for entry in selection.entries:
        gathered.setdefault(entry.settings.identity, []).append(entry)
    if len(gathered) == 1 and len(selection.entries) > 1 and len({entry.seed for entry in selection.entries}) == 1:
        return _copies(selection.entries), [*notes, _copies_note(selection.entries)]
    for entries in gathered.values():
        _refuse_twice(entries)
    named = names([entries[0].settings for entries in gathered.values()])
    systems = [SystemRuns(name, tuple(entries)) for name, entries in zip(named, gathered.values(), strict=True)]
    return [_with_missing(system, selection.missing) for system in systems], notes


def _run(entry: Entry) -> scores.Run:
    utterances = {
        line["id"]: scores.Utterance(
            errors=line["substitutions"] + line["deletions"] + line["insertions"],
            reference_length=sum(pair.reference is not None for pair in entry.alignments[line["id"]]),
            speaker=line.get("speaker") or line["id"],
            pairs=entry.alignments[line["id"]],
        )
        for line in entry.lines
    }
    return scores.Run(entry.seed, utterances, broken=bool(entry.card.get("diverged")))


def _copies(entries: Sequence[Entry]) -> list[SystemRuns]:
    """A run and itself, or copies of it: each a system, by the name of its folder."""
    named = [entry.name for entry in entries]
    unlike = [numbered(name, named[:index].count(name)) for index, name in enumerate(named)]
    return [SystemRuns(name, (entry,)) for name, entry in zip(unlike, entries, strict=True)]


def _copies_note(entries: Sequence[Entry]) -> str:
    same = all(_texts(entry) == _texts(entries[0]) for entry in entries)
    if same:
        return "these runs have the same configuration, seed and hypotheses: they are copies of one run"
    return "these runs have the same configuration and seed, but not the same hypotheses: see commits and hardware"


def _texts(entry: Entry) -> list[tuple[str, str]]:
    return sorted((line["id"], line["hypothesis"]) for line in entry.lines)


def _refuse_twice(entries: Sequence[Entry]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        if entry.seed in seen:
            raise UsageError(
                f"seed {entry.seed} of one configuration is given twice ({seen[entry.seed]} and {entry.name}); "
                f"give each run once"
            )
        seen[entry.seed] = entry.name


def _with_missing(group: SystemRuns, missing: Sequence[MissingRun]) -> SystemRuns:
    """Add the unfinished runs of the same configuration, the search apart (it may have been chosen at evaluation)."""

    def trained(values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if not key.startswith("search.")}

    own = trained(group.entries[0].settings.normal)
    mine = [run for run in missing if run.settings is not None and trained(run.settings.normal) == own]
    return replace(group, missing=tuple(mine))


def refuse(entries: Sequence[Entry], any_search: bool = False, any_corpus: bool = False) -> list[str]:
    """Refuse runs that cannot be compared; the notes name differences that the caller allowed.

    Raises:
        LasasrError: another metric, normalizer, search, corpus, or other utterances, references, speakers, durations.
    """
    first, notes = entries[0], []
    for entry in entries[1:]:
        for what in ("metric", "normalizer"):
            _refuse_other(what, first, entry)
        _refuse_other_audio(first, entry)
    searches = [search_settings(entry.summary.get("search")) for entry in entries]
    if keys := differing([search.normal for search in searches]):
        differences = _spread(keys, [search.values for search in searches])
        if not any_search:
            raise LasasrError(
                f"the runs were decoded by different searches ({differences}); --any-search compares them so"
            )
        notes.append(f"decoded by different searches: {differences}")
    if (differ := _other_data(entries)) is not None:
        if not any_corpus:
            raise LasasrError(
                f"the runs' {differ}, so that even utterances of the same name may sound different; --any-corpus "
                f"compares them so"
            )
        notes.append(differ)
    return notes


def _other_data(entries: Sequence[Entry]) -> str | None:
    """How the data of the runs differ: by content where all results hold its fingerprint, else by configuration."""
    if all("data" in entry.summary for entry in entries):
        contents = sorted({str(entry.summary["data"]) for entry in entries})
        return f"recordings differ (contents {', '.join(contents)})" if len(contents) > 1 else None
    corpora = sorted({str(entry.summary.get("corpus")) for entry in entries})
    return f"corpora are configured differently (fingerprints {', '.join(corpora)})" if len(corpora) > 1 else None


def _refuse_other(what: str, first: Entry, other: Entry) -> None:
    if first.summary.get(what) != other.summary.get(what):
        raise LasasrError(
            f"{first.name} and {other.name} cannot be compared: their {what} is {first.summary.get(what)} and "
            f"{other.summary.get(what)}"
        )


def _refuse_other_audio(first: Entry, other: Entry) -> None:
    """Refuse other utterances, references, speakers or durations; the message names the first difference."""
    theirs = {line["id"]: line for line in other.lines}
    ours = {line["id"] for line in first.lines}
    alone = sorted(ours ^ set(theirs))
    if alone:
        raise LasasrError(
            f"{first.name} and {other.name} were not decoded on the same utterances: {len(alone)} are in one only "
            f"({alone[0]}, ...); evaluate both on the same split"
        )
    for line in first.lines:
        for what in ("reference", "speaker", "duration_s"):
            if line.get(what) != theirs[line["id"]].get(what):
                raise LasasrError(
                    f"{first.name} and {other.name} cannot be compared: the {what} of utterance {line['id']} is "
                    f"{line.get(what)!r} and {theirs[line['id']].get(what)!r}"
                )


def _spread(keys: Sequence[str], values: Sequence[Mapping[str, Any]]) -> str:
    """`beam: 4 / 10`, of the first few keys."""
    each = {key: dict.fromkeys(shown(search.get(key)) for search in values) for key in keys[:4]}
    words = [f"{key.removeprefix('search.')}: {' / '.join(shown_values)}" for key, shown_values in each.items()]
    return "; ".join(words) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")
