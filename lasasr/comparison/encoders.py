"""What the encoders of compared runs mean for their alignment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lasasr.comparison.entries import DecodedRun

# of runs whose cards are older than `self_attentive` in them
SELF_ATTENTIVE: Final = ("lasasr.listen.conformer.ConformerEncoder", "lasasr.listen.transformer.TransformerEncoder")


def alignment_notes(systems: Iterable[tuple[str, DecodedRun]]) -> list[str]:
    """A note where alignment was measured on an encoder all of whose frames see each other and are read in no order.

    Args:
        systems: name and a run of each.
    """
    named = [name for name, run in systems if _is_self_attentive(run) and run.summary.get("alignment")]
    if not named:
        return []
    return [
        f"the encoder of {', '.join(named)} is self-attentive: nothing keeps what an encoded frame holds at its place, "
        "so attention maps, word times and their errors may be wrong where the text is right (docs/alignment.md)"
    ]


def _is_self_attentive(run: DecodedRun) -> bool:
    """As the encoder says of itself, in the card."""
    said = run.card.self_attentive
    return said if said is not None else run.settings.values.get("listen._target_") in SELF_ATTENTIVE
