"""Training on top of an encoder that arrived with weights: what is trained, at which rate, and from when on."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
from torch import nn

from lasasr.errors import UsageError
from lasasr.listen.base import StagedEncoder
from lasasr.models.recognizer import Recognizer


def trained_parameters(module: nn.Module) -> list[nn.Parameter] | list[dict[str, Any]]:
    """What an optimizer gets: the parameters that are trained, now or later; in groups where one has a rate of its own.

    Those that are trained later have no gradient until then, and optimizers pass over them.
    """
    encoders = [part for part in module.modules() if isinstance(part, StagedEncoder)]
    brought = {id(parameter): parameter for encoder in encoders for parameter in encoder.brought()}
    groups: list[dict[str, Any]] = [
        {"params": list(encoder.brought()), "lr": encoder.learning_rate}
        for encoder in encoders
        if encoder.learning_rate is not None
    ]
    apart = {id(parameter) for group in groups for parameter in group["params"]}
    rest = [
        parameter
        for parameter in module.parameters()
        if (parameter.requires_grad or id(parameter) in brought) and id(parameter) not in apart
    ]
    return [{"params": rest}, *groups] if groups else rest


def trained_count(module: nn.Module) -> int:
    """Parameters that are trained now."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def share_line(module: nn.Module) -> str | None:
    """How much of a model is trained, in words; None: all of it."""
    total, trained = sum(parameter.numel() for parameter in module.parameters()), trained_count(module)
    if trained == total:
        return None
    later = sum(
        parameter.numel()
        for part in module.modules()
        if isinstance(part, StagedEncoder)
        for parameter in part.brought()
        if not parameter.requires_grad
    )
    more = f", {later:,} more later" if later else ""
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
    """Lets layers of a pretrained encoder be trained from a certain update on."""

    def __init__(self, encoder: StagedEncoder) -> None:
        super().__init__()
        self.encoder, self.done = encoder, False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse what would train them on each rank alone.

        Raises:
            UsageError: there are several ranks: the parameters that they share are settled before the first update.
        """
        if trainer.world_size > 1:
            raise UsageError(
                f"listen.thaw_after={self.encoder.thaw_after} is for one process: train with freeze=all, then go on "
                "with warm_start.run=RUN and listen.freeze=none"
            )

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Thaw, once; also in a run that was resumed after it."""
        after = self.encoder.thaw_after
        if not self.done and after is not None and trainer.global_step >= after:
            self.encoder.thaw()
            self.done = True
