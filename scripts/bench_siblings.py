"""Whether a beam search would gain from computing once what sibling hypotheses share, or from another cumulative sum.

    python scripts/bench_siblings.py

Hypotheses of one parent have its hidden value, context and attention weights: the loop's product of the gates and the
location features could be computed once per parent and taken from there. About 30 % of the rows of a beam of 10 are
such siblings. The recursion of CTC is a `logcumsumexp` over frames; a scan in blocks or by doubling does more
arithmetic, in vector instructions. Cases run in turn, one thread; medians, and the median of the ratios.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.nn import shared_steps
from lasasr.nn.shared_layers import SharedLinear

ROUNDS: Final = 60
FRAMES, FILTERS, FED, GATES = 150, 10, 1152, 2048
BEAMS: Final = ((10, 7), (80, 56))  # hypotheses of a batch, and their parents
BLOCK: Final = 16  # frames


def race(title: str, works: Mapping[str, Callable[[], object]]) -> None:
    """Time them in turn; ratios to the first."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(ROUNDS):
        for name in random.sample(list(works), len(works)):
            start = time.process_time()
            works[name]()
            spent[name].append(time.process_time() - start)
    first = next(iter(spent.values()))
    for name, seconds in spent.items():
        ratio = statistics.median(ours / theirs for ours, theirs in zip(seconds, first, strict=True))
        print(f"{title:44} {name:24} {1e3 * statistics.median(seconds):8.3f} ms {ratio:6.2f} x", flush=True)


def of_parents(work: Callable[[Tensor], Tensor], values: Tensor, parents: Tensor) -> Tensor:
    """`work` of one of the values (N, ...) of each parent, for all."""
    first, inverse = torch.unique(parents, return_inverse=True)
    return work(values.index_select(0, first)).index_select(0, inverse)


def siblings() -> None:
    """The products of a step that parents share."""
    layer, band = SharedLinear(FED, GATES).eval(), torch.randn(FRAMES, FILTERS * FRAMES)
    for rows, count in BEAMS:
        parents = torch.cat([torch.arange(count), torch.randint(count, (rows - count,))])
        fed, weights = torch.randn(count, FED)[parents], torch.rand(count, FRAMES)[parents]
        for title, work, values in (
            ("gates", layer, fed),
            ("location features", partial(torch.mm, mat2=band), weights),
        ):
            torch.testing.assert_close(of_parents(work, values, parents), work(values), rtol=1e-3, atol=1e-3)
            works = {
                "every hypothesis": partial(work, values),
                "once per parent": partial(of_parents, work, values, parents),
            }
            race(f"{title}, {rows} hypotheses of {count}", works)


def doubling(values: Tensor) -> Tensor:
    """logcumsumexp by log2(T) passes (Hillis & Steele 1986)."""
    sums, step = values.clone(), 1
    while step < sums.shape[-1]:
        sums[..., step:] = torch.logaddexp(sums[..., step:], sums[..., :-step])
        step *= 2
    return sums


def blocks(values: Tensor) -> Tensor:
    """logcumsumexp within blocks, and that of the blocks; what is 700 nats below its block's largest is lost."""
    frames = values.shape[-1]
    padded = functional.pad(values, (0, -frames % BLOCK), value=-1e300).unflatten(-1, (-1, BLOCK))  # type: ignore[no-untyped-call]
    highest = padded.amax(-1, keepdim=True)
    within = (padded - highest).exp_().cumsum(-1).log_().add_(highest)
    before = functional.pad(within[..., -1].logcumsumexp(-1), (1, 0), value=-torch.inf)[..., :-1, None]
    return torch.logaddexp(within, before).flatten(-2)[..., :frames]


def sums() -> None:
    """The recursion of CTC."""
    for shape in ((1, 10, FRAMES), (8, 10, FRAMES), (8, 10, 4 * FRAMES)):
        values = 20 * torch.randn(*shape, dtype=torch.float64).cumsum(-1)
        for other in (doubling, blocks):
            torch.testing.assert_close(other(values), values.logcumsumexp(-1))
        race(
            f"logcumsumexp {shape}",
            {
                "torch's": partial(values.logcumsumexp, -1),
                "doubling": partial(doubling, values),
                "blocks": partial(blocks, values),
            },
        )


def main() -> None:
    """Both."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with torch.inference_mode(), shared_steps.loop():
        siblings()
        sums()


if __name__ == "__main__":
    main()
