"""`key=~/path` as a shell reads it in an assignment; it leaves a key with a dot, and an option, as they are."""

from __future__ import annotations

import os
import re
from typing import Final

_ASSIGNED: Final = re.compile(r"((?:\+{0,2}|--)[A-Za-z_][\w./@-]*=)(~.*)", re.DOTALL)


def with_home_folder(argument: str) -> str:
    """The argument with `~` and `~user` at the beginning of its value written out; of an unknown user as it is."""
    assigned = _ASSIGNED.fullmatch(argument)
    return argument if assigned is None else assigned[1] + os.path.expanduser(assigned[2])  # noqa: PTH111
