"""The position-wise half of a self-attentive layer."""

from __future__ import annotations

from torch import Tensor, nn

from lasasr.listen.dropout import ByteDropout


class FeedForward(nn.Module):
    """Two linear layers on each frame, an activation and dropout between them (Vaswani et al. 2017, §3.3).

    Args:
        dim: D.
        inner_dim: width between the two.
        dropout: probability, of the inner values.
        activation: a module, as `nn.ReLU()`.
    """

    def __init__(self, dim: int, inner_dim: int, dropout: float, activation: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Linear(dim, inner_dim)
        self.activation = activation
        self.dropout = ByteDropout(dropout)
        self.outer = nn.Linear(inner_dim, dim)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, D) → (B, T, D)."""
        changed: Tensor = self.outer(self.dropout(self.activation(self.inner(frames))))
        return changed
