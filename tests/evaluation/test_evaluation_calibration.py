"""The confidence of a word is fitted on which words are right, each by a calibration that has not seen it."""

from __future__ import annotations

import numpy as np
import pytest

from lasasr.errors import LasasrError
from lasasr.evaluation import calibration
from lasasr.metrics.confidence import roc_area
from lasasr.search.confidence import FEATURES


def decoded(seed: int, utterances: int = 60) -> calibration.Decoded:
    """Words whose decoder score tells whether they are right, the other features do not."""
    draw = np.random.default_rng(seed)
    found = calibration.Decoded([], [])
    for _ in range(utterances):
        rows = draw.normal(size=(draw.integers(0, 6), len(FEATURES)))
        found.features.append([dict(zip(FEATURES, row, strict=True)) for row in rows.tolist()])
        found.right.append([bool(row[0] + 0.5 * draw.normal() > -1.0) for row in rows])
    return found


def test_it_orders_words_that_it_has_not_seen() -> None:
    found = decoded(0)
    confidences, right = calibration.cross_validated(found)
    assert len(confidences) == sum(map(len, found.right))
    assert sum(right) == sum(sum(words) for words in found.right)
    assert (roc_area(np.array(confidences), np.array(right)) or 0.0) > 0.9
    weights = calibration.fit(found).weights
    assert weights["decoder"] > 4 * max(abs(value) for name, value in weights.items() if name != "decoder")


def test_words_that_are_all_right_cannot_be_told_apart() -> None:
    found = decoded(1)
    perfect = found._replace(right=[[True] * len(words) for words in found.right])
    with pytest.raises(LasasrError, match=r"cannot be calibrated: .* decode more of dev"):
        calibration.fit(perfect)
