"""What is checked, and how a check ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

EXACT = 1e-10  # what rounding may leave of a difference in float64
FLOAT32 = 1e-4  # the same where the peer computes in float32

State = Literal["equal", "different", "skipped", "not reproduced"]


class Check(NamedTuple):
    """A number of lasasr's and the same of a peer's."""

    name: str
    peer: str  # a key of `peers.PEERS`
    measure: Callable[[], float]  # the largest difference; NaN where a result is NaN
    note: str = ""
    most: float = EXACT  # a larger difference is reported as one


class NotReproduced(NamedTuple):
    """What a peer defines otherwise, so that the numbers need not agree."""

    name: str
    peer: str
    note: str
    measure: Callable[[], float] | None = None  # how far they are apart


class Row(NamedTuple):
    """A line of the page."""

    name: str
    peer: str  # with its version
    state: State
    difference: float | None
    note: str


def run(check: Check | NotReproduced, version: str | None, lacking: str) -> Row:
    """The check, tried.

    Args:
        version: of the peer, or None where it is not installed.
        lacking: why it is not.
    """
    if check.measure is None or (version is None and isinstance(check, NotReproduced)):
        return Row(check.name, f"{check.peer} {version or ''}".strip(), "not reproduced", None, check.note)
    if version is None:
        return Row(check.name, check.peer, "skipped", None, lacking)
    try:
        difference = check.measure()
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("lasasr", "parity"):
            raise
        return Row(check.name, f"{check.peer} {version}", "skipped", None, f"cannot be imported: {error}")
    if isinstance(check, NotReproduced):
        return Row(check.name, f"{check.peer} {version}", "not reproduced", difference, check.note)
    equal = difference <= check.most  # False for NaN
    note = check.note if equal else f"more than {check.most:.0e}. {check.note}".strip()
    return Row(check.name, f"{check.peer} {version}", "equal" if equal else "different", difference, note)
