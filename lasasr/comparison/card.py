"""The card behind a published table: what its columns, intervals and verdicts need, and where the runs came from."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lasasr import files
from lasasr.comparison.document import KIND, SCHEMA
from lasasr.comparison.pairs import centre
from lasasr.errors import LasasrError

NEEDED: Final = ("systems", "pairs", "verdict", "about", "baseline", "budgets", "split", "metric", "utterances")
OF_RUN: Final = ("name", "seed", "percent", "commit", "command", "hardware", "precision", "aligned_at_step")
OF_PAIR: Final = ("first", "second", "points", "verdict", "why", "verdict_of_runs", "why_of_runs", "systems", "runs")


def card(made: Mapping[str, Any]) -> dict[str, Any]:
    """A comparison without what no table shows: of the pairs those with the baseline, or with the lowest rate.

    Commands lose the folders before absolute paths: a card is published, and where things lay is nobody's concern.
    """
    middle = centre(made)
    systems = [
        {name: value for name, value in one.items() if name != "settings"}
        | {"runs": [_run(run) for run in one["runs"]]}
        for one in made["systems"]
    ]
    shown = [one for one in made["pairs"] if middle in (one["first"], one["second"])]
    pairs = [{name: one[name] for name in OF_PAIR} for one in shown]
    return {**made, "command": placeless(str(made.get("command", ""))), "systems": systems, "pairs": pairs}


def _run(run: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: run[name] for name in OF_RUN if name in run}
    return kept | ({"command": placeless(kept["command"])} if kept.get("command") else {})


def placeless(command: str) -> str:
    """A command line whose absolute paths, `key=/a/path` among them, are their last part only."""
    words = []
    for word in shlex.split(command):
        key, equals, value = ("", "", word) if word.startswith("/") else word.partition("=")
        words.append(f"{key}{equals}{Path(value).name}" if value.startswith("/") else word)
    return shlex.join(words)


def read(path: Path) -> dict[str, Any]:
    """A card, or a whole comparison.json.

    Raises:
        LasasrError: it is missing, damaged or of another schema.
    """
    found = files.read_json(path)
    if not is_comparison(found):
        raise LasasrError(f"{path} is no comparison; lasasr compare writes one")
    if found.get("schema") != SCHEMA:
        raise LasasrError(f"{path} has schema {found.get('schema')}, this version of lasasr reads {SCHEMA}")
    if lacking := [name for name in NEEDED if name not in found]:
        raise LasasrError(f"{path} is damaged: it lacks {', '.join(lacking)}; compare the runs again")
    return dict(found)


def is_comparison(found: Any) -> bool:
    """Whether JSON is a comparison rather than the results of a run."""
    return isinstance(found, dict) and found.get("kind") == KIND
