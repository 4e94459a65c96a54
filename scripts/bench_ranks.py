"""Training on two ranks of one core each beside one rank of two: processor time, memory, and what the exchange costs.

    python scripts/bench_ranks.py [--small] [--rounds 3]

One process makes updates of the whole batch, with two threads (the halves of a batch and the directions of a layer).
Then two processes, joined by gloo under DistributedDataParallel, make updates of half of it each. In those, updates
that exchange their gradients and updates that do not (`no_sync`) run in turn, for each way in which gradients may be
kept: the difference of their processor time, all threads of the process counted, is what the exchange costs. Time
that passes is given too; on a machine that does other things it says little, because a rank waits for the other.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import statistics
import sys
import time

import torch
import torch.multiprocessing as multiprocessing
from bench_models import LARGE, PRECISIONS, SMALL, Bench
from torch import Tensor, nn
from torch.distributed import destroy_process_group, init_process_group
from torch.nn.parallel import DistributedDataParallel

from lasasr.models.network import Model
from lasasr.training.machine import keep_freed_memory

PORT = 29541
WAYS = {  # of keeping gradients
    "buckets": {"gradient_as_bucket_view": True},  # as trainer=ddp does
    "beside": {},
    "static": {"gradient_as_bucket_view": True, "static_graph": True},
}


class Step(nn.Module):
    """The loss of a batch, as the module that is distributed."""

    def __init__(self, bench: Bench, model: Model, precision: str) -> None:
        super().__init__()
        self.bench, self.model, self.precision = bench, model, precision

    def forward(self, *batch: Tensor) -> Tensor:
        return self.bench.loss(self.model, batch, self.precision)


def update(step: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, ...]) -> tuple[float, float]:
    """(seconds that passed, processor seconds) of one."""
    start, cpu = time.perf_counter(), time.process_time()
    optimizer.zero_grad()
    step(*batch).backward()
    optimizer.step()
    return time.perf_counter() - start, time.process_time() - cpu


def middle(spent: list[tuple[float, float]]) -> tuple[float, float]:
    """Medians of both."""
    passed, used = zip(*spent, strict=True)
    return statistics.median(passed), statistics.median(used)


def peak_mb() -> float:
    """The most that was resident of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


Trained = tuple[Step, torch.optim.Optimizer, tuple[Tensor, ...]]


def trained(arguments: argparse.Namespace, rows: slice) -> Trained:
    """A model of the chosen size, its optimizer, and its rows of the batch."""
    keep_freed_memory()
    torch.set_num_threads(1)
    bench = Bench(SMALL if arguments.small else LARGE, torch.device("cpu"))
    step = Step(bench, bench.model("location"), arguments.precision)
    batch = tuple(tensor[rows] for tensor in bench.batch("variable"))
    return step, torch.optim.Adam(step.parameters()), batch


def alone(_: int, arguments: argparse.Namespace) -> None:
    """One rank, whose model uses two cores where it has them."""
    step, optimizer, batch = trained(arguments, slice(None))
    update(step, optimizer, batch)
    spent = [update(step, optimizer, batch) for _ in range(arguments.rounds)]
    show("one rank, two threads", len(batch[0]), *middle(spent))


def together(rank: int, arguments: argparse.Namespace, way: str) -> None:
    """One of two ranks."""
    init_process_group("gloo", init_method=f"tcp://127.0.0.1:{PORT}", rank=rank, world_size=2)
    step, optimizer, batch = trained(arguments, slice(rank, None, 2))
    distributed = DistributedDataParallel(step, **WAYS[way])
    update(distributed, optimizer, batch)
    spent: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for _ in range(arguments.rounds):
        for exchanging, times in spent.items():
            with contextlib.nullcontext() if exchanging else distributed.no_sync():
                times.append(update(distributed, optimizer, batch))
    passed, used = middle(spent[True])
    if rank == 0:
        share = 100 * (1 - middle(spent[False])[1] / used)
        show(f"two ranks, {way}", 2 * len(batch[0]), passed, 2 * used, f", exchange {share:.1f} %")
    destroy_process_group()


def show(name: str, utterances: int, passed: float, used: float, more: str = "") -> None:
    """A line."""
    rates = f"{utterances / used:6.2f} utterances per processor second, {utterances / passed:6.2f} per second"
    print(f"{name:42} {rates}; {peak_mb():.0f} MB a rank{more}", flush=True)


def main() -> None:
    """Each case in processes of its own, so that its memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="the shapes of the recipe synthetic/las_char")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY", help="of two ranks")
    arguments = parser.parse_args()
    multiprocessing.spawn(alone, (arguments,), 1)
    for way in arguments.ways:
        multiprocessing.spawn(together, (arguments, way), 2)


if __name__ == "__main__":
    main()
