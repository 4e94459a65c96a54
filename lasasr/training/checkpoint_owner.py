"""Whether a whole checkpoint is one of this run: one that was copied from elsewhere is passed over as a damaged one is.

A run's card and its checkpoints hold the same `run_id`, drawn when the run began, so that a folder may be moved, copied
and renamed. Runs of 0.2.0 and before have none; of theirs only the shapes are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from lasasr.artifacts.run_card import RUN_ID
from lasasr.artifacts.runs import Run
from lasasr.errors import LasasrError
from lasasr.training import checkpoint_file
from lasasr.training.checkpoints import WITH_STATE
from lasasr.training.parameter_groups import optimized_count
from lasasr.training.token_normalized import TokenNormalizedModule

# what Lightning restores beside the weights → its kind
_RESTORED: Final[Mapping[str, type]] = {
    "epoch": int,
    "global_step": int,
    "loops": Mapping,
    "callbacks": Mapping,
    "optimizer_states": list,
    "lr_schedulers": list,
    "pytorch-lightning_version": str,
}


def id_of_run(folder: Path) -> str | None:
    """What the card of a run folder says; None: there is no card, or it is one of 0.2.0 or before.

    Raises:
        LasasrError: the card is damaged.
    """
    run = Run(folder)
    return run.card().run_id if run.card_path.exists() else None


def is_of_run(path: Path, run_id: str | None) -> bool:
    """Whether a checkpoint is not known to be another run's.

    Raises:
        LasasrError: it is damaged.
    """
    return _other_run(checkpoint_file.read(path, mmap=True), run_id) is None


def _other_run(content: Mapping[str, Any], run_id: str | None) -> str | None:
    """Why a checkpoint is another run's; None: it is not known to be."""
    held = content.get(RUN_ID)
    if run_id is None or held is None or held == run_id:
        return None
    return f"it is of the run {str(held)[:40]}, not of {run_id}"


def misfit(path: Path, module: TokenNormalizedModule, run_id: str | None) -> str | None:
    """Why a whole checkpoint cannot be gone on from, in one line; None: it can.

    Args:
        module: what is trained.
        run_id: of the run; None: not known.
    """
    try:
        content = checkpoint_file.read(path, mmap=True)
    except LasasrError as error:
        return str(error)
    return _other_run(content, run_id) or _other_weights(content, module) or _not_restorable(content, module)


def _other_weights(content: Mapping[str, Any], module: TokenNormalizedModule) -> str | None:
    """Names, shapes and whether they are finite: the precision of a Trainer changes what numbers they are."""
    expected, stored = module.state_dict(), content[checkpoint_file.STATE]
    if differing := sorted(set(expected) ^ set(stored)):
        return f"{differing[0]} is in one but not in the other"
    for name, value in expected.items():
        if value.shape != stored[name].shape:
            return f"{name} has shape {tuple(stored[name].shape)}, not {tuple(value.shape)}"
        if not torch.isfinite(stored[name]).all():
            return f"{name} holds NaN or infinite numbers"
    return None


def _not_restorable(content: Mapping[str, Any], module: TokenNormalizedModule) -> str | None:
    for name, kind in _RESTORED.items():
        if not isinstance(content.get(name), kind):
            return f"its {name} is {str(content.get(name))[:40]}"
    if not isinstance(content["loops"].get("fit_loop"), Mapping):
        return "it holds no fit_loop"
    for name in ("optimizer_states", "lr_schedulers"):  # with none Lightning would begin anew in silence
        if len(content[name]) != 1:
            return f"it holds {len(content[name])} {name}, not 1"
    schedule = content["lr_schedulers"][0]
    if not isinstance(schedule, Mapping) or not isinstance(schedule.get("last_epoch"), int):
        return f"its lr_schedulers is {str(content['lr_schedulers'])[:40]}"
    return _unfit(content["optimizer_states"][0], optimized_count(module, module.rates), content)


def _unfit(optimizer_state: Any, optimized: int, content: Mapping[str, Any]) -> str | None:
    """Why an optimizer's state is not that of `optimized` weights; None: it is.

    A weight without state would begin anew in silence. A weight that no update has reached has none, so that only the
    checkpoint itself can say how many have (those of 0.2.0 and before do not).
    """
    if _weights_of(optimizer_state) != optimized:
        return f"its optimizer_states are not of {optimized} weights"
    stored = optimizer_state["state"]
    written = content.get(WITH_STATE, len(stored))
    if len(stored) != written:
        return f"its optimizer_states hold the state of {len(stored)} weights, not of {str(written)[:40]}"
    for number, of_weight in stored.items():
        if not isinstance(of_weight, Mapping):
            return f"its optimizer_states hold {str(of_weight)[:40]} of weight {str(number)[:40]}"
        for name, value in of_weight.items():
            if isinstance(value, torch.Tensor) and not torch.isfinite(value).all():
                return f"its optimizer_states hold NaN or infinite numbers ({str(name)[:40]} of weight {number})"
    return None


def _weights_of(optimizer_state: Any) -> int | None:
    """How many weights an optimizer held; None: this is no optimizer's state."""
    groups = optimizer_state.get("param_groups") if isinstance(optimizer_state, Mapping) else None
    if not isinstance(groups, list) or not isinstance(optimizer_state.get("state"), Mapping):
        return None
    return sum(len(group.get("params", ())) for group in groups if isinstance(group, Mapping))
