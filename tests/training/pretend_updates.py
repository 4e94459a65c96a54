"""Updates on the pretend device beside the same ones on the CPU; prints what they waited for, as JSON.

    python tests/training/pretend_updates.py FOLDER LISTEN/ATTEND/SPELL ...

steps: forward, loss, backward, gradient norm of each model; unknown: the first of them as if the host knew nothing of
what is on the device; updates: those of Lightning's whole loop with our callbacks, which writes into FOLDER.
"""

from __future__ import annotations

import copy
import json
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

import lightning.pytorch as pl
import torch
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from pretend_device import DEVICE, Pretend, There
from quiet import QUIET
from shipped_parts import part
from training_tiny import TOKENIZER, Data, batch, training

from lasasr.audio.specaugment import SpecAugment
from lasasr.data.batch import Batch
from lasasr.nn import host_mirror
from lasasr.training.alignment import AlignmentWatch
from lasasr.training.interrupt import Interrupt
from lasasr.training.metric_logger import MetricLogger
from lasasr.training.module import Training


def made(listen: str, attend: str, spell: str) -> Training:
    torch.manual_seed(0)
    chosen: dict[str, Any] = {"listen": dict(part("listen", listen)), "attend": dict(part("attend", attend))}
    module = training(**chosen, spell=dict(part("spell", spell)))
    module.specaugment = SpecAugment(time_warp=2)
    module.loss.prepare(torch.arange(TOKENIZER.vocabulary_size))
    return module


def step(module: Training, data: Batch, waits: list[Counter[str]]) -> torch.Tensor:
    """An update without the optimizer's part, in Lightning's order; notes the waits up to the gradient and after it."""
    Pretend.waits.clear()
    data = data.to(DEVICE if isinstance(next(module.parameters()), There) else "cpu")
    module.on_train_batch_start(data, 0)
    loss: torch.Tensor = module.training_step(data, 0)["loss"]
    loss.backward()
    waits.append(+Pretend.waits)
    module.configure_gradient_clipping(None, 1.0)
    waits.append(+Pretend.waits - waits[-1])
    return loss


def steps(names: list[str]) -> list[dict[str, Any]]:
    """What each of LISTEN/ATTEND/SPELL waited for, and how far its gradients are from those on the CPU."""
    alone = SimpleNamespace(world_size=1, accumulate_grad_batches=1, precision_plugin=None)
    found = []
    with patch.object(Training, "trainer", alone), patch.object(Training, "global_step", 0):
        for name in names:
            here = made(*name.split("/"))
            there, data, waits = copy.deepcopy(here), batch(range(3)), list[Counter[str]]()
            step(here, data, [])
            with Pretend():
                there.to(DEVICE)
                step(there, data, waits)
            pairs = zip(here.parameters(), there.parameters(), strict=True)
            gradients = [(one.grad, other.grad.inner) for one, other in pairs if one.grad is not None]
            apart = max(float((one - other).abs().max() / (one.norm() + 1e-6)) for one, other in gradients)
            found.append({"name": name, "model": waits[0], "update": waits[1], "apart": apart})
    return found


class PretendAccelerator(CPUAccelerator):
    """Lightning asks nothing else of the pretend device."""

    def setup_device(self, device: torch.device) -> None:
        assert device == DEVICE


class Watch(pl.Callback):
    """The waits of each update, from one batch's arrival to the next."""

    def __init__(self) -> None:
        self.updates: list[dict[str, int]] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.updates.append(dict(+Pretend.waits))
        Pretend.waits.clear()


def fit(folder: str) -> list[dict[str, int]]:
    """Eight updates; every fourth is logged, every fourth but one looked at."""
    watch = Watch()
    callbacks = [MetricLogger(4), AlignmentWatch(4), Interrupt(Path(folder) / "last.ckpt", 1e9), watch]
    with Pretend():
        strategy = SingleDeviceStrategy(DEVICE, accelerator=PretendAccelerator())
        trainer = pl.Trainer(
            strategy=strategy,
            callbacks=callbacks,
            max_epochs=2,
            limit_val_batches=0,
            default_root_dir=folder,
            use_distributed_sampler=False,
            **QUIET,
        )
        module = made("pyramid", "location", "lstm")
        module.make_optimizer = torch.optim.AdamW
        trainer.fit(module, Data())
    return watch.updates


if __name__ == "__main__":
    told: dict[str, Any] = {"steps": steps(sys.argv[2:]), "updates": fit(sys.argv[1])}
    with patch.object(host_mirror, "remember", lambda tensor, values: tensor):
        told["unknown"] = steps(sys.argv[2:3])
    sys.stdout.write(json.dumps(told) + "\n")
