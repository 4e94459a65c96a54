"""The likely cause that is named is the one that was built in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lasasr.training.causes import Seen, Setting, likely_causes

SEEN = Seen(utterances=100, infeasible=0, tokens=1000, frames=2000, losses=[1.5] * 30)
SETTING = Setting(ctc_weight=0.3, learning_rate=1e-3, peak_rate=1e-3, subsampling_factor=4, of_token_frequencies=2.9)
STUCK = [2.9] * 30


@pytest.mark.parametrize(
    ("seen", "setting", "words"),
    [
        ({"infeasible": 40, "frames": 700}, {"subsampling_factor": 16}, ("40%", "0.7 encoded frames", "16")),
        ({"frames": 1100}, {}, ("1.1 encoded frames", "subsampling is too strong")),
        ({}, {"ctc_weight": 0.0}, ("ctc_weight is 0", "loss=joint")),
        ({"losses": STUCK}, {"learning_rate": 1e-4, "peak_rate": 2e-3}, ("still warming up", "0.0001", "0.002")),
        ({"losses": STUCK, "highest_rate": 2e-3}, {"learning_rate": 1e-4, "peak_rate": 2e-3}, ("fallen too early",)),
        ({"losses": [2.8] * 10 + [9.0] * 20}, {}, ("too high", "9.00", "2.80")),
        ({"losses": STUCK, "clipped": 27}, {}, ("too high", "90%")),
        ({"losses": [3.4] * 10 + [2.95] * 20}, {}, ("too low", "3.40")),
        ({"losses": STUCK}, {}, ("nothing is learnt", "2.90")),
        ({}, {}, ("without listening", "1.50", "2.90", "0.3")),
    ],
)
def test_one_cause_is_named_with_its_facts(
    seen: dict[str, object], setting: dict[str, object], words: tuple[str, ...]
) -> None:
    (cause,) = likely_causes(replace(SEEN, **seen), replace(SETTING, **setting))
    assert all(word in cause for word in words)
    assert "\n" not in cause


def test_several_causes_stand_in_order() -> None:
    seen = replace(SEEN, infeasible=90, losses=STUCK)
    causes = likely_causes(seen, replace(SETTING, ctc_weight=0.0))
    assert [cause.split()[0] for cause in causes] == ["labels", "nothing", "ctc_weight"]
