"""Loading what is large: torch and Lightning make a million objects, none of which is garbage."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MANY: Final = 100  # modules; what is alive when so many are loaded is a command that begins


@contextmanager
def loading() -> Iterator[None]:
    """Import in the block without searching for garbage, which takes a fifth of the time.

    What is there after a large library was loaded is left out of every later search, too: each would look at all of
    it, ten times in the first seconds of a training. Nor do workers that are forked copy its pages to look at it.
    """
    before, searches = len(sys.modules), gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) - before >= MANY:
            gc.freeze()
        if searches:
            gc.enable()
