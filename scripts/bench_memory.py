"""How much memory updates of the large model take, resident, each case in a process of its own.

    python scripts/bench_memory.py --seconds 12 30 --utterances 4 8 16 [--layers kept recomputed] \
        [--listen blstm conformer] [--vocabulary 1000] [--heads whole pieces] [--tokens 60]

The model and its batch are those of `bench.py` (15 million parameters, all utterances equally long; with `--listen
conformer` the Conformer of its section `conformer` below the same decoder), with Adam's state: the second update has
all that training holds. Freed memory is kept, as `lasasr train` keeps it. "MB" is the most that was resident,
interpreter and libraries included; "training" is what the updates added to it; "tensors" is the most that the tensors
of one pass, forward and backward, hold beside the model's, by the allocator's own books; "loss" shows that the cases
compute the same. One thread, so that what is kept does not depend on how two threads fall.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import resource
import sys
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

import bench_conformer
import bench_decode
import torch
from bench_measure import cores
from bench_models import LARGE, Bench

from lasasr.losses.joint import JointLoss
from lasasr.nn import pieces
from lasasr.training.machine import keep_freed_memory
from lasasr.training.step import RecognizerStep


@dataclass(frozen=True)
class Work:
    """One case."""

    seconds: float
    utterances: int
    listen: str  # "blstm", "conformer"
    layers: str  # "kept", "recomputed"
    vocabulary: int
    heads: str  # "whole": logits as a whole, "pieces"
    tokens: int
    updates: int


def resident_mb() -> float:
    """The most so far, of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def measured(work: Work, answer: Connection) -> None:
    """Make the updates; send (MB, MB of training, MB of tensors, CPU s of the last update, loss)."""
    torch.set_num_threads(1)
    keep_freed_memory()
    pieces.LARGE = 1 if work.heads == "pieces" else sys.maxsize  # type: ignore[misc]
    frames = round(100 * work.seconds) - 2
    recompute = work.layers == "recomputed"
    shape = replace(LARGE, batch=work.utterances, frames=frames, tokens=work.tokens, vocabulary=work.vocabulary)
    if work.listen == "conformer":
        shape = replace(shape, listen=lambda input_dim, lstm: bench_conformer.encoder(small=False, recompute=recompute))
    bench = Bench(shape, torch.device("cpu"))
    model = bench.model("location", "recomputed" if recompute else "auto").train()
    features, lengths, tokens, token_lengths = bench.batch("equal")
    recognizer: Any = SimpleNamespace(model=model, encode_with_intermediate=model.encode_with_intermediate)
    batch: Any = SimpleNamespace(tokens=tokens, token_lengths=token_lengths, ids=())
    loss = JointLoss(ctc_weight=0.3, label_smoothing=0.1, prior="even")
    optimizer = torch.optim.Adam(model.parameters())
    before, used = resident_mb(), 0.0

    def differentiated() -> float:
        terms = loss.terms(RecognizerStep(recognizer, batch, features, lengths, 0))
        mean = terms.total / terms.divisor
        mean.backward()  # type: ignore[no-untyped-call]
        return float(mean.detach())

    losses: list[float] = []
    with cores(1):
        for _ in range(work.updates):
            start = time.process_time()
            differentiated()
            optimizer.step()
            optimizer.zero_grad()
            used = time.process_time() - start
        resident = resident_mb()
        tensors = bench_decode.peak_mb(lambda: losses.append(differentiated()), "cpu")
    answer.send((resident, resident - before, tensors, used, losses[0]))


def main() -> None:
    """Measure, print a line per case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="+", default=[12.0, 30.0])
    parser.add_argument("--utterances", type=int, nargs="+", default=[16])
    parser.add_argument("--listen", nargs="+", choices=("blstm", "conformer"), default=["blstm"])
    parser.add_argument("--layers", nargs="+", choices=("kept", "recomputed"), default=["kept", "recomputed"])
    parser.add_argument("--vocabulary", type=int, nargs="+", default=[1000])
    parser.add_argument("--heads", nargs="+", choices=("whole", "pieces"), default=["whole"])
    parser.add_argument("--tokens", type=int, help="of an utterance (default: five a second)")
    parser.add_argument(
        "--updates", type=int, default=2, help="before the pass whose tensors are counted; 0: only that"
    )
    arguments = parser.parse_args()
    heading = [
        "utterances",
        "listen",
        "layers",
        "tokens",
        "heads",
        "MB",
        "training",
        "tensors",
        "CPU s of an update",
        "loss",
    ]
    print(f"| {' | '.join(heading)} |\n{'|---' * len(heading)}|")
    encoders = arguments.listen, arguments.layers
    sizes = arguments.seconds, arguments.utterances, *encoders, arguments.vocabulary, arguments.heads
    for seconds, utterances, listen, layers, vocabulary, heads in itertools.product(*sizes):
        tokens = arguments.tokens or round(5 * seconds)
        work = Work(seconds, utterances, listen, layers, vocabulary, heads, tokens, arguments.updates)
        ours, theirs = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("spawn").Process(target=measured, args=(work, theirs))
        child.start()
        theirs.close()
        try:
            *megabytes, used, loss = ours.recv()
        except EOFError:
            sys.exit(f"the process of {work} ended without an answer: is there enough memory?")
        child.join()
        name = f"{utterances} x {seconds:g} s, {tokens} tokens"
        costs = [*(f"{mb:.0f}" for mb in megabytes), f"{used:.1f}", f"{loss:.5f}"]
        cells = [name, listen, layers, f"{vocabulary:,}", heads, *costs]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
