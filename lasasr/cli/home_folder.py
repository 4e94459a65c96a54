"""`~` of `key=~/path`, which shells write out in assignments, but not after `a.key=` or `--option=`; this does."""

from __future__ import annotations

import os
import re
from typing import Final

_ASSIGNED: Final = re.compile(r"((?:\+{0,2}|--)[A-Za-z_][\w./@-]*=)(~.*)", re.DOTALL)


def with_home_folder(argument: str) -> str:
    """The argument with `~` and `~user` at the beginning of its value written out; of an unknown user as it is."""
    assigned = _ASSIGNED.fullmatch(argument)
    return argument if assigned is None else assigned[1] + os.path.expanduser(assigned[2])  # noqa: PTH111
