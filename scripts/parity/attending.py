"""What is attended to in the comparisons, and how lasasr's presets attend to it."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

# Frames of each utterance: longer and shorter than the filters. Powers of two, because ESPnet and SpeechBrain compute
# the uniform weights 1 / T in float32.
LENGTHS = (512, 128, 16)
STEPS, ENCODED_DIM, QUERY_DIM = 5, 8, 6


def inputs(lengths: tuple[int, ...] = LENGTHS) -> tuple[Tensor, Tensor, Tensor]:
    """Encoded (B, T, E), with noise on the padding; lengths (B,); queries (U, B, Q)."""
    encoded = torch.randn(len(lengths), max(lengths), ENCODED_DIM, dtype=torch.double, requires_grad=True)
    queries = torch.randn(STEPS, len(lengths), QUERY_DIM, dtype=torch.double, requires_grad=True)
    return encoded, torch.tensor(lengths), queries


@cache
def _options(name: str) -> dict[str, Any]:
    with initialize_config_module("lasasr.configs", version_base="1.3"):
        composed = compose(overrides=[f"+attend={name}"])
    options: Any = OmegaConf.to_container(composed.attend, resolve=True)
    return options


def preset(name: str, **changes: Any) -> nn.Module:
    """`attend=name` as it is shipped, but for `changes`."""
    attention: nn.Module = instantiate(_options(name) | changes)(encoded_dim=ENCODED_DIM, query_dim=QUERY_DIM)
    return attention


def attend(attention: Any, encoded: Tensor, lengths: Tensor, queries: Tensor) -> list[Tensor]:
    """Contexts (U, B, C) and weights (U, B, H, T) of one hypothesis per utterance."""
    mask = torch.arange(encoded.shape[1]) < lengths[:, None]
    memory = attention.memory(encoded, mask)
    state, contexts, weights = attention.initial(memory, 1), [], []
    for query in queries:
        attended = attention(query[:, None], memory, state)
        state = attended.state
        contexts.append(attended.context[:, 0])
        weights.append(attended.weights[:, 0])
    return [torch.stack(contexts), torch.stack(weights)]
