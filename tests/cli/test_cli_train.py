"""What a run folder says of training that came to an end of another kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import config

from lasasr import runs
from lasasr.cli import train
from lasasr.errors import DivergenceError, LasasrError


def works(error: Exception | None) -> Callable[..., dict[str, Any]]:
    def work(*arguments: Any) -> dict[str, Any]:
        if error is not None:
            raise error
        return {"steps": 3}

    return work


def test_divergence_stands_in_the_card_until_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, plain = runs.Run(tmp_path / "run"), config(tmp_path)
    monkeypatch.setattr(train, "_work", works(DivergenceError("the loss is not finite at step 7")))
    with pytest.raises(DivergenceError):
        train.run_in(place, plain, [], resume=False)
    assert (place.status, place.card()["diverged"]) == ("unfinished", "the loss is not finite at step 7")
    monkeypatch.setattr(train, "_work", works(LasasrError("the disk is full")))
    with pytest.raises(LasasrError):
        train.run_in(place, plain, [], resume=True)
    assert "diverged" not in place.card()
    monkeypatch.setattr(train, "_work", works(None))
    train.run_in(place, plain, [], resume=True)
    assert (place.status, place.card()["diverged"], place.card()["steps"]) == ("finished", None, 3)
