"""Tables for the terminal, from the plain values that results files hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table

from lasasr.artifacts.search_identity import common_words, search_words
from lasasr.errors import LasasrError
from lasasr.escaping import escaped
from lasasr.report.escaped_text import escaped_text

_COUNTS = {"substitutions": "sub", "deletions": "del", "insertions": "ins", "reference_length": "of"}
_WITHOUT_VALUE = "–"
INTERVAL = "95 % int., %"  # head of the column of intervals of error rates


def evaluation_table(results: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> Table:
    """One row per split: error rate with its interval, counts, CER and real-time factor; below, by which search.

    Args:
        results: the contents of results/<split>.json files, of one run or several.
        names: one for each result, shown in place of the counts; none: the split alone distinguishes the results.

    Raises:
        LasasrError: one lacks a field; the message names it and the split.
    """
    metrics = list(dict.fromkeys(_field(result, "metric").upper() for result in results))
    table = Table(box=None, pad_edge=False, header_style="bold")
    if names:
        table.add_column("setting", overflow="fold")
    table.add_column("split", no_wrap=True)
    counts = () if names else _COUNTS
    shown = [_COUNTS[name] for name in counts]
    headers = ("utterances", f"{'/'.join(metrics)} %", INTERVAL, *shown, "CER %", "RTF")
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    if below := [line for line in (_intervals(results), _searches(results, bool(names))) if line]:
        table.caption, table.caption_justify, table.caption_style = escaped_text("\n".join(below)), "left", ""
    for index, result in enumerate(results):
        table.add_row(*(escaped_text(name) for name in names[index : index + 1]), *_row(result, counts))
    return table


def _intervals(results: Sequence[Mapping[str, Any]]) -> str:
    """What the intervals are of, and over what, of all rows or of each split."""
    over = {str(_field(result, "split")): _over(result) for result in results if result.get("ci_method")}
    if not over:
        return ""
    rate = "/".join(dict.fromkeys(_field(result, "metric").upper() for result in results))
    alike = len(set(over.values())) == 1
    words = next(iter(over.values())) if alike else "; ".join(f"{split}: {words}" for split, words in over.items())
    return f"95 % int.: of the {rate}, {words}"


def _over(result: Mapping[str, Any]) -> str:
    method, speakers = str(result["ci_method"]), result.get("speakers")
    if "over speakers" in method:
        return f"over {speakers} speakers" if speakers else "over speakers"
    if "over utterances" not in method:
        return method
    whose = {None: "", 1: " of one speaker"}.get(speakers, f" of {speakers} speakers")
    return f"over utterances{whose}"


def _searches(results: Sequence[Mapping[str, Any]], named: bool) -> str:
    """The search of all rows, or of each split; where rows have names, what their searches have in common."""
    words = {
        str(_field(result, "split")): search_words(result.get("search")) for result in results if result.get("search")
    }
    if not words:
        return ""
    if named:
        searches = [result["search"] for result in results if result.get("search")]
        return f"search, beside the setting: {common_words(searches)}"
    if len(set(words.values())) == 1:
        return f"search: {next(iter(words.values()))}"
    return "search: " + "; ".join(f"{split}: {search}" for split, search in words.items())


def perplexity_table(results: Sequence[Mapping[str, Any]]) -> Table:
    """One row per split: perplexity per token, word and character, each end of a sentence counted as one of them.

    Args:
        results: the splits of a perplexity.json.

    Raises:
        LasasrError: one lacks a field; the message names it and the split.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("split", no_wrap=True)
    for header in ("sentences", "words", "PPL/token", "PPL/word", "PPL/character", "left out"):
        table.add_column(header, justify="right", no_wrap=True)
    for result in results:
        rates = (f"{_field(result, name):.3f}" for name in ("per_token", "per_word", "per_character"))
        counts = [escaped(str(_field(result, name))) for name in ("split", "sentences", "words")]
        table.add_row(*counts, *rates, str(_field(result, "left_out_sentences")))
    return table


def _row(result: Mapping[str, Any], counts: Iterable[str]) -> list[str]:
    bounds = _field(result, "ci95")
    return [
        escaped(str(_field(result, "split"))),
        str(_field(result, "utterances")),
        f"{_field(result, 'percent'):.2f}",
        _WITHOUT_VALUE if bounds is None else f"{bounds[0]:.2f} to {bounds[1]:.2f}",
        *(str(_field(result, name)) for name in counts),
        f"{_field(result, 'cer_percent'):.2f}",
        f"{_field(result, 'rtf'):.3f}",
    ]


def _field(result: Mapping[str, Any], name: str) -> Any:
    if name not in result:
        raise LasasrError(f"the results of split {result.get('split', '?')!r} lack {name!r}; evaluate the run again")
    return result[name]
