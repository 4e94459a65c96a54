"""One token per phone; transcripts are phones with spaces between, and the error rate is PER."""

from __future__ import annotations

from collections.abc import Sequence

from lasasr.text.symbols import SymbolTokenizer


class PhoneTokenizer(SymbolTokenizer):
    """Phones separated by spaces ↔ one id per phone; runs of spaces count as one."""

    unit = "phone"
    symbol = "phone"

    @classmethod
    def split(cls, text: str) -> list[str]:
        """The phones of `text`."""
        return text.split()

    @classmethod
    def join(cls, symbols: Sequence[str]) -> str:
        """The phones with one space between."""
        return " ".join(symbols)
