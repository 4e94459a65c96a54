"""Each variant against an independent NumPy statement of its formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from attend_formulas import HARD, REFERENCES, context
from attend_variants import PRESETS, VARIANTS, config, factory, variant

LENGTHS = (7, 4, 1)
STEPS, HYPOTHESES, ENCODED_DIM, QUERY_DIM = 4, 2, 8, 5
WIDTHS = {"dim": 8, "value_dim": 3, "recurrent_dim": 6}
SMALL = WIDTHS | {"filters": 3, "kernel_size": 5, "noise": 0.0, "hard": 0.0, "chunk": 3}


def small(name: str, **options: Any) -> dict[str, Any]:
    """The yaml's options with its sizes made small, then `options`."""
    return {key: SMALL.get(key, value) for key, value in config(name).items()} | options


def agree(name: str, training: bool = True, **options: Any) -> None:
    """Weights and contexts of module and reference, step by step, utterance by utterance."""
    options = small(name, **options)
    torch.manual_seed(1)
    attention = factory(name, **options)(encoded_dim=ENCODED_DIM, query_dim=QUERY_DIM).double().train(training)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
        if not training:  # stop at about half of the frames
            attention.stop.gain.fill_(3.0)
            attention.stop.offset.fill_(0.0)
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    encoded = torch.randn(len(LENGTHS), max(LENGTHS), ENCODED_DIM).double()
    queries = torch.randn(STEPS, len(LENGTHS), HYPOTHESES, QUERY_DIM).double()
    memory = attention.memory(encoded, mask)
    state = attention.initial(memory, HYPOTHESES)
    steps = []
    for query in queries:
        steps.append(attention(query, memory, state))
        state = steps[-1].state

    p = {key: value.numpy() for key, value in attention.state_dict().items()}
    reference = (REFERENCES if training else HARD)[variant(name)]
    total = 0.0
    for b, length in enumerate(LENGTHS):
        h = encoded[b, :length].numpy()
        for k in range(HYPOTHESES):
            for u, weights in enumerate(reference(p, h, queries[:, b, k].numpy(), options)):
                ours = steps[u].weights[b, k].detach().numpy()
                np.testing.assert_allclose(ours[:, :length], weights, atol=1e-9)
                np.testing.assert_allclose(steps[u].context[b, k].detach().numpy(), context(p, h, weights), atol=1e-9)
                total += float(weights.sum())
    assert total > STEPS  # weights that are all 0 would agree, too


@pytest.mark.parametrize("name", VARIANTS + PRESETS)
def test_weights_and_contexts_follow_the_formula(name: str) -> None:
    agree(name)


@pytest.mark.parametrize("decision", ["median", "threshold"])
@pytest.mark.parametrize("name", sorted(HARD))
def test_hard_decisions_follow_the_sequential_definition(name: str, decision: str) -> None:
    agree(name, training=False, decision=decision)


SOFT = [name for name in VARIANTS if "scale" in config(name)]


@pytest.mark.parametrize(
    "options",
    [{"scale": 0.3}, {"weights": "smoothing", "scale": 1.5}, {"top_k": 2}, {"values": "projected"}],
    ids=lambda options: "-".join(options),
)
@pytest.mark.parametrize("name", SOFT)
def test_shared_options_follow_their_formula(name: str, options: dict[str, Any]) -> None:
    if name.startswith("forward") and "top_k" in options:
        options = options | {"floor": 1e-6}
    agree(name, **options)


@pytest.mark.parametrize("alpha_0", ["uniform", "first", "zeros"])
@pytest.mark.parametrize("name", [name for name in VARIANTS if "alpha_0" in config(name)])
def test_every_start_follows_its_formula(name: str, alpha_0: str) -> None:
    agree(name, alpha_0=alpha_0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dot", {"tanh": True}),
        ("dot", {"tanh": True, "key_bias": True, "heads": 2}),
        ("multihead_dot", {"values": "raw", "tanh": True}),
        ("multihead_additive", {"value_dim": 5}),
        ("location", {"half_window": 1, "alpha_0": "first"}),
        ("location", {"kernel_size": 15}),
        ("multihead_multires_location", {"kernel_size": 17, "filters": 2}),
        ("coverage", {"heads": 2}),
        ("coverage_location", {"heads": 2}),
        ("fertility", {"heads": 2}),
        ("forward", {"floor": 0.0}),
        ("forward_ta", {"floor": 0.0}),
        ("forward", {"floor": 0.2}),
        ("windowed", {"half_window": 1}),
        ("windowed", {"half_window": 2, "energy": "additive"}),
        ("mocha", {"chunk": 1}),
        ("mocha", {"chunk": 20}),
    ],
    ids=str,
)
def test_own_options_follow_their_formula(name: str, options: dict[str, Any]) -> None:
    agree(name, **options)


def test_every_shipped_variant_has_a_formula() -> None:
    assert set(REFERENCES) == set(VARIANTS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_of_the_class_of_its_variant(name: str) -> None:
    assert config(name)["_target_"] == config(variant(name))["_target_"]
    assert config(name) != config(variant(name))
