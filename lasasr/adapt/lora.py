"""`adapt=lora`: low-rank updates of weight matrices (Hu et al. 2022, LoRA, §4.1).

The matrix W (O, N) is computed as W + (α / r) · B A, with A (r, N) and B (O, r) trained and W frozen. It is a
parametrisation (`torch.nn.utils.parametrize`) of whatever module holds W: of the stacked gate matrices of an LSTM, of a
decoder's cell, of a linear layer inside a transformer of another library. So there is one form of factors, of files and
of merging for all encoders. peft would wrap modules, which LSTMs and cells of one's own do not allow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

from torch import Tensor, nn
from torch.nn.utils import parametrize

from lasasr.adapt.base import WeightMethod
from lasasr.adapt.names import chosen, named_parameters, short_name
from lasasr.errors import UsageError
from lasasr.nn import frozen
from lasasr.nn.initial_weights import drawn_by


class LowRank(nn.Module):
    """A weight (O, ...) → weight + (α / r) · B A, which has the weight's shape.

    Args:
        weight: that is adapted; its dimensions after the first are taken for one, of size N.
        rank: r.
        alpha: α.
        dropout: probability, in training, with which each of the N inputs is left out of the update. It is drawn once
            per use of the matrix, for all frames alike: the factors are applied to the weight, not to the inputs.
    """

    def __init__(self, weight: Tensor, rank: int, alpha: float, dropout: float) -> None:
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        self.scale, self.shape = alpha / rank, weight.shape
        self.a = nn.Parameter(weight.new_empty(rank, columns))
        self.b = nn.Parameter(weight.new_zeros(rows, rank))
        self.dropout = nn.Dropout(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """B is 0, so that the weight begins as it was; A uniform as the weights of a linear layer."""
        bound = 1.0 / math.sqrt(self.a.shape[1])
        nn.init.uniform_(self.a, -bound, bound)
        nn.init.zeros_(self.b)

    def forward(self, weight: Tensor) -> Tensor:
        """The adapted weight."""
        factor = self.a
        if self.training and self.dropout.p > 0.0:
            factor = factor * self.dropout(factor.new_ones(1, factor.shape[1]))
        return weight + (self.scale * (self.b @ factor)).view(self.shape)


class _Place(NamedTuple):
    module: nn.Module
    attribute: str
    name: str  # short


class Lora(WeightMethod):
    """Low-rank factors beside frozen matrices.

    Args:
        rank: r ≥ 1.
        alpha: α > 0: the update is scaled by α / r.
        dropout: of inputs of the update, in training (`LowRank`).
        matrices: parts or patterns whose weights of two dimensions or more get factors. Embeddings and matrices for
            which the factors would be no smaller than they are get some only where a pattern is their very name.
        also: parts or patterns that are trained as they are beside the factors, as `*.bias`.

    Raises:
        ValueError: an option is out of its range.
    """

    adds: ClassVar[bool] = True
    folds: ClassVar[bool] = True

    def __init__(
        self,
        *,
        rank: int = 4,
        alpha: float = 8.0,
        dropout: float = 0.0,
        matrices: Sequence[str] = ("*",),
        also: Sequence[str] = (),
    ) -> None:
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        if not 0.0 < alpha < math.inf:
            raise ValueError(f"alpha must be above 0, got {alpha}")
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        if not matrices:
            raise ValueError("matrices is empty, so there is nothing to adapt")
        self.rank, self.alpha, self.dropout = rank, alpha, dropout
        self.matrices, self.also = matrices, also

    def add(self, recognizer: nn.Module, seed: int) -> None:
        """See the contract."""
        for place in self._places(recognizer):
            weight = getattr(place.module, place.attribute)
            if min(weight.shape[0], weight[0].numel()) < self.rank:
                raise UsageError(
                    f"adapt.lora.rank={self.rank} is more than {place.name} {tuple(weight.shape)} can have: lower it, "
                    "or leave that matrix out"
                )
            with drawn_by(seed, f"lora.{place.name}"):
                low_rank = LowRank(weight.detach(), self.rank, self.alpha, self.dropout)
            low_rank.train(place.module.training)
            parametrize.register_parametrization(place.module, place.attribute, low_rank)

    def choose(self, recognizer: nn.Module) -> None:
        """See the contract."""
        self._refuse_frozen(recognizer)
        parameters = named_parameters(recognizer)
        also = [parameters[name] for name in chosen(self.also, parameters, "adapt.lora.also")]
        frozen.freeze(parameters.values())
        for part in recognizer.modules():
            if isinstance(part, LowRank):
                part.requires_grad_(True)
        for parameter in also:
            parameter.requires_grad_(True)

    def _refuse_frozen(self, recognizer: nn.Module) -> None:
        """Refuse factors on what a frozen stage of the encoder holds, whose outputs may be kept."""
        parameters = named_parameters(recognizer)
        for name in (place.name for place in self._adapted(recognizer)):
            if not parameters[name].requires_grad:
                raise UsageError(
                    f"adapt.lora.matrices means {name}, which listen.freeze keeps as it is: add listen.freeze=none "
                    "(and listen.thaw_after=null), or name other parts"
                )

    def _places(self, recognizer: nn.Module) -> Iterator[_Place]:
        """What the patterns mean, without what is left out.

        Raises:
            UsageError: a pattern means no matrix, or tied weights.
        """
        matrices = {place.name: place for place in _matrices(recognizer)}
        shared = _shared(recognizer)
        places = []
        for name in chosen(self.matrices, matrices, "adapt.lora.matrices", "matrices"):
            place = matrices[name]
            if name in self.matrices or self._is_worth_it(place):
                if id(getattr(place.module, place.attribute)) in shared:
                    raise UsageError(f"adapt.lora.matrices means {name}, which is tied to another weight: leave it out")
                places.append(place)
        if not places:
            raise UsageError(
                f"adapt.lora.matrices=[{','.join(self.matrices)}] means no matrix that factors of rank {self.rank} are "
                "smaller than: lower adapt.lora.rank, or write the full name of one"
            )
        return iter(places)

    def _is_worth_it(self, place: _Place) -> bool:
        weight = getattr(place.module, place.attribute)
        rows, columns = weight.shape[0], weight[0].numel()
        smaller = self.rank * (rows + columns) < rows * columns
        return smaller and self.rank <= min(rows, columns) and not isinstance(place.module, nn.Embedding)

    @staticmethod
    def _adapted(recognizer: nn.Module) -> Iterator[_Place]:
        for name, part in recognizer.named_modules():
            if parametrize.is_parametrized(part):
                for attribute, steps in part.parametrizations.items():
                    if any(isinstance(step, LowRank) for step in steps):
                        yield _Place(part, attribute, short_name(f"{name}.{attribute}"))


def fold(recognizer: nn.Module) -> None:
    """Compute every adapted weight once and keep it in the place of its factors; nothing else changes."""
    for place in list(Lora._adapted(recognizer)):
        parametrize.remove_parametrizations(place.module, place.attribute, leave_parametrized=True)


def _matrices(recognizer: nn.Module) -> Iterator[_Place]:
    """The weights of two dimensions or more."""
    for name, part in recognizer.named_modules():
        for attribute, parameter in part.named_parameters(recurse=False):
            if parameter.dim() >= 2 and parameter.is_floating_point():
                yield _Place(part, attribute, short_name(f"{name}.{attribute}" if name else attribute))


def _shared(recognizer: nn.Module) -> set[int]:
    """The ids of parameters that stand at more than one place."""
    seen: set[int] = set()
    shared: set[int] = set()
    for part in recognizer.modules():
        for parameter in part._parameters.values():
            if parameter is not None:
                (shared if id(parameter) in seen else seen).add(id(parameter))
    return shared
