"""results/<split>.txt: a summary, then reference above hypothesis for every utterance with an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lasasr.artifacts.search_identity import search_words
from lasasr.escaping import escaped, lines_escaped
from lasasr.metrics.error_rates import Metric
from lasasr.report.aligned_text import aligned_text
from lasasr.report.outside_text import outside_line

WIDTH = 120  # characters of a line


def error_text(summary: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> str:
    """In the format of sclite and icefall, from the contents of results/<split>.json and .jsonl.

    Substituted, deleted and inserted units are in upper case; asterisks fill a side without a unit.
    """
    text = [*_head(summary), *_confusions(summary["triage"]), *_utterances(summary["metric"], lines)]
    return lines_escaped("\n".join(text)) + "\n"


def _head(summary: Mapping[str, Any]) -> Iterator[str]:
    counts_by_kind = {name: summary[name] for name in ("substitutions", "deletions", "insertions")}
    counts = ", ".join(f"{count} {name}" for name, count in counts_by_kind.items())
    rate = f"{summary['metric'].upper()} {summary['percent']:.2f} %"
    yield f"{summary['split']}: {rate} ({summary['errors']} of {summary['reference_length']}: {counts})"
    yield f"search: {search_words(summary.get('search'))}"
    flags = ", ".join(f"{flag} {count}" for flag, count in summary["triage"]["flags"].items() if count)
    if outside := outside_line(summary):
        yield outside
    yield f"utterances: {summary['utterances']}; of these {flags or 'none has a flag'}"
    yield ""


def _confusions(triage: Mapping[str, Any]) -> Iterator[str]:
    for title, arrow in (("substitutions", " -> "), ("deletions", ""), ("insertions", "")):
        if triage[title]:
            yield f"most frequent {title}:"
            yield from (f"  {count:5}  {arrow.join(names)}" for *names, count in triage[title])
            yield ""


def _utterances(metric: Metric, lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    wrong = [line for line in lines if line["substitutions"] + line["deletions"] + line["insertions"]]
    yield f"utterances with an error: {len(wrong)} of {len(lines)}"
    for line in wrong:
        counts = f"{line['substitutions']} sub, {line['deletions']} del, {line['insertions']} ins"
        flags = f"; {', '.join(line['flags'])}" if line["flags"] else ""
        yield ""
        speaker = escaped(line["speaker"] or "?")
        yield f"{escaped(line['id'])} (speaker {speaker}, {line['duration_s']:.1f} s): {counts}{flags}"
        yield aligned_text(line["reference"], line["hypothesis"], metric, WIDTH)
