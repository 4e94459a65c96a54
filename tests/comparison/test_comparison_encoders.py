"""Which encoders a comparison warns of: those that say so in the card, and of old cards those that are known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lasasr.comparison.encoders import SELF_ATTENTIVE, alignment_notes


def run(card: dict[str, Any], target: str, alignment: dict[str, float] | None) -> Any:
    return SimpleNamespace(
        card=SimpleNamespace(**{"self_attentive": None} | card),
        settings=SimpleNamespace(values={"listen._target_": target}),
        summary={"alignment": alignment},
    )


MEASURED = {"median_ms": 40.0}


@pytest.mark.parametrize(
    ("card", "target", "alignment", "warned"),
    [
        ({"self_attentive": True}, "mine.encoder.Own", MEASURED, True),
        ({"self_attentive": False}, "mine.encoder.Own", MEASURED, False),
        ({"self_attentive": True}, "mine.encoder.Own", None, False),
        ({}, SELF_ATTENTIVE[0], MEASURED, True),
        ({}, "lasasr.listen.pyramid.PyramidEncoder", MEASURED, False),
    ],
)
def test_a_note_follows_the_card_and_old_cards_their_class(
    card: dict[str, Any], target: str, alignment: dict[str, float] | None, warned: bool
) -> None:
    notes = alignment_notes([("mine", run(card, target, alignment))])
    assert bool(notes) == warned
    assert all(note.startswith("the encoder of mine is self-attentive") for note in notes)
