"""The `lasasr evaluate` command line that decodes a run with the search of another run's result."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from lasasr.artifacts.run_results import RunResults
from lasasr.artifacts.search_identity import flattened, normal, search_name
from lasasr.cli.compose import recompose
from lasasr.errors import LasasrError


def evaluate_command(of_run: RunResults, summary: Mapping[str, Any]) -> str:
    """What to type; the choice of the config group first, then what differs from what it stands for.

    Args:
        summary: a results/<split>.json with the wanted search.
    """
    search, overrides = summary["search"], []
    start = of_run.config.get("search") or {}
    if search.get("_target_") != start.get("_target_"):
        choice = f"search={summary.get('search_choice') or search_name(search)}"
        try:
            start = recompose(of_run.config, [choice])["search"]
        except LasasrError:  # a choice that is none of this toolkit's
            start = {}
        overrides.append(choice)
    before, wanted, written = dict(flattened(normal(start))), dict(flattened(normal(search))), dict(flattened(search))
    for key in dict.fromkeys((*wanted, *before)):
        if before.get(key) != wanted.get(key) and key in written:
            overrides.append(f"search.{key}={_value(written[key])}")
    split = summary["split"]
    if split not in ((of_run.config.get("evaluate") or {}).get("splits") or []):
        overrides.append(f"evaluate.splits=[{split}]")
    return shlex.join(["lasasr", "evaluate", str(of_run.run.folder), *overrides])


def _value(value: Any) -> str:
    """In Hydra's grammar."""
    return value if isinstance(value, str) else json.dumps(value)
