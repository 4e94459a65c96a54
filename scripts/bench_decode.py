"""How long joint decoding takes: seconds per utterance, real-time factor, memory and the share of each scorer.

    python scripts/bench_decode.py                     # 12 s utterances, batches of 1, 8 and 16, one thread
    python scripts/bench_decode.py --memory            # what a wider beam costs over 2,000 frames

A random model of the usual sizes decodes random utterances; every hypothesis is made exactly `--tokens` long, so the
work is the same whatever the weights. The encoder is not part of it. The floor is what no search can leave out, timed
in turn with it in the same process: per token the matrix products of the decoder, the energies and the context of
every hypothesis, and of CTC one product and two cumulative sums. As in `lasasr evaluate`, what is made of parameters
alone is made once for all batches. Trust the ratio before the seconds, and the CPU seconds before those of the clock,
on a machine that does other things too.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from bench_measure import add_json, device_here, write
from peak_bytes import peak_bytes
from torch.nn import functional

from lasasr.attend.location import LocationAttention
from lasasr.nn import shared_steps, tree
from lasasr.search.acoustics import Acoustics
from lasasr.search.beam import BeamSearch
from lasasr.search.ctc_prefix import CTCPrefixScorer
from lasasr.search.limits import MOST_RATIO, Limits
from lasasr.search.pruning import Pruning
from lasasr.search.scorer import DecoderScorer
from lasasr.spell.recurrent import RecurrentDecoder

FRAME_S = 0.08  # of an encoded frame: 150 are 12 s
LONG = 2000  # frames, for --memory
WORKSPACE_MB = 64  # stated: what a search may need beside its states


def model(args: argparse.Namespace) -> RecurrentDecoder:
    """A random LSTM decoder with location attention (Chorowski et al. 2015: 10 filters of 201 frames)."""
    torch.manual_seed(0)
    decoder = RecurrentDecoder(
        attend=partial(LocationAttention, dim=args.attention_dim, filters=10, kernel_size=201),
        encoded_dim=args.encoded_dim,
        vocabulary_size=args.vocabulary,
        hidden_dim=args.decoder_dim,
        embedding_dim=args.decoder_dim,
    )
    return decoder.to(args.device).eval()


def utterances(batch: int, frames: int, args: argparse.Namespace) -> Acoustics:
    """Random ones, all of the same length."""
    torch.manual_seed(1)
    encoded = torch.randn(batch, frames, args.encoded_dim, device=args.device)
    log_probs = (3.0 * torch.randn(batch, frames, args.vocabulary, device=args.device)).log_softmax(-1)
    return Acoustics(encoded, torch.ones(batch, frames, dtype=torch.bool, device=args.device), log_probs)


def searching(beam: int, tokens: int, ctc_weight: float) -> BeamSearch:
    """A search that makes every hypothesis exactly `tokens` long."""
    limits = Limits(min_length=tokens, max_length=tokens, max_ratio=MOST_RATIO)  # max_length is what counts
    pruning = Pruning(end_margin=float("inf"))
    return BeamSearch(beam=beam, ctc_weight=ctc_weight, limits=limits, pruning=pruning, keep_weights=False)


# -- time -------------------------------------------------------------------------------------------------------------


class Spent(NamedTuple):
    """One call."""

    seconds: float
    cpu_seconds: float


def clock(work: Callable[[], object], device: str) -> Spent:
    """Do it once, to the end of what is queued on the device."""
    start, cpu = now(device), time.process_time()
    work()
    return Spent(now(device) - start, time.process_time() - cpu)


def now(device: str) -> float:
    """Seconds, after all that is queued on the device."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def floor(decoder: RecurrentDecoder, acoustics: Acoustics, args: argparse.Namespace) -> Callable[[], None]:
    """The products, energies and sums of a search over `heard`, without the search; nothing is reordered or ranked."""
    B, T, E = acoustics.encoded.shape
    D, A, K, N = args.decoder_dim, args.attention_dim, args.beam, args.beam * B
    make = partial(torch.randn, device=args.device)
    share, fed, readout = make(N, 4 * D), make(N, E + D), make(N, D + E)
    weights, buffer = make(B, K, T).softmax(-1), make(K, T, A)
    keys, query, vector = make(T, A), make(K, 1, A), make(A)
    probabilities, sums = make(B, args.vocabulary, T), make(B, K, T).double()
    cell: Any = decoder.cells[0]

    @torch.inference_mode()
    def work() -> None:
        for _ in range(args.tokens + 1):
            torch.addmm(share, fed, cell.weight_loop.t())
            functional.linear(readout, decoder.output.weight)
            for _ in range(B):
                torch.add(keys, query, out=buffer).sigmoid_().view(-1, A).mv(vector)
            torch.bmm(weights, acoustics.encoded)
            if args.ctc_weight:
                weights @ probabilities.transpose(1, 2)
                sums.logcumsumexp(-1)
                sums.logcumsumexp(-1)

    return work


def shares(search: BeamSearch, decoder: RecurrentDecoder, acoustics: Acoustics, device: str) -> dict[str, float]:
    """Who spends the time of one call, in percent."""
    spent: defaultdict[str, float] = defaultdict(float)
    with ExitStack() as patches:
        for owner, name in ((DecoderScorer, "decoder"), (CTCPrefixScorer, "ctc")):
            for method in ("start", "score", "reorder"):
                patches.enter_context(_timed(spent, owner, method, name, device))
        total = clock(lambda: search(decoder, acoustics), device).seconds
    spent["beam"] = total - sum(spent.values())
    return {name: 100 * seconds / total for name, seconds in spent.items()}


def _timed(spent: dict[str, float], owner: type, method: str, name: str, device: str) -> Any:
    """A patch that adds the seconds `owner.method` takes to spent[name]."""
    inner: Callable[..., Any] = getattr(owner, method)

    def call(*args: Any) -> Any:
        start = now(device)
        result = inner(*args)
        spent[name] += now(device) - start
        return result

    return patch.object(owner, method, call)


@shared_steps.loop()
def measure(batch: int, decoder: RecurrentDecoder, args: argparse.Namespace) -> dict[str, Any]:
    """Search and floor in turn; medians."""
    acoustics, search = utterances(batch, args.frames, args), searching(args.beam, args.tokens, args.ctc_weight)
    works = {"search": lambda: search(decoder, acoustics), "floor": floor(decoder, acoustics, args)}
    for work in works.values():
        work()
    rounds = [{name: clock(work, args.device) for name, work in works.items()} for _ in range(args.repeats)]
    middle = statistics.median
    seconds = middle(times["search"].seconds for times in rounds) / batch
    return {
        "batch": batch,
        "seconds_per_utterance": seconds,
        "cpu_seconds_per_utterance": middle(times["search"].cpu_seconds for times in rounds) / batch,
        "floor_seconds": middle(times["floor"].seconds for times in rounds) / batch,
        "times_floor": middle(times["search"].cpu_seconds / times["floor"].cpu_seconds for times in rounds),
        "rtf": seconds / (args.frames * FRAME_S),
        "peak_mb": peak_mb(works["search"], args.device),
        "shares": shares(search, decoder, acoustics, args.device),
    }


def line(row: dict[str, Any]) -> str:
    """A row for the terminal."""
    parts = ", ".join(f"{name} {share:.0f} %" for name, share in row["shares"].items())
    return (
        f"batch {row['batch']:2}: {row['seconds_per_utterance']:.3f} s per utterance "
        f"({row['cpu_seconds_per_utterance']:.3f} CPU s), {row['times_floor']:.2f} x floor "
        f"({row['floor_seconds']:.3f} s), real-time factor {row['rtf']:.4f}, tensors {row['peak_mb']:.0f} MB; {parts}"
    )


# -- memory -----------------------------------------------------------------------------------------------------------


def peak_mb(work: Callable[[], object], device: str) -> float:
    """The most memory that tensors made by `work` hold at one time, from the allocator's own books, MB (2^20 bytes)."""
    gc.collect()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    return peak_bytes(work) / 2**20


@torch.no_grad()
def state_mb(decoder: RecurrentDecoder, acoustics: Acoustics) -> float:
    """Of the state leaves with a time axis that one hypothesis of each utterance owns, MB."""
    T = acoustics.encoded.shape[1]
    states = [scorer.start(acoustics, 1)[1] for scorer in (DecoderScorer(decoder), CTCPrefixScorer())]
    leaves = [leaf for state in states for leaf in tree.leaves(state) if leaf.shape[-1] in (T, T + 1)]
    return sum(leaf.nbytes for leaf in leaves) / 2**20


def memory(batch: int, decoder: RecurrentDecoder, args: argparse.Namespace) -> dict[str, Any]:
    """What a beam of 40 takes more than one of 10, over LONG frames, with four tokens."""
    acoustics = utterances(batch, LONG, args)
    peaks = {
        beam: peak_mb(partial(searching(beam, 4, args.ctc_weight), decoder, acoustics), args.device)
        for beam in (10, 40)
    }
    states = 30 * state_mb(decoder, acoustics)
    more = peaks[40] - peaks[10]
    allowed = 1.5 * states + WORKSPACE_MB
    print(
        f"batch {batch:2}, {LONG} frames: beam 10 {peaks[10]:.1f} MB, beam 40 {peaks[40]:.1f} MB, more {more:.1f} MB; "
        f"states (B, K, T) of 30 hypotheses {states:.1f} MB, allowed 1.5 x that + {WORKSPACE_MB} = {allowed:.1f} MB"
    )
    return {"batch": batch, "peak_mb": peaks, "more_mb": more, "states_mb": states, "allowed_mb": allowed}


def arguments() -> argparse.ArgumentParser:
    """What may be asked for, and the sizes that are timed otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("frames", 150), ("tokens", 60), ("vocabulary", 1000), ("beam", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("decoder-dim", 512), ("encoded-dim", 640), ("attention-dim", 320)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--ctc-weight", type=float, default=0.3)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 16])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", type=device_here, default="cpu")
    parser.add_argument("--memory", action="store_true", help="the memory of beams 40 and 10 instead of the time")
    add_json(parser)
    return parser


def main() -> None:
    """Measure and print one line per batch size."""
    args = arguments().parse_args()
    torch.set_num_threads(args.threads)
    decoder = model(args)
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(args).items()}
    rows: list[dict[str, Any]] = []
    for batch in args.batches:
        rows.append(memory(batch, decoder, args) if args.memory else measure(batch, decoder, args))
        if not args.memory:
            print(line(rows[-1]), flush=True)
        write(args.json, {"torch": torch.__version__, **settings, "rows": rows}, len(rows) == len(args.batches))


if __name__ == "__main__":
    main()
