"""Names of weights that a parametrisation (`torch.nn.utils.parametrize`) computes, and of what it computes them from.

torch moves a parametrised `lstm.weight_ih_l0` to `lstm.parametrizations.weight_ih_l0.original`. In files and in
patterns it keeps the name that it has without: so a file of plain weights and one of a parametrised model share names.
"""

from __future__ import annotations

import re
from typing import Final

_ORIGINAL: Final = re.compile(r"\.?parametrizations\.([^.]+)\.original$")


def plain_name(name: str) -> str:
    """The name that a parameter would have without parametrisation: `a.parametrizations.w.original` is `a.w`."""
    return _ORIGINAL.sub(lambda match: ("." if match.start() else "") + match[1], name)
