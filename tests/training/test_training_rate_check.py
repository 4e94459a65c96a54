"""Numbers of the optimizer and of its schedule that train nothing, or nonsense, are refused before preparation."""

from __future__ import annotations

import pytest
from doctor_corpus import SMALL
from loaded import recognition

from lasasr.cli.compose import compose
from lasasr.errors import UsageError
from lasasr.training.fit import check_settings

WRONG = {
    "optimizer.lr=0": "optimizer.lr must be above 0",
    "optimizer.lr=-1": "optimizer .*learning rate",
    "schedule.warmup_steps=-1": "schedule .*warmup_steps must be at least 0, got -1",
    "schedule=warmup_linear schedule.final=2.0": r"final, a share of the peak rate, must lie in \[0, 1\], got 2",
    "schedule=plateau schedule.factor=0.0": "schedule .*factor, .*, got 0",
    "schedule=plateau schedule.patience=-1": "schedule .*patience must be at least 0 validations, got -1",
    "trainer.max_steps=0": "trainer.max_steps=0 would train nothing",
    "trainer.max_epochs=0": "trainer.max_epochs=0 would train nothing",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_trains_nothing_is_refused(words: str) -> None:
    settings = recognition(**compose("synthetic/las_char", [*SMALL, *words.split()]))
    with pytest.raises(UsageError, match=WRONG[words]):
        check_settings(settings)


def test_what_ships_passes() -> None:
    for schedule in ("constant", "warmup_linear", "warmup_exponential", "inverse_sqrt", "plateau"):
        check_settings(recognition(**compose("synthetic/las_char", [*SMALL, f"schedule={schedule}"])))
