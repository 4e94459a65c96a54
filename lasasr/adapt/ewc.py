"""`adapt=ewc`: elastic weight consolidation (Kirkpatrick et al. 2017, eq. 3).

The distance of a weight counts as much as it matters for the source: by the diagonal of the Fisher information, which
`lasasr fisher RUN` estimates on the source data and keeps beside the weights of the bundle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from torch import Tensor, nn

from lasasr.adapt.l2sp import L2SP
from lasasr.artifacts import bundle, delta
from lasasr.errors import LasasrError
from lasasr.nn.parametrized import plain_name

FILE: Final = "fisher.safetensors"  # in a bundle
OF_WEIGHTS: Final = "weights_sha256"  # in the file's metadata


class EWC(L2SP):
    """½ Σ F (w − w⁰)² over the weights that are trained, F of the source data.

    Args:
        weight: of the sum, in nats per target token; F is of an utterance.
    """

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__(weight=weight)
        self._fisher: dict[str, Tensor] = {}

    def begin(self, recognizer: nn.Module, base: Path) -> None:
        """See the contract.

        Raises:
            LasasrError: the bundle has no Fisher information, or that of other weights.
        """
        super().begin(recognizer, base)
        held = read(base)
        for name, parameter, _ in self._weights:
            fisher = held.get(plain_name(name))
            if fisher is None or fisher.shape != parameter.shape:
                raise LasasrError(f"{base / FILE} says nothing of {name}: lasasr fisher {base.parent} makes it anew")
            self._fisher[name] = fisher

    def importance(self, name: str, squared: Tensor) -> Tensor:
        """F of the weight."""
        if self._fisher[name].device != squared.device:
            self._fisher[name] = self._fisher[name].to(squared.device)
        return self._fisher[name] * squared


def read(base: Path) -> dict[str, Tensor]:
    """The Fisher information beside the weights of a bundle.

    Raises:
        LasasrError: there is none, it is damaged, or of other weights.
    """
    path = base / FILE
    if not path.is_file():
        raise LasasrError(f"adapt=ewc needs {path}, which is not there: lasasr fisher RUN estimates it on its own data")
    tensors = bundle.load_tensors(path)
    with safe_open(path, "pt") as opened:
        sha256 = (opened.metadata() or {}).get(OF_WEIGHTS)
    if sha256 != delta.base_at(base).sha256:
        raise LasasrError(f"{path} is of other weights than those beside it: lasasr fisher RUN makes it anew")
    for name, value in tensors.items():
        if not bool((torch.isfinite(value) & (value >= 0)).all()):
            raise LasasrError(f"{path}: {name} holds what is no Fisher information: lasasr fisher RUN makes it anew")
    return tensors
