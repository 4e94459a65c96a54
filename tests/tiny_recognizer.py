"""A recognizer so small that tests build it in no time."""

from __future__ import annotations

from typing import Any

from lasasr.models import factory
from lasasr.models.parts import ModelParts


def parts(ctc_weight: float, seed: int = 1, **changes: Any) -> ModelParts:
    """What it is built from: frames 20 ms apart, dot attention, greedy search; `changes` replace parts."""
    loss = changes.pop("loss", {"_target_": "lasasr.losses.joint.JointLoss", "ctc_weight": ctc_weight})
    made = {
        "frontend": {"_target_": "lasasr.audio.fbank_frontend.FbankFrontend", "bins": 8},
        "listen": {
            "_target_": "lasasr.listen.pyramid.PyramidEncoder",
            "_partial_": True,
            "hidden_dim": 6,
            "layers": 2,
            "subsampling_factor": 2,
        },
        "attend": {"_target_": "lasasr.attend.content.DotAttention", "_partial_": True, "dim": 4},
        "spell": {"_target_": "lasasr.spell.recurrent.RecurrentDecoder", "_partial_": True, "hidden_dim": 7},
        "search": {"_target_": "lasasr.search.greedy.GreedySearch"},
    }
    return ModelParts(**(made | changes), seed=seed, heads=factory.loss(loss, seed).heads)


def greedy(min_length: int, max_length: int) -> dict[str, Any]:
    """The configuration of a greedy search within these lengths."""
    limits = {"_target_": "lasasr.search.limits.Limits", "min_length": min_length, "max_length": max_length}
    return {"_target_": "lasasr.search.greedy.GreedySearch", "limits": limits}
