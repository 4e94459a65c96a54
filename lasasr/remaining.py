"""How long something is, or work is about to take, as it is said to people; and when, where no bar is drawn."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_KNOWN_S: Final = 8.0  # after which the first estimate is worth saying ...
_EVERY_S: Final = 60.0  # ... and how often one is said again


def about(seconds: float) -> str:
    """ "about 40 s", "about 7 min", "about 2.5 h", rounded as well as an estimate is known."""
    if seconds < 90:
        return f"about {max(1, round(seconds) if seconds < 10 else 10 * round(seconds / 10))} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


def duration(seconds: float) -> str:
    """ "7.4 s", "40 s", "5.2 min", "2.35 h": below a tenth of an hour in the unit that still says something."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    if seconds < 357.0:  # from here on it would be 6.0 min
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:,.2f} h"


class Remaining:
    """Says how long a task still takes, once that is known and then once a minute.

    Args:
        clock: seconds, from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._first: tuple[float, int] | None = None  # when the first part was done, and how many were then
        self._last = 0  # parts that were done
        self._said = 0.0
        self.rate = 0.0  # parts per second since the first, which is slower than the others

    def left_s(self, done: int, total: int) -> float | None:
        """Seconds until all is done; None: not known yet, done, or said within the last minute."""
        now = self._clock()
        last, self._last = self._last, done
        if self._first is None or done < last:  # it has begun anew
            self._first, self._said = (now, done), now - _EVERY_S + _KNOWN_S
            return None
        since, before = self._first
        if done <= before or done >= total or now - self._said < _EVERY_S:
            return None
        self._said = now
        self.rate = (done - before) / (now - since)
        return (total - done) / self.rate
