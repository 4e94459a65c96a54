"""Training on top of an encoder that arrived with weights: what is trained, at which rate, and from when on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import lightning.pytorch as pl
from torch import nn

from lasasr.adapt.base import WeightMethod
from lasasr.distributed import launch
from lasasr.errors import UsageError
from lasasr.listen.base import StagedEncoder
from lasasr.models.recognizer import Recognizer


def trained_count(module: nn.Module) -> int:
    """Parameters that are trained now."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def share_line(module: nn.Module, later: Sequence[nn.Parameter] = (), always: bool = False) -> str | None:
    """How much of a model is trained, in words; None: all of it, unless it is `always` said.

    Args:
        later: parameters that are trained later.
    """
    total, trained = sum(parameter.numel() for parameter in module.parameters()), trained_count(module)
    if trained == total and not always:
        return None
    waiting = {id(parameter): parameter.numel() for parameter in later if not parameter.requires_grad}
    more = f", {sum(waiting.values()):,} more later" if waiting else ""
    return f"trained: {trained:,} of {total:,} parameters ({100 * trained / total:.1f} %){more}"


def pretrained_facts(recognizer: Recognizer) -> dict[str, Any]:
    """What the card says of an encoder that arrived with weights; nothing of another one."""
    listen = recognizer.parts.listen
    trained = trained_count(recognizer)
    facts: dict[str, Any] = {} if trained == recognizer.parameter_count else {"trained_parameters": trained}
    if isinstance(recognizer.model.encoder, StagedEncoder) and "sha256" in listen:
        weights = {"weights": listen["weights"], "sha256": listen["sha256"]}
        facts["pretrained"] = {**weights, "model_type": listen["architecture"]["model_type"]}
    return facts


class Thaw(pl.Callback):
    """Lets parameters be trained from a certain update on.

    Args:
        after: updates before.
        key: that says so in the configuration, for messages.
        thaw: sets `requires_grad`.
    """

    def __init__(self, after: int, key: str, thaw: Callable[[], None]) -> None:
        super().__init__()
        self.after, self.key, self.thaw, self.done = after, key, thaw, False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse what would train them on each rank alone.

        Raises:
            UsageError: there are several ranks: the parameters that they share are settled before the first update.
        """
        if trainer.world_size > 1:
            raise UsageError(
                f"{self.key}={self.after} is for one process: train with it frozen, then go on from that run "
                "(warm_start.run=RUN) with nothing frozen"
            )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say so where training ends before."""
        updates = trainer.estimated_stepping_batches
        if updates <= self.after:
            launch.say(
                f"warning: {self.key}={self.after} is never reached, so nothing is thawed: training ends after "
                f"{updates} update{'s' * (updates != 1)}"
            )

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Thaw, once; also in a run that was resumed after it."""
        if not self.done and trainer.global_step >= self.after:
            self.thaw()
            self.done = True


def thawing(recognizer: Recognizer, method: WeightMethod | None = None) -> list[Thaw]:
    """The callbacks that thaw what is trained later, as the encoder and the adaptation have it."""
    callbacks = []
    encoder = recognizer.model.encoder
    if isinstance(encoder, StagedEncoder) and encoder.thaw_after is not None:
        callbacks.append(Thaw(encoder.thaw_after, "listen.thaw_after", encoder.thaw))
    if method is not None and method.thaw_after is not None:

        def thaw() -> None:
            for parameter in method.thawing(recognizer):
                parameter.requires_grad_(True)
            recognizer.train(recognizer.training)

        callbacks.append(Thaw(method.thaw_after, "adapt.freeze.thaw_after", thaw))
    return callbacks
