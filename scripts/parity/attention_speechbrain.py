"""Every recurrent attention class of SpeechBrain's, beside what is to compute the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from parity import attending
from parity.attending import ENCODED_DIM, QUERY_DIM
from parity.check import Check, NotReproduced
from parity.matched import Parameters, difference

PEER = "SpeechBrain"
WIDTH = 1024
# SpeechBrain takes the root of the width in float32: exact for an even power of two
KEY_WIDTH = 256


def checks() -> list[Check | NotReproduced]:
    """Context, weights and gradients over five steps, three utterances with padding."""
    bias = "its bias on the context is added to our context; the next layer can absorb such a bias"
    return [
        Check(
            "`ContentBasedAttention` = `attend=additive`, values projected",
            PEER,
            partial(_preset, "ContentBasedAttention", (WIDTH, ENCODED_DIM), "additive", _content, "mlp_out.bias"),
            bias,
        ),
        Check(
            "`LocationAwareAttention` = `attend=location_speechbrain`",
            PEER,
            partial(
                _preset,
                "LocationAwareAttention",
                (WIDTH, ENCODED_DIM, 10, 100),
                "location_speechbrain",
                location,
                "mlp_out.bias",
            ),
            bias,
        ),
        Check(
            "`KeyValueAttention` = `attend=scaled_dot`, values projected",
            PEER,
            partial(_preset, "KeyValueAttention", (KEY_WIDTH, ENCODED_DIM), "scaled_dot", _dot, "value_linear.bias"),
            bias,
        ),
    ]


def _preset(
    theirs: str, sizes: tuple[int, ...], ours: str, mapping: Callable[[Parameters], Parameters], bias: str
) -> float:
    from speechbrain.nnet import attention

    module: nn.Module = getattr(attention, theirs)(ENCODED_DIM, QUERY_DIM, *sizes)
    preset = attending.preset(ours, dim=sizes[0], values="projected")

    def biased(parameters: Parameters) -> Parameters:
        mapped = {f"attention.{name}": tensor for name, tensor in mapping(parameters).items()}
        return mapped | {"bias": parameters[bias]}

    return difference(_Biased(preset), module, biased, _attend, attend, attending.inputs())


class _Biased(nn.Module):
    """An attention, and a bias on its contexts."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention, self.bias = attention, nn.Parameter(torch.zeros(ENCODED_DIM))


def _attend(module: Any, *inputs: Tensor) -> list[Tensor]:
    contexts, weights = attending.attend(module.attention, *inputs)
    return [contexts + module.bias, weights]


def attend(attention: Any, encoded: Tensor, lengths: Tensor, queries: Tensor) -> list[Tensor]:
    """Contexts and weights, as `attending.attend`."""
    attention.reset()
    with in_double(attention):
        steps = [attention(encoded, lengths, query) for query in queries]
    weights = [step[1] if step[1].dim() == 3 else step[1][:, None] for step in steps]
    return [torch.stack([step[0] for step in steps]), torch.stack(weights)]


@contextmanager
def in_double(attention: Any) -> Iterator[None]:
    """SpeechBrain makes the first weights in float32, whatever the module's precision; here they follow it."""
    if not hasattr(attention, "conv_loc"):
        yield
        return
    hook = attention.conv_loc.register_forward_pre_hook(lambda layer, inputs: inputs[0].to(layer.weight))
    try:
        yield
    finally:
        hook.remove()


def _content(theirs: Parameters) -> Parameters:
    return {
        "energy.key.weight": theirs["mlp_enc.weight"],
        "energy.key.bias": theirs["mlp_enc.bias"] + theirs["mlp_dec.bias"],
        "energy.query.weight": theirs["mlp_dec.weight"],
        "energy.vector": theirs["mlp_attn.weight"],
        "values.project.weight": theirs["mlp_out.weight"],
    }


def location(theirs: Parameters) -> Parameters:
    mapped = _content(theirs)
    mapped["energy.key.bias"] = mapped["energy.key.bias"] + theirs["mlp_loc.bias"]
    return mapped | {
        "energy.feature": theirs["mlp_loc.weight"].t()[None],
        "location.weight.0": theirs["conv_loc.weight"],
    }


def _dot(theirs: Parameters) -> Parameters:
    return {
        "energy.key.weight": theirs["key_linear.weight"],
        "energy.query.weight": theirs["query_linear.weight"],
        "energy.query.bias": theirs["query_linear.bias"],
        "values.project.weight": theirs["value_linear.weight"],
    }
