"""The contract of *Listen*: features in, encoded frames out, exact lengths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from lasasr.errors import UsageError


class Encoded(NamedTuple):
    """The result of an encoder."""

    encoded: Tensor  # (B, T', E), exactly 0 on padding
    lengths: Tensor  # (B,) int64, 1 <= lengths <= T'


class Encoder(nn.Module, ABC):
    """Features (B, T, F) → encoded (B, T', E).

    Promises, each a test over every yaml in `configs/listen/`:
    * the result for an utterance is the same alone and in any batch (padding may hold anything);
    * `output_lengths(lengths)` equals the frames produced, for every length ≥ 1, and is ≥ 1;
    * encoded is exactly 0 on padding; T' is the largest output length of the batch's T.
    Constructors take `input_dim` as keyword (the build supplies it) and the rest from the yaml. Initial weights are
    drawn after construction, by each part's `reset_parameters()`, but for parts that say they are `pretrained`.
    """

    input_dim: int  # F
    output_dim: int  # E
    subsampling_factor: int  # T / T', rounded up
    self_attentive: bool = False  # True: all frames see each other and are read in no order, so maps may mislead
    pretrained: bool = False  # True: it brings its weights, and they are left alone (so for any module in it)
    longest: int | None = None  # T that it can encode; None: any
    unit: int = 1  # features that stand for one frame of some 10 ms: samples, where a waveform is encoded

    @classmethod
    def resolved(cls, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """The part of the configuration with what it reads from elsewhere written into it, as a bundle carries it."""
        return part

    @classmethod
    def required_frontend(cls, part: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The front end that an encoder of this resolved part needs, as a part of a configuration; None: any."""
        return None

    @classmethod
    def bytes_elsewhere(cls, part: Mapping[str, Any]) -> int:
        """Bytes of weights that an encoder of this part reads when it is built from a bundle that leaves them out."""
        return 0

    @classmethod
    def keeps_frozen(cls, part: Mapping[str, Any]) -> bool:
        """Whether an encoder of this part has a first stage that stays frozen (see `StagedEncoder`)."""
        return False

    def stored(self, part: Mapping[str, Any], bundle: str) -> Mapping[str, Any]:
        """The part, which now says what bundles hold of weights that came from elsewhere, as its `bundle` does.

        Raises:
            UsageError: no weights came from elsewhere, or they cannot be left out.
        """
        raise UsageError("this encoder has no weights that came from elsewhere (listen=pretrained has)")

    @property
    def intermediate(self) -> Sequence[nn.Module]:
        """Layers whose outputs (B, T', E) a loss with intermediate CTC reads too; padding may hold anything finite."""
        return ()

    @abstractmethod
    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Encoded frames (B,) for `lengths` (B,) input frames."""

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Encoded:
        """Encode.

        Args:
            features: (B, T, F).
            lengths: (B,) int64, 1 <= lengths <= T.
        """


class StagedEncoder(Encoder):
    """An encoder in two stages, of which the first one is frozen.

    `forward` is `learnt` of `fixed`. What the first stage gives of an utterance is the same in every epoch, so that it
    can be kept; SpecAugment masks it in place of the features.
    """

    keeps: bool  # whether there is a first stage that stays frozen
    fixed_dim: int  # N
    learning_rate: float | None  # of what arrived with weights; None: that of the rest
    thaw_after: int | None  # updates after which `thaw` is called; None: never

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Plain values that differ where what `fixed` gives of the same features differs: its weights and options."""

    @abstractmethod
    def fixed(self, features: Tensor, lengths: Tensor) -> Encoded:
        """What the first stage gives (B, T', N), 0 on padding; arguments as of `forward`."""

    @abstractmethod
    def learnt(self, fixed: Encoded) -> Encoded:
        """The rest, from what `fixed` gave."""

    @abstractmethod
    def fixed_lengths(self, lengths: Tensor) -> Tensor:
        """T' (B,) of `fixed`, of `lengths` (B,) input frames."""

    @abstractmethod
    def brought(self) -> Iterable[nn.Parameter]:
        """The parameters that arrived with weights and are trained, now or after `thaw`."""

    @abstractmethod
    def thaw(self) -> None:
        """Let what `brought` lists be trained from now on."""
