"""Text of others in tables for the terminal: no markup, no control characters."""

from __future__ import annotations

from rich.text import Text

from lasasr.escaping import escaped


def escaped_text(text: str, style: str = "") -> Text:
    """Rich text in which brackets are no markup, and what would act on a terminal is written out; it may have lines."""
    return Text(escaped(text, keep="\n"), style)
