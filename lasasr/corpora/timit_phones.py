"""eSpeak's phones of English as the 61 symbols of TIMIT (Garofolo et al. 1993).

A phone of eSpeak that is vowel and r becomes two symbols; a stop or affricate becomes its closure and its release.
"""

from __future__ import annotations

import re
from typing import Final

from lasasr.corpora.timing import Segment

_TABLE: Final = """
iy = i i:             ih = I                ix = I2 I#            eh = E
ae = a aa             ah = V                ax = a# @ @- @2       axr = 3
er = 3: VR IR         aa = 0 A:             ao = O: O2            uh = U
uw = u:               el = @L               ey = eI               ay = aI aI2
oy = OI               ow = oU               aw = aU               aa r = A@
ao r = O@ o@          eh r = e@             uh r = U@             ih axr = i@ i@3
ay axr = aI@ aI3      l = l                 r = r r-              w = w w#
y = j ;               hh = h                m = m                 n = n
ng = N                s = s                 z = z                 sh = S
zh = Z                f = f                 v = v                 th = T
dh = D                dx = t#               q = ?                 pcl p = p
tcl t = t t2 t[       kcl k = k             tcl ch = tS           bcl b = b
dcl d = d             gcl g = g             dcl jh = dZ
"""
_TIMIT: Final = {
    name: tuple(symbols.split())
    for symbols, _, names in (rule.partition("=") for rule in re.split(r"\s{3,}|\n", _TABLE.strip()))
    for name in names.split()
}
_CLOSURE_SHARE = 0.6  # of the stop; the synthesizer does not report the release of a voiced one


def timit_phones(phone: Segment) -> list[Segment]:
    """One phone of eSpeak in symbols of TIMIT, over the same time.

    Raises:
        KeyError: the phone is not in the table.
    """
    symbols = _TIMIT[phone.symbol]
    if len(symbols) == 1:
        return [Segment(symbols[0], phone.start_s, phone.end_s)]
    share = _CLOSURE_SHARE if symbols[0].endswith("cl") else 0.5
    between_s = phone.start_s + share * (phone.end_s - phone.start_s)
    return [Segment(symbols[0], phone.start_s, between_s), Segment(symbols[1], between_s, phone.end_s)]
