"""The printed triage has all values of the summary, and no others."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from lasasr.metrics.error_rates import compare, pooled
from lasasr.metrics.triage import TriagedUtterance, flags, triage
from lasasr.report.error_text import error_text
from lasasr.report.triage_table import triage_table

PAIRS = {
    "u1": ("the cat sat", "the hat sat"),
    "u2": ("no errors here", "no errors here"),
    "u3": ("[one] two three four five", "[one] two"),
    "u4": ("yes", ""),
}


def results() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    utterances, lines = [], []
    for name, (reference, hypothesis) in PAIRS.items():
        counts, utterance_flags = compare(reference, hypothesis, "wer"), flags(reference, hypothesis, "wer")
        utterances.append(TriagedUtterance("", 3.0, reference, hypothesis, counts, utterance_flags))
        errors = {kind: getattr(counts, kind) for kind in ("substitutions", "deletions", "insertions")}
        metadata = {"id": name, "speaker": "", "duration_s": 3.0, "reference": reference, "hypothesis": hypothesis}
        lines.append({**metadata, **errors, "flags": list(utterance_flags)})
    total = pooled(utterance.counts for utterance in utterances)
    errors = {kind: getattr(total, kind) for kind in ("substitutions", "deletions", "insertions", "errors", "percent")}
    summary = {"split": "test", "metric": "wer", "utterances": 4, "reference_length": total.reference_length, **errors}
    return {**summary, "triage": triage(utterances, "wer")}, lines


def shown(table: Any, width: int = 200) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(table)
    return console.export_text()


def test_the_text_shows_every_wrong_utterance_and_no_right_one() -> None:
    text = error_text(*results())
    for name, (reference, hypothesis) in PAIRS.items():
        assert (f"{name} (speaker ?" in text) == (reference != hypothesis)
    assert "REF: the CAT sat\nHYP: the HAT sat\n" in text
    assert "1 sub, 0 del, 0 ins\n" in text
    assert "3 del, 0 ins; early_eos" in text
    assert "0 sub, 1 del, 0 ins; empty" in text
    assert "cat -> hat" in text
    assert "utterances with an error: 3 of 4" in text
    assert "WER 41.67 % (5 of 12" in text


def test_the_text_of_a_faultless_split_is_short() -> None:
    summary, lines = results()
    right = [line for line in lines if line["id"] == "u2"]
    nothing = {**summary, "errors": 0, "percent": 0.0, "triage": triage([], "wer")}
    text = error_text(nothing, right)
    assert "none has a flag" in text
    assert "REF" not in text


def test_the_table_holds_flags_buckets_and_confusions_as_they_are_written() -> None:
    text = shown(triage_table(results()[0]))
    for expected in ("early_eos 1", "empty 1", "2-5 s 41.7 % (4)", "? 41.7 % (4)", "cat -> hat 1", "yes 1", "three 1"):
        assert expected in text
    assert "inserted" not in text  # nothing was
    summary = {
        "split": "x",
        "triage": triage([TriagedUtterance("s", 1.0, "[b]", "[i]", compare("[b]", "[i]", "wer"), ())], "wer"),
    }
    assert "[b] -> [i] 1" in shown(triage_table(summary))
