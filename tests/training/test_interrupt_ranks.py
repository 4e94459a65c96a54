"""A signal that only one of several ranks has received is agreed on by all, between two updates."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lasasr.errors import Interrupted
from lasasr.training.interrupt import Interrupt


@pytest.mark.parametrize(
    ("here", "there", "ends_with"),
    [
        (0, [signal.SIGTERM, 0], signal.SIGTERM),
        (signal.SIGUSR1, [0, 0], signal.SIGUSR1),
        (0, [0, 1], None),
        (0, [0, 0], None),
    ],
)
def test_what_any_rank_has_received_stops_this_one(
    monkeypatch: pytest.MonkeyPatch, here: int, there: list[int], ends_with: int | None
) -> None:
    def all_reduce(tensor: torch.Tensor, op: Any) -> None:
        """As with one other rank."""
        assert op == torch.distributed.ReduceOp.MAX
        tensor.copy_(torch.maximum(tensor, torch.tensor(there)))

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    saved: list[Path] = []
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    trainer: Any = SimpleNamespace(
        world_size=2, is_global_zero=False, strategy=strategy, save_checkpoint=saved.append, global_step=7
    )
    interrupt = Interrupt(Path("last.ckpt"), every_s=1e9)
    interrupt.received = here
    if ends_with is None:
        interrupt._boundary(trainer)
    else:
        with pytest.raises(Interrupted) as caught:
            interrupt._boundary(trainer)
        assert caught.value.signum == ends_with
    assert saved == ([] if ends_with is None and not there[1] else [Path("last.ckpt")])
