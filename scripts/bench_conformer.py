"""A Conformer's forward and backward pass, beside its bare products; used by `bench.py`.

The sizes are those of ESPnet's recipe for LibriSpeech 100 h (`bench_peers_conformer.py`), or of the shipped yaml with
`--small`. The floor are the products of all linear layers and the strided convolutions over the padded batch, each on
an input of its own: no attention, no norm, no dropout.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from bench_measure import Case, Work
from bench_models import FEATURES, PRECISIONS, Bench
from torch import Tensor, nn

from lasasr.listen.conformer import ConformerEncoder

Linears = list[tuple[nn.Module, Tensor]]


def encoder(small: bool, recompute: bool) -> ConformerEncoder:
    """A random one of these sizes."""
    if small:
        return ConformerEncoder(
            FEATURES, hidden_dim=144, layers=4, feedforward_dim=576, kernel_size=15, channels=32, recompute=recompute
        )
    return ConformerEncoder(
        FEATURES, hidden_dim=256, layers=12, feedforward_dim=1024, kernel_size=31, channels=256, recompute=recompute
    )


def conformer(small: bool, bench: Bench) -> Iterator[list[Case]]:
    """Cases of equal and of variable lengths in both precisions, and with layers that are run again."""
    torch.manual_seed(0)
    plain, again = (encoder(small, recompute).to(bench.device).train() for recompute in (False, True))
    for lengths in ("equal", "variable"):
        features, frames, _, _ = bench.batch(lengths)
        cases = []
        for precision in PRECISIONS:
            floor = f"{lengths}: floor {precision}"
            cases.append(Case(floor, _floor(bench, plain, features, precision), floor))
            for label, listen in (("conformer", plain), ("recompute", again)):
                work = partial(bench.encode, listen, features, frames, precision, 1)
                cases.append(Case(f"{lengths}: {label} {precision}", work, floor, wide=True))
        yield cases


def _floor(bench: Bench, listen: ConformerEncoder, features: Tensor, precision: str) -> Work:
    batch, frames = len(features), -(-features.shape[1] // listen.subsampling_factor)
    layers: Linears = []
    for name, module in listen.named_modules():
        if isinstance(module, nn.Linear) and not name.endswith("project_distance"):  # which has 2T' rows in all
            inputs = torch.randn(batch, frames, module.in_features, device=bench.device, requires_grad=True)
            layers.append((module, inputs))
    images = features[:, None]
    for convolution in (module for module in listen.modules() if isinstance(module, nn.Conv2d)):
        layers.append((convolution, images))
        with torch.no_grad():
            images = torch.randn_like(convolution(images))
        images.requires_grad_()

    def work() -> None:
        for module, inputs in layers:
            with bench.mixed(precision):
                result = module(inputs)
            result.backward(torch.ones_like(result))

    return work
