"""The pyramidal BLSTM of Listen, Attend and Spell (Chan et al. 2015, §3.1)."""

from __future__ import annotations

from torch import Tensor, nn

from lasasr.listen.base import Encoded, Encoder
from lasasr.listen.bilstm import BiLSTM, Lstm
from lasasr.listen.dropout import SequenceDropout
from lasasr.listen.stacking import stack_frames
from lasasr.nn import lengths as length
from lasasr.nn.sizes import check_depth, check_widths


class PyramidEncoder(Encoder):
    """BLSTM layers, each reading the concatenation of successive outputs of the layer below (equation 5).

    `subsampling_factor` alone fixes the frame rate, whatever `layers` is: it is `stack` times a power of two. The
    halvings stand as low as they can, one below each layer from the second on (the paper's: one BLSTM, then three
    that halve); those for which there are not enough layers join the stacking at the input. An odd last frame is
    completed with a frame of zeros, so T' = ⌈T / subsampling_factor⌉.

    Args:
        input_dim: F.
        hidden_dim: cells per direction and layer.
        layers: BLSTM layers, >= 1.
        subsampling_factor: T / T', rounded up.
        stack: input frames concatenated before the first layer (Sak et al. 2015): most of the work is in the lowest
            layers, and 2 nearly halves it.
        projection_dim: see `BiLSTM`.
        dropout: probability, after every layer but the last.
        lstm: see `BiLSTM`.

    Raises:
        ValueError: `layers` or `stack` is below 1, or `subsampling_factor` is not `stack` times a power of two.
    """

    def __init__(
        self,
        input_dim: int,
        hidden_dim: int,
        layers: int = 4,
        subsampling_factor: int = 8,
        stack: int = 1,
        projection_dim: int = 0,
        dropout: float = 0.0,
        lstm: Lstm = "auto",
    ) -> None:
        super().__init__()
        self.joined = _joined(layers, subsampling_factor, stack)
        self.layers = nn.ModuleList()
        width = input_dim
        for joined in self.joined:
            layer = BiLSTM(joined * width, hidden_dim, projection_dim, lstm)
            self.layers.append(layer)
            width = layer.output_dim
        self.dropout = SequenceDropout(dropout)
        self.input_dim, self.output_dim, self.subsampling_factor = input_dim, width, subsampling_factor

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """⌈lengths / subsampling_factor⌉."""
        return length.ceil_div(lengths, self.subsampling_factor)

    def forward(self, features: Tensor, lengths: Tensor) -> Encoded:
        """Features (B, T, F) and lengths (B,) → encoded (B, ⌈T / subsampling_factor⌉, E)."""
        frames = features.masked_fill(~length.mask(lengths, features.shape[1])[..., None], 0.0)
        for index, (joined, layer) in enumerate(zip(self.joined, self.layers, strict=True)):
            frames = stack_frames(self.dropout(frames) if index else frames, joined)
            lengths = length.ceil_div(lengths, joined)
            frames = layer(frames, lengths)
        return Encoded(frames, lengths)


def _joined(layers: int, subsampling_factor: int, stack: int) -> list[int]:
    """Frames concatenated before each layer; their product is `subsampling_factor`."""
    if layers < 1 or stack < 1:
        raise ValueError(f"layers and stack must be >= 1, got {layers} and {stack}")
    check_depth(layers=layers)
    check_widths(subsampling_factor=subsampling_factor, stack=stack)
    halvings = (subsampling_factor // stack).bit_length() - 1
    if subsampling_factor < stack or stack << halvings != subsampling_factor:
        raise ValueError(f"subsampling_factor must be stack ({stack}) times a power of two, got {subsampling_factor}")
    above = min(halvings, layers - 1)
    return [stack << (halvings - above), *[2] * above, *[1] * (layers - 1 - above)]
