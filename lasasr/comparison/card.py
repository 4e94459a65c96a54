"""The card of a published table: the values of its columns, intervals and verdicts, and the provenance of the runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lasasr.artifacts import files, kinds
from lasasr.artifacts.provenance import placeless
from lasasr.comparison import card_values
from lasasr.comparison.document import KIND, SCHEMA
from lasasr.comparison.pairs import centre
from lasasr.errors import LasasrError

NEEDED: Final = ("systems", "pairs", "verdict", "about", "baseline", "budgets", "split", "metric", "utterances")
_KINDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("systems", "pairs", "missing"), list[dict]),  # type: ignore[type-arg]
    **dict.fromkeys(("verdict", "notes", "corpora", "settings"), list),
    **dict.fromkeys(("about", "split", "metric", "command", "made_at"), str),
    **dict.fromkeys(("budgets", "rules"), dict),
    "baseline": str | None,
    "utterances": int,
}
OF_RUN: Final = ("name", "seed", "percent", "commit", "command", "hardware", "precision", "aligned_at_step")
OF_PAIR: Final = ("first", "second", "points", "verdict", "why", "verdict_of_runs", "why_of_runs", "systems", "runs")
OF_NEWER_PAIR: Final = ("variance", "superiority")  # that comparisons of earlier versions lack


def card(document: Mapping[str, Any]) -> dict[str, Any]:
    """A comparison reduced to what tables show: only pairs with the baseline, else with the lowest rate.

    Commands lose the folders of absolute paths: a card is published, and must not hold names of local folders.
    """
    centre_name = centre(document)
    systems = [
        {name: value for name, value in system.items() if name != "settings"}
        | {"runs": [_run(run) for run in system["runs"]]}
        for system in document["systems"]
    ]
    shown = [pair for pair in document["pairs"] if centre_name in (pair["first"], pair["second"])]
    pairs = [{name: pair[name] for name in (*OF_PAIR, *(n for n in OF_NEWER_PAIR if n in pair))} for pair in shown]
    return {**document, "command": placeless(str(document.get("command", ""))), "systems": systems, "pairs": pairs}


def _run(run: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: run[name] for name in OF_RUN if name in run}
    return kept | ({"command": placeless(kept["command"])} if kept.get("command") else {})


def read(path: Path) -> dict[str, Any]:
    """A card, or a whole comparison.json.

    Raises:
        LasasrError: it is missing, damaged or of another schema; names file, key and value.
    """
    content = files.read_json(path)
    if not is_comparison(content):
        raise LasasrError(f"{path} is no comparison; lasasr compare writes one")
    if content.get("schema") != SCHEMA:
        raise LasasrError(f"{path} has schema {content.get('schema')}, this version of lasasr reads {SCHEMA}")
    if lacking := [name for name in NEEDED if name not in content]:
        raise LasasrError(f"{path} is damaged: it lacks {', '.join(lacking)}; compare the runs again")
    kinds.refuse_others(path, content, _KINDS)
    if not content["systems"]:
        raise LasasrError(f"{path} is damaged: it holds no system; compare the runs again")
    card_values.refuse_others(path, content)
    return dict(content)


@contextmanager
def drawn_from(path: Path) -> Iterator[None]:
    """Report errors while a table is made from a card, which anyone may have written, as damage of the card.

    Raises:
        LasasrError: a value is absent or of another type.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
        raise LasasrError(f"{path} is damaged ({reason}); compare the runs again") from error


def is_comparison(content: Any) -> bool:
    """Whether JSON is a comparison rather than the results of a run."""
    return isinstance(content, dict) and content.get("kind") == KIND
