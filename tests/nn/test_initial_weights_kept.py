"""A seed begins every shipped model with the weights that the first version with it gave it, so that runs are pairs.

`python tests/nn/test_initial_weights_kept.py` adds what is not in the file yet; it was first run on the code of 0.1.0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from shipped_parts import names, part
from tiny_recognizer import parts
from torch import nn

from lasasr.models import factory

FILE = Path(__file__).parent.parent / "initial_weights.json"
F, V = 12, 9
CHOSEN = {"listen": "pyramid", "attend": "location", "spell": "lstm"}
OWN = {"listen": ("encoder", "ctc"), "attend": "decoder.attention", "spell": "decoder", "lm": ""}
SEEDS = (1, 2)


def _models() -> Iterator[str]:
    for group in CHOSEN:
        yield from (f"{group}={name}" for name in names(group))
    yield from (f"lm={name}" for name in names("lm"))


def _built(model: str, seed: int) -> nn.Module:
    group, _, name = model.partition("=")
    if group == "lm":
        return factory.language_model(part("lm", name), seed, V)
    chosen = {kind: part(kind, choice) for kind, choice in (CHOSEN | {group: name}).items()}
    return factory.model(parts(0.3, seed, **chosen), F, V)


def _marks(model: str, seed: int) -> dict[str, float]:
    """One number per parameter of the part that is chosen, in which each value counts with another factor."""
    marks = {}
    own = OWN[model.partition("=")[0]]
    for name, parameter in _built(model, seed).named_parameters():
        if not name.startswith(own):
            continue
        factors = torch.arange(1.0, parameter.numel() + 1, dtype=torch.double).cos()
        marks[name] = round(float(parameter.detach().double().flatten() @ factors), 5)
    return marks


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("model", list(_models()))
def test_a_seed_begins_a_model_as_in_the_first_version(model: str, seed: int) -> None:
    expected = json.loads(FILE.read_text())[f"{model} seed={seed}"]
    assert _marks(model, seed) == pytest.approx(expected, abs=1e-4)


if __name__ == "__main__":
    written = json.loads(FILE.read_text())
    new = [(model, seed) for model in _models() for seed in SEEDS if f"{model} seed={seed}" not in written]
    written |= {f"{model} seed={seed}": _marks(model, seed) for model, seed in new}
    FILE.write_text(json.dumps(written, indent=1, sort_keys=True) + "\n")
