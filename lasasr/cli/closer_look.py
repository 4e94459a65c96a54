"""The parts of `lasasr compare` that look closer: error rates by columns, and calibration."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lasasr.errors import LasasrError, UsageError

if TYPE_CHECKING:
    from lasasr.comparison.grouping import SystemRuns
    from lasasr.metrics.significance.verdict import Rules
    from lasasr.transcripts.base import Texts


def looked_closer(
    systems: Sequence[SystemRuns],
    comparison: Mapping[str, Any],
    rules: Rules,
    columns: Mapping[str, Texts],
    options: Namespace,
) -> dict[str, Any]:
    """What comparison.json has more of, as --by and --calibrate ask for.

    Args:
        comparison: comparison.json so far.
        columns: of the reference, by utterance.
    """
    return {
        **({} if options.by is None else {"by": _by(systems, comparison, rules, columns, options)}),
        **({"calibration": _calibration(systems, rules)} if options.calibrate else {}),
    }


def _by(
    systems: Sequence[SystemRuns],
    comparison: Mapping[str, Any],
    rules: Rules,
    columns: Mapping[str, Texts],
    options: Namespace,
) -> list[dict[str, Any]]:
    from lasasr.cli.text_options import chosen_columns
    from lasasr.comparison.by_column import by_columns, joined
    from lasasr.comparison.pairs import centre
    from lasasr.transcripts.formats import read_columns

    names = [name.strip() for name in options.by.split(",")]
    if not all(names):
        raise UsageError(f"--by {options.by}: write COLUMN or COLUMN,COLUMN")
    if options.table is not None:
        columns = read_columns(options.table, chosen_columns(options))
    elif not columns:
        raise UsageError(f"--by {options.by}: the reference has no other columns; --table FILE names a table")
    return by_columns(joined(names, columns, systems), systems, centre(comparison), rules)


def _calibration(systems: Sequence[SystemRuns], rules: Rules) -> list[dict[str, Any]]:
    from lasasr.metrics.significance.calibration import calibrate
    from lasasr.metrics.significance.scores import scores

    rows = [calibrate(scores(system.system(aligned=False)), rules.level, seed=rules.seed) for system in systems]
    if not any(rows):
        raise LasasrError(
            "--calibrate divides the seeds of a system, and draws speakers: give at least 2 seeds of one and 2 speakers"
        )
    return [asdict(row) for row in rows if row is not None]
