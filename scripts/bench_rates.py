"""What the times of a training step mean: seconds of audio per second, share of the rate of plain matrix products."""

from __future__ import annotations

import time
from collections.abc import Iterable

import torch
from bench_measure import Row, synchronize
from bench_models import FEATURES, PRECISIONS, Bench
from torch.utils.flop_counter import FlopCounterMode

FRAME_S = 0.01


def rates(bench: Bench, rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    """Of the rows of the section "training", by the names of their cases."""
    best = {name: matrix_rate(bench.device, dtype) for name, dtype in PRECISIONS.items()}
    measured = {f"products, {name}": {"flop_per_s": rate} for name, rate in best.items()}
    decoder = decoder_flop(bench)
    for row in rows:
        lengths, precision = row.case.split(":")[0], next(name for name in PRECISIONS if name in row.case)
        if "floor" in row.case:
            continue
        seconds, frames = row.median_ms / 1e3, bench.batch(lengths)[1].sum().item()
        flop = encoder_flop(bench, frames) + decoder
        audio = {"audio_s_per_s": frames * FRAME_S / seconds, "flop": flop}
        measured[row.case] = audio | {"share_of_products": flop / seconds / best[precision]}
    return measured


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP per second of the product of two square matrices, the best of five."""
    size = 8192 if device.type == "cuda" else 1024
    matrix = torch.randn(size, size, device=device, dtype=dtype)
    spent = []
    for _ in range(6):
        synchronize(device)
        start = time.perf_counter()
        matrix @ matrix
        synchronize(device)
        spent.append(time.perf_counter() - start)
    return 2 * size**3 / min(spent)


def encoder_flop(bench: Bench, frames: int) -> float:
    """Of the LSTMs and projections over real frames: forward, and twice as much backward."""
    listen = bench.shape.listen(input_dim=FEATURES)
    strides, joined = getattr(listen, "strides", None), getattr(listen, "joined", None)
    total, remaining = 0.0, float(frames)
    for index, layer in enumerate(listen.layers):  # type: ignore[arg-type]
        remaining /= joined[index] if joined else 1
        weights = sum(weight.numel() for weight in layer.parameters() if weight.dim() == 2)
        total += 3 * 2 * remaining * weights
        remaining /= strides[index] if strides else 1
    return total


def decoder_flop(bench: Bench) -> float:
    """Of the floor of the decoder with location attention, all U steps, both ways."""
    work = bench.bare_decoder("location", "float32")
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def table(measured: dict[str, dict[str, float]]) -> str:
    """As text."""
    lines = []
    for name, values in measured.items():
        if "flop_per_s" in values:
            lines.append(f"{name:52} {values['flop_per_s'] / 1e12:9.2f} TFLOP/s")
        else:
            share = 100 * values["share_of_products"]
            lines.append(f"{name:52} {values['audio_s_per_s']:9.0f} audio-s/s {share:6.1f} % of the rate of products")
    return "\n".join(lines)
