"""`adapt=replay`: speech of the source beside the new speech, in every batch, against forgetting (Robins 1995).

It is data, no term of the loss: `lasasr.data.replayed` draws it. The second corpus is that of the run that is adapted,
or one that is named; its train split is the split `replay` of the run, with a fingerprint of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lasasr.adapt.base import Method


class Replay(Method):
    """A share of each batch comes from a second corpus.

    Args:
        ratio: of a batch's utterances, above 0 and below 1.
        corpus: the second corpus as configured; None: that of the run that is adapted, which `lasasr train` puts here.

    Raises:
        ValueError: the ratio is out of its range.
    """

    def __init__(self, *, ratio: float = 0.5, corpus: Mapping[str, Any] | None = None) -> None:
        if not 0.0 < ratio < 1.0:
            raise ValueError(f"ratio must lie between 0 and 1, got {ratio}")
        self.ratio, self.corpus = ratio, corpus
