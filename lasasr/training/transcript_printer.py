"""What a person sees of a recognizer while it trains: the same dev utterance, decoded at each validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import lightning.pytorch as pl

from lasasr.escaping import escaped
from lasasr.evaluation.outcome import Outcome
from lasasr.training.module import Training
from lasasr.training.progress_printer import ProgressPrinter

_LENGTH: Final = 40  # characters of the reference that is looked for: it fills half a line
_WIDTH: Final = 100  # characters of a line


class TranscriptPrinter(ProgressPrinter):
    """Prints the reference of one dev utterance once, and what the search of validations makes of it each time."""

    _reference_printed = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The line of the validation, and the text below it."""
        super().on_validation_end(trainer, pl_module)
        if not trainer.is_global_zero or not isinstance(pl_module, Training) or not pl_module.outcomes:
            return
        outcome = example(pl_module.outcomes)
        if not self._reference_printed:
            self._reference_printed = True
            self.print(f"        dev {escaped(outcome.id)}, said:  {_shortened(outcome.reference)}")
        self.print(f"        recognized:  {_shortened(outcome.best.text) or '(nothing)'}")


def example(outcomes: Sequence[Outcome]) -> Outcome:
    """The utterance of about half a line; the same one at every validation."""
    return min(outcomes, key=lambda outcome: (abs(len(outcome.reference) - _LENGTH), outcome.id))


def _shortened(text: str) -> str:
    shown = escaped(text)
    return shown if len(shown) <= _WIDTH else f"{shown[: _WIDTH - 4]} ..."
