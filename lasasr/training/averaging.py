"""The mean of the weights of several checkpoints of one run (Vaswani et al. 2017, §6.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lasasr.adapt.lora import LowRank
from lasasr.errors import LasasrError
from lasasr.training import checkpoint_file

PREFIX = "recognizer."  # of the names of the recognizer's weights in a checkpoint
_KEPT = re.compile(r"step=(?P<step>\d+)-(?P<metric>\w+)=(?P<rate>\d+(\.\d+)?)\.ckpt")


class Kept(NamedTuple):
    """A checkpoint that training kept for its dev error rate."""

    path: Path
    step: int
    error_rate: float  # percent


def kept(checkpoints: Path) -> list[Kept]:
    """The checkpoints in a run's folder that carry step and dev error rate in their names, by step."""
    names = ((path, _KEPT.fullmatch(path.name)) for path in checkpoints.glob("*.ckpt"))
    validated = [Kept(path, int(name["step"]), float(name["rate"])) for path, name in names if name]
    return sorted(validated, key=lambda checkpoint: checkpoint.step)


def chosen(checkpoints: Path, count: int, best: bool) -> list[Path]:
    """The `count` checkpoints with the lowest dev error rates (the later of two equals), or the latest, by step.

    Raises:
        LasasrError: there are fewer.
    """
    validated = kept(checkpoints)
    if len(validated) < count:
        raise LasasrError(
            f"{checkpoints} keeps {len(validated)} validated checkpoint{'s' if len(validated) != 1 else ''}, "
            f"{count} are asked for; train with checkpoint.best={count} to keep the best {count}, or "
            "checkpoint.best=-1 to keep all"
        )
    ordered = sorted(
        validated,
        key=lambda checkpoint: (checkpoint.error_rate, -checkpoint.step) if best else (-checkpoint.step,),
    )
    return [checkpoint.path for checkpoint in sorted(ordered[:count], key=lambda checkpoint: checkpoint.step)]


def refuse_factors(recognizer: nn.Module, folder: Path) -> None:
    """Refuse a recognizer with low-rank factors: the product of their means is not the mean of their products.

    Raises:
        LasasrError: it has some.
    """
    if any(isinstance(part, LowRank) for part in recognizer.modules()):
        raise LasasrError(
            f"{folder} was adapted by low-rank factors, whose mean is not that of the weights they stand for: take "
            "one checkpoint (checkpoint.final=best or last), or adapt with adapt=full"
        )


def mean(checkpoints: Sequence[Path]) -> dict[str, Tensor]:
    """The recognizer's state dict with every weight the mean over `checkpoints`, summed in float64.

    What is no floating-point number (counts, masks) is that of the last one. The files are only read.

    Raises:
        LasasrError: a checkpoint is damaged, holds NaN or infinite weights, or is of another model than the first.
    """
    if not checkpoints:
        raise ValueError("there must be at least one checkpoint, got none")
    first = _state(checkpoints[0])
    sums = {name: value.to(torch.float64) for name, value in first.items() if value.is_floating_point()}
    last = first
    for path in checkpoints[1:]:
        last = _state(path)
        refuse_other(first, last, checkpoints[0], path)
        for name, total in sums.items():
            total += last[name].to(torch.float64)
    means = {name: (total / len(checkpoints)).to(first[name].dtype) for name, total in sums.items()}
    return {name: means.get(name, value) for name, value in last.items()}


def _state(path: Path) -> dict[str, Tensor]:
    try:
        whole = checkpoint_file.read(path)[checkpoint_file.STATE]
    except LasasrError as error:
        raise LasasrError(f"checkpoint {path} is damaged ({error}); leave it out") from None
    state = {name.removeprefix(PREFIX): value for name, value in whole.items() if name.startswith(PREFIX)}
    for name, value in state.items():
        if not bool(value.isfinite().all()):
            raise LasasrError(f"checkpoint {path} holds NaN or infinity in {name}; take checkpoints from before it")
    return state


def refuse_other(first: Mapping[str, Tensor], other: Mapping[str, Tensor], one: Path, two: Path) -> None:
    """Refuse the weights in the file `two` if they are not of the model whose weights are in `one`.

    Raises:
        LasasrError: names, shapes or dtypes differ; names the first.
    """
    if unfit := sorted(set(first) ^ set(other)):
        raise LasasrError(f"{two} is of another model than {one}: {unfit[0]} is in one but not in the other")
    for name, value in first.items():
        if (value.shape, value.dtype) != (other[name].shape, other[name].dtype):
            differing = f"shape {tuple(other[name].shape)}, not {tuple(value.shape)}"
            if value.shape == other[name].shape:
                differing = f"dtype {other[name].dtype}, not {value.dtype}"
            raise LasasrError(f"{two} is of another model than {one}: {name} has {differing}")
