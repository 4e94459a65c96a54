"""Callbacks of a user's own, by name below `callbacks`."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint

from lasasr.configuration.settings import Settings
from lasasr.errors import LasasrError, UsageError
from lasasr.models import factory
from lasasr.training.validations import Validations


def make_callbacks(settings: Settings) -> dict[str, pl.Callback]:
    """The configured callbacks by name.

    Raises:
        UsageError: one cannot be built as configured.
    """
    parts = settings.callbacks
    if not all(isinstance(part, Mapping) for part in parts.values()):
        raise UsageError(f"callbacks takes callbacks by name, as +callbacks.mine._target_=my.module.Mine, got {parts}")
    return {name: factory.build(part, f"callbacks.{name}") for name, part in parts.items()}


def with_users(users: Mapping[str, pl.Callback], own: Sequence[pl.Callback]) -> list[pl.Callback]:
    """The callbacks of the toolkit and, where they see what was measured and before any checkpoint, the user's.

    Those that save something come after the toolkit's own, which is the one that Lightning asks about the best.

    Raises:
        UsageError: two of them keep their states under one name.
    """
    _refuse_same_state(users, own)
    saving = [callback for callback in users.values() if isinstance(callback, Checkpoint)]
    watching = [callback for callback in users.values() if callback not in saving]
    first_ours = next(place for place, callback in enumerate(own) if isinstance(callback, Validations))
    return [*own[:first_ours], *watching, *own[first_ours:], *saving, PlainStates(users)]


def _refuse_same_state(users: Mapping[str, pl.Callback], own: Sequence[pl.Callback]) -> None:
    taken = {callback.state_key for callback in own if _has_state(callback)}
    for name, callback in users.items():
        if _has_state(callback):
            if callback.state_key in taken:
                raise UsageError(
                    f"callbacks.{name}: another callback keeps its state as {callback.state_key} too; "
                    f"leave one out, or give it a state_key of its own"
                )
            taken.add(callback.state_key)


def _has_state(callback: pl.Callback) -> bool:
    return type(callback).state_dict is not pl.Callback.state_dict


class PlainStates(pl.Callback):
    """Sees that what callbacks of a user's own put into a checkpoint can be read again: no code is run for that.

    Args:
        own: the callbacks by name.
    """

    def __init__(self, own: Mapping[str, pl.Callback]) -> None:
        self.names = {callback.state_key: name for name, callback in own.items() if _has_state(callback)}

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write and read each state.

        Raises:
            LasasrError: one holds other than plain values and tensors.
        """
        for key, name in self.names.items():
            file, state = io.BytesIO(), checkpoint["callbacks"].get(key, {})
            if not isinstance(state, dict):
                raise LasasrError(f"callbacks.{name}: its state_dict() must return a dict, got {type(state).__name__}")
            try:
                torch.save(state, file)
                file.seek(0)
                torch.load(file, weights_only=True)
            except Exception as error:  # of pickle, or of whatever pickles itself
                raise LasasrError(
                    f"callbacks.{name}: its state_dict() must hold plain values and tensors only, so that a checkpoint "
                    f"can be read without running code ({type(error).__name__})"
                ) from error
