"""Every attention class of ESPnet's, beside the preset that is to compute the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from parity import attending
from parity.attending import ENCODED_DIM, QUERY_DIM
from parity.check import Check, NotReproduced
from parity.matched import Parameters, difference

PEER = "ESPnet"
WIDTH, HEADS, FILTERS, HALF_WIDTH, HISTORY = 320, 4, 10, 100, 5  # ESPnet's defaults
ZEROS = partial(torch.zeros, dtype=torch.double)


def checks() -> list[Check | NotReproduced]:
    """Context, weights and gradients over five steps, three utterances with padding."""
    same = [
        ("NoAtt", "none", (), _nothing, ""),
        ("AttDot", "dot_espnet", (WIDTH,), _dot, ""),
        ("AttAdd", "additive_espnet", (WIDTH,), _additive, ""),
        ("AttLoc", "location_espnet", (WIDTH, FILTERS, HALF_WIDTH), location, ""),
        ("AttLoc2D", "location_2d_espnet", (WIDTH, HISTORY, FILTERS, HALF_WIDTH), location, ""),
        ("AttCov", "coverage_espnet", (WIDTH,), _coverage, ""),
        ("AttCovLoc", "coverage_location_espnet", (WIDTH, FILTERS, HALF_WIDTH), location, ""),
        ("AttMultiHeadDot", "multihead_dot_espnet", (HEADS, WIDTH, WIDTH), _heads, ""),
        ("AttMultiHeadAdd", "multihead_additive_espnet", (HEADS, WIDTH, WIDTH), _heads, "scale 1/√320"),
        (
            "AttMultiHeadLoc",
            "multihead_location_espnet",
            (HEADS, WIDTH, WIDTH, FILTERS, HALF_WIDTH),
            _heads,
            "scale 2, not 1/√320 as ESPnet's other multi-head classes",
        ),
        (
            "AttMultiHeadMultiResLoc",
            "multihead_multires_location_espnet",
            (HEADS, WIDTH, WIDTH, FILTERS, HALF_WIDTH),
            _heads,
            "scale 1/√320",
        ),
    ]
    return [
        *(
            Check(f"`{theirs}` = `attend={ours}`", PEER, partial(_preset, theirs, sizes, ours, mapping), note)
            for theirs, ours, sizes, mapping, note in same
        ),
        *_in_part(),
        NotReproduced(
            "`GDCAttLoc`",
            PEER,
            "for singing synthesis: it reads transition tokens of its encoder; no encoder of lasasr writes them",
        ),
    ]


def _in_part() -> list[Check | NotReproduced]:
    """Classes whose definition no option reproduces, where both definitions agree."""
    convolution = WIDTH, FILTERS, HALF_WIDTH
    return [
        NotReproduced(
            "`AttLocRec`",
            PEER,
            "its LSTM pools over padding, so a longer batch changes the result, and its term is the same for all "
            "frames; `location_recurrent` pools over real frames only and has a term for each frame",
        ),
        Check(
            "`AttLocRec` = `attend=location_recurrent`, no padding, no term per frame",
            PEER,
            partial(_recurrent, convolution),
            "W_f = 0, W_r = 1, no biases in the LSTM",
        ),
        NotReproduced(
            "`AttForward`",
            PEER,
            "it clamps after the product with the weights from the energies, also on padding, which then gets weight; "
            "`forward` clamps before the product, so the energies decide where a path may jump to",
        ),
        Check(
            "`AttForward` = `attend=forward`, where nothing is clamped",
            PEER,
            partial(_forward, "AttForward", convolution, "forward", location),
            "no padding, begun from uniform weights",
        ),
        NotReproduced(
            "`AttForwardTA`",
            PEER,
            "it clamps as `AttForward` does; its agent gives the probability to stay and reads the previous output; "
            "ours gives the probability to move",
        ),
        Check(
            "`AttForwardTA` = `attend=forward_ta`, where nothing is clamped",
            PEER,
            partial(_forward, "AttForwardTA", (*convolution, 1), "forward_ta", _agent),
            "no padding, begun from uniform weights; the agent's weights negated, the output before all 0",
        ),
    ]


def _module(name: str, sizes: tuple[int, ...]) -> nn.Module:
    from espnet.nets.pytorch_backend.rnn import attentions

    attention: nn.Module = getattr(attentions, name)(*((ENCODED_DIM, QUERY_DIM, *sizes) if sizes else ()))
    return attention


def _preset(theirs: str, sizes: tuple[int, ...], ours: str, mapping: Callable[[Parameters], Parameters]) -> float:
    return difference(
        attending.preset(ours), _module(theirs, sizes), mapping, attending.attend, attend, attending.inputs()
    )


def attend(attention: Any, encoded: Tensor, lengths: Tensor, queries: Tensor, previous: Any = None) -> list[Tensor]:
    """Contexts and weights, as `attending.attend`."""
    attention.reset()
    contexts, weights = [], []
    with in_double():
        for query in queries:
            context, previous = attention(encoded, lengths.tolist(), query, previous)
            contexts.append(context)
            weights.append(_last_weights(type(attention).__name__, previous))
    return [torch.stack(contexts), torch.stack(weights)]


@contextmanager
def in_double() -> Iterator[None]:
    """ESPnet makes the first weights in float32, whatever the module's precision; here they follow it."""
    from espnet.nets.pytorch_backend.rnn import attentions

    def to_device(of: Tensor, moved: Tensor) -> Tensor:
        return moved.to(of) if moved.is_floating_point() else moved

    with patch.object(attentions, "to_device", to_device):
        yield


def _last_weights(name: str, previous: Any) -> Tensor:
    """(B, H, T) of what a class returns to itself."""
    if name.startswith("AttMultiHead"):
        return torch.stack(previous, 1)
    if name == "AttLoc2D":
        return previous[:, -1:]
    weights = previous[-1] if name in ("AttCov", "AttCovLoc") else previous[0] if name == "AttLocRec" else previous
    return weights[:, None].double()  # of `NoAtt` they are float32


def _nothing(theirs: Parameters) -> Parameters:
    return {}


def _dot(theirs: Parameters) -> Parameters:
    names = {"key": "mlp_enc", "query": "mlp_dec"}
    return {f"energy.{ours}.{kind}": theirs[f"{name}.{kind}"] for ours, name in names.items() for kind in KINDS}


KINDS = ("weight", "bias")


def _additive(theirs: Parameters) -> Parameters:
    return {
        "energy.key.weight": theirs["mlp_enc.weight"],
        "energy.key.bias": theirs["mlp_enc.bias"],
        "energy.query.weight": theirs["mlp_dec.weight"],
        "energy.vector": theirs["gvec.weight"],
    }


def location(theirs: Parameters) -> Parameters:
    return _additive(theirs) | {
        "energy.feature": theirs["mlp_att.weight"].t()[None],
        "location.weight.0": theirs["loc_conv.weight"][:, 0],
    }


def _coverage(theirs: Parameters) -> Parameters:
    both = theirs["mlp_enc.bias"] + theirs["wvec.bias"]
    return _additive(theirs) | {"energy.feature": theirs["wvec.weight"].t()[None], "energy.key.bias": both}


def _heads(theirs: Parameters) -> Parameters:
    """Of the multi-head classes: each has a list of layers, one per head."""

    def side_by_side(name: str) -> Tensor:
        return torch.cat([theirs[f"{name.format(head)}"] for head in range(HEADS)])

    mapped = {
        "energy.key.weight": side_by_side("mlp_k.{}.weight"),
        "energy.query.weight": side_by_side("mlp_q.{}.weight"),
        "values.project.weight": side_by_side("mlp_v.{}.weight"),
        "values.join.weight": theirs["mlp_o.weight"],
    }
    if "gvec.0.weight" not in theirs:
        return mapped | {"energy.query.bias": side_by_side("mlp_q.{}.bias")}
    mapped |= {"energy.key.bias": side_by_side("mlp_q.{}.bias"), "energy.vector": side_by_side("gvec.{}.weight")}
    if "loc_conv.0.weight" in theirs:
        features = [theirs[f"mlp_att.{head}.weight"].t() for head in range(HEADS)]
        mapped["energy.feature"] = torch.stack(features)
        for head in range(HEADS):
            mapped[f"location.weight.{head}"] = theirs[f"loc_conv.{head}.weight"][:, 0, 0, None]
    return mapped


def _agent(theirs: Parameters) -> Parameters:
    """Context, output, query → the chance to stay; ours: context, query → the chance to move."""
    weight = torch.cat([theirs["mlp_ta.weight"][:, :ENCODED_DIM], theirs["mlp_ta.weight"][:, -QUERY_DIM:]], 1)
    return location(theirs) | {"agent.weight": -weight, "agent.bias": -theirs["mlp_ta.bias"]}


def _recurrent(sizes: tuple[int, ...]) -> float:
    def mapping(theirs: Parameters) -> Parameters:
        query = torch.cat([theirs["mlp_dec.weight"], torch.eye(WIDTH, dtype=torch.double)], 1)
        return _additive(theirs) | {
            "energy.query.weight": query,
            "energy.feature": ZEROS(1, FILTERS, WIDTH),
            "location.weight.0": theirs["loc_conv.weight"][:, 0],
            "recurrent.weight_ih": theirs["att_lstm.weight_ih"],
            "recurrent.weight_hh": theirs["att_lstm.weight_hh"],
            "recurrent.bias_ih": ZEROS(4 * WIDTH),
            "recurrent.bias_hh": ZEROS(4 * WIDTH),
        }

    ours = attending.preset("location_recurrent", dim=WIDTH, recurrent_dim=WIDTH, scale=2.0)
    unpadded = attending.inputs((64, 64))
    return difference(ours, _module("AttLocRec", sizes), mapping, attending.attend, attend, unpadded)


def _forward(theirs: str, sizes: tuple[int, ...], ours: str, mapping: Callable[[Parameters], Parameters]) -> float:
    def spread(attention: Any, encoded: Tensor, lengths: Tensor, queries: Tensor) -> list[Tensor]:
        """Begun from uniform weights, so that no product falls below the clamp."""
        start = torch.full(encoded.shape[:2], 1.0 / encoded.shape[1], dtype=torch.double)
        step = partial(attention, out_prev=ZEROS(len(encoded), 1)) if theirs == "AttForwardTA" else attention
        attention.reset()
        contexts, weights = [], []
        for query in queries:
            context, start = step(encoded, lengths.tolist(), query, start)
            contexts.append(context)
            weights.append(start[:, None])
        return [torch.stack(contexts), torch.stack(weights)]

    preset = attending.preset(ours, dim=WIDTH, alpha_0="uniform")
    return difference(preset, _module(theirs, sizes), mapping, attending.attend, spread, attending.inputs((8, 8)))
