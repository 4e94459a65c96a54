"""Where classes and functions that configurations name have gone: what 0.1.0 wrote is read for ever."""

from __future__ import annotations

from typing import Final

MOVED: Final[dict[str, str]] = {
    "lasasr.audio.frontend.Frontend": "lasasr.audio.fbank_frontend.FbankFrontend",
    "lasasr.loss.Annealed": "lasasr.losses.joint.Annealed",
    "lasasr.loss.JointLoss": "lasasr.losses.joint.JointLoss",
}
"""Old dotted path → the path of today."""
