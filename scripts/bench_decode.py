"""How long joint decoding takes: seconds per utterance, real-time factor, memory and the share of each scorer.

    python scripts/bench_decode.py --threads 1 --batches 1 8

A random model of the usual sizes decodes random utterances; every hypothesis is made exactly `--tokens` long, so the
work is the same whatever the weights. The encoder is not part of it.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any
from unittest.mock import patch

import torch

from lasasr.attend.location import LocationAttention
from lasasr.search.acoustics import Acoustics
from lasasr.search.beam import BeamSearch
from lasasr.search.ctc_prefix import CTCPrefixScorer
from lasasr.search.limits import Limits
from lasasr.search.pruning import Pruning
from lasasr.search.scorer import DecoderScorer
from lasasr.spell.recurrent import RecurrentDecoder

FRAME_S = 0.08  # of an encoded frame: 150 are 12 s


def model(vocabulary_size: int, dim: int, encoded_dim: int, attention_dim: int, device: str) -> RecurrentDecoder:
    """A random LSTM decoder with location attention (Chorowski et al. 2015: 10 filters of 201 frames)."""
    torch.manual_seed(0)
    attend = partial(LocationAttention, dim=attention_dim, filters=10, kernel_size=201)
    made = RecurrentDecoder(
        attend=attend,
        encoded_dim=encoded_dim,
        vocabulary_size=vocabulary_size,
        hidden_dim=dim,
        embedding_dim=dim,
    )
    return made.to(device).eval()


def utterances(batch: int, frames: int, vocabulary_size: int, encoded_dim: int, device: str) -> Acoustics:
    """Random ones, all of the same length."""
    torch.manual_seed(1)
    encoded = torch.randn(batch, frames, encoded_dim, device=device)
    log_probs = (3.0 * torch.randn(batch, frames, vocabulary_size, device=device)).log_softmax(-1)
    return Acoustics(encoded, torch.ones(batch, frames, dtype=torch.bool, device=device), log_probs)


def timed(spent: dict[str, float], owner: type, method: str, name: str, device: str) -> Any:
    """A patch that adds the seconds `owner.method` takes to spent[name]."""
    inner: Callable[..., Any] = getattr(owner, method)

    def call(*args: Any) -> Any:
        start = now(device)
        result = inner(*args)
        spent[name] += now(device) - start
        return result

    return patch.object(owner, method, call)


def now(device: str) -> float:
    """Seconds, after all that is queued on the device."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(search: BeamSearch, decoder: RecurrentDecoder, heard: Acoustics, repeats: int, device: str) -> float:
    """Median seconds of a call."""
    search(decoder, heard)
    took = []
    for _ in range(repeats):
        start = now(device)
        search(decoder, heard)
        took.append(now(device) - start)
    return statistics.median(took)


def shares(search: BeamSearch, decoder: RecurrentDecoder, heard: Acoustics, device: str) -> str:
    """Who spends the time of one call, in percent."""
    spent: defaultdict[str, float] = defaultdict(float)
    with ExitStack() as patches:
        for owner, name in ((DecoderScorer, "decoder"), (CTCPrefixScorer, "ctc")):
            for method in ("start", "score", "reorder"):
                patches.enter_context(timed(spent, owner, method, name, device))
        start = now(device)
        search(decoder, heard)
        total = now(device) - start
    spent["beam"] = total - sum(spent.values())
    return ", ".join(f"{name} {100 * seconds / total:.0f} %" for name, seconds in spent.items())


def main() -> None:
    """Measure and print one line per batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("frames", 150), ("tokens", 60), ("vocabulary", 1000), ("beam", 10), ("decoder-dim", 512)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--encoded-dim", type=int, default=512)
    parser.add_argument("--attention-dim", type=int, default=128)
    parser.add_argument("--ctc-weight", type=float, default=0.3)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    limits = Limits(min_length=args.tokens, max_length=args.tokens, max_ratio=1e6)
    search = BeamSearch(
        beam=args.beam,
        ctc_weight=args.ctc_weight,
        limits=limits,
        pruning=Pruning(end_margin=float("inf")),
        keep_weights=False,
    )
    decoder = model(args.vocabulary, args.decoder_dim, args.encoded_dim, args.attention_dim, args.device)
    for batch in args.batches:
        heard = utterances(batch, args.frames, args.vocabulary, args.encoded_dim, args.device)
        seconds = measure(search, decoder, heard, args.repeats, args.device) / batch
        print(
            f"batch {batch}: {seconds:.3f} s per utterance, real-time factor {seconds / (args.frames * FRAME_S):.4f}, "
            f"peak memory {peak_mb(args.device):.0f} MB; {shares(search, decoder, heard, args.device)}"
        )


def peak_mb(device: str) -> float:
    """Of the process (CPU) or of PyTorch's tensors (CUDA) so far."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
