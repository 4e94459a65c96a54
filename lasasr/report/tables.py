"""Tables for the terminal, from the plain values that results files hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from lasasr.errors import LasasrError

_COUNTS = {"substitutions": "sub", "deletions": "del", "insertions": "ins", "reference_length": "of"}
_WITHOUT_VALUE = "–"


def evaluation_table(results: Sequence[Mapping[str, Any]]) -> Table:
    """One row per split: error rate with its interval, counts, CER and real-time factor.

    Args:
        results: the contents of results/<split>.json files, of one run or several.

    Raises:
        LasasrError: one lacks a field; the message names it and the split.
    """
    metrics = list(dict.fromkeys(_field(one, "metric").upper() for one in results))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("split")
    headers = ("utterances", f"{'/'.join(metrics)} %", "95 % interval", *_COUNTS.values(), "CER %", "RTF")
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    for one in results:
        table.add_row(*_row(one))
    return table


def _row(result: Mapping[str, Any]) -> list[str]:
    bounds = _field(result, "ci95")
    return [
        str(_field(result, "split")),
        str(_field(result, "utterances")),
        f"{_field(result, 'percent'):.2f}",
        _WITHOUT_VALUE if bounds is None else f"{bounds[0]:.2f} to {bounds[1]:.2f}",
        *(str(_field(result, name)) for name in _COUNTS),
        f"{_field(result, 'cer_percent'):.2f}",
        f"{_field(result, 'rtf'):.3f}",
    ]


def _field(result: Mapping[str, Any], name: str) -> Any:
    if name not in result:
        raise LasasrError(f"the results of split {result.get('split', '?')!r} lack {name!r}; evaluate the run again")
    return result[name]
