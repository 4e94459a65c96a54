"""Which characters of the references a recognizer cannot write, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lasasr.escaping import escaped

SHOWN: Final = 10  # symbols of the line


def outside_line(summary: Mapping[str, Any]) -> str:
    """From the contents of a results/<split>.json; "" where the vocabulary has all of the references."""
    outside = summary.get("outside_vocabulary") or {}
    if not outside.get("symbols"):
        return ""
    most = list(outside["most_frequent"].items())
    named = ", ".join(f"'{escaped(symbol)}' {count}" for symbol, count in most[:SHOWN])
    more = ", ..." if len(most) > SHOWN else ""
    noun = "phones" if summary.get("metric") == "per" else "characters"
    counts = f"{outside['symbols']} {noun} in {outside['utterances']} of {summary['utterances']} utterances"
    return f"{summary['split']}: {counts} are outside the vocabulary and count as errors: {named}{more}"
