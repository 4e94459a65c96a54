"""One token per phone; transcripts are phones with spaces between, and the error rate is PER."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Self

from lasasr.errors import UsageError, nearest
from lasasr.text import cmu, timit
from lasasr.text.symbols import SymbolTokenizer

INVENTORIES: Final = {
    "cmu39": cmu.PHONES_39,
    "timit61": timit.PHONES_61,
    "timit48": timit.PHONES_48,
    "timit39": timit.PHONES_39,
}


class PhoneTokenizer(SymbolTokenizer):
    """Phones separated by spaces ↔ one id per phone; runs of spaces count as one."""

    unit = "phone"
    symbol = "phone"

    @classmethod
    def train(cls, transcripts: Iterable[str], inventory: str | None = None) -> Self:
        """The phones of a known set, or those that occur in `transcripts`.

        Args:
            transcripts: after the transcript rule.
            inventory: cmu39, timit61, timit48 or timit39: all of the set, so that a part of a corpus has the tokens of
                the whole; None: what occurs.

        Raises:
            UsageError: there is no such set.
            LasasrError: `transcripts` hold no phone.
        """
        if inventory is None:
            return super().train(transcripts)
        if inventory not in INVENTORIES:
            raise UsageError(f"tokenizer.inventory={inventory} is no set of phones; {nearest(inventory, INVENTORIES)}")
        return cls(sorted(INVENTORIES[inventory]))

    @classmethod
    def split(cls, text: str) -> list[str]:
        """The phones of `text`."""
        return text.split()

    @classmethod
    def join(cls, symbols: Sequence[str]) -> str:
        """The phones with one space between."""
        return " ".join(symbols)
