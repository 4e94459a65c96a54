"""The 39 phones of the CMU Pronouncing Dictionary, without the marks that dictionaries and lexicons add."""

from __future__ import annotations

import re
from typing import Final

from lasasr.errors import LasasrError

_PHONES = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
PHONES_39: Final = tuple(_PHONES.split())
_MARKED = re.compile(r"([A-Z]+)[012]?(?:_[BIES])?")


def plain(phone: str) -> str:
    """A phone without its stress digit and Kaldi's mark of its position in the word: "IY0_E" → "IY".

    Raises:
        LasasrError: what is left is none of the 39.
    """
    match = _MARKED.fullmatch(phone)
    if not match or match[1] not in PHONES_39:
        raise LasasrError(f"{phone!r} is none of the 39 phones of the CMU dictionary")
    return match[1]
