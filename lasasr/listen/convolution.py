"""The convolution module of the Conformer, which never looks at padding or at other utterances."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ConvolutionModule(nn.Module):
    """A gated linear layer, a depthwise convolution over time, Swish, a linear layer (Gulati et al. 2020, §2.2).

    Where the paper has batch normalisation stands layer normalisation over the channels of each frame: statistics of a
    batch would depend on padding and on the other utterances.

    Args:
        dim: D.
        kernel_size: frames that the convolution sees, odd.

    Raises:
        ValueError: `kernel_size` is even or below 1.
    """

    def __init__(self, dim: int, kernel_size: int) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd and >= 1, got {kernel_size}")
        self.gated = nn.Linear(dim, 2 * dim)
        self.depthwise = nn.Conv1d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.outer = nn.Linear(dim, dim)

    def forward(self, frames: Tensor, real: Tensor) -> Tensor:
        """Frames (B, T, D), whose padding may hold anything finite → (B, T, D); real: (B, T) bool."""
        gated = functional.glu(self.gated(frames), -1).masked_fill(~real[..., None], 0.0)
        convolved = self.depthwise(gated.transpose(1, 2)).transpose(1, 2)
        changed: Tensor = self.outer(functional.silu(self.norm(convolved)))
        return changed
