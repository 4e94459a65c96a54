"""Times parts of lasasr beside their floor, interleaved, in one process.

    python scripts/bench.py [SECTION ...] [--rounds N] [--threads N] [--device cpu|cuda] [--json FILE] [--profile]

A section is a function that yields cases of the same work. Each round runs every case once, in a new order, so that
whatever else the machine does falls on all alike. The table gives medians with quartiles, and for every case the
median over rounds of its time divided by its floor's in the same round: trust the ratios before the times.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from lasasr import lengths as length
from lasasr.audio.fbank import Fbank
from lasasr.audio.frontend import Frontend
from lasasr.listen import concurrent
from lasasr.listen.base import Encoder
from lasasr.listen.bilstm import BiLSTM
from lasasr.listen.blstm import BLSTMEncoder
from lasasr.listen.pyramid import PyramidEncoder

Work = Callable[[], object]
Bare = tuple[list[nn.LSTM], nn.Module, Tensor]  # both directions, projection, input


@dataclass
class Case:
    """One piece of work, and the name of the case it is compared with."""

    name: str
    work: Work
    floor: str
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """What the table and the JSON say about a case."""

    section: str
    case: str
    rounds: int
    median_ms: float
    quartiles_ms: tuple[float, float]
    cpu_ms: float  # of all threads; on a machine that does other things too it says more than the time that passed
    floor: str
    ratio: float
    ratio_quartiles: tuple[float, float]


def measure(section: str, cases: list[Case], rounds: int, limit_s: float, device: torch.device) -> list[Row]:
    """Time all cases; one that has used up `limit_s` sits out the further rounds."""

    def timed(case: Case) -> tuple[float, float]:
        start, cpu = time.perf_counter(), time.process_time()
        case.work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start, time.process_time() - cpu

    for case in cases:
        timed(case)  # allocations, compilation, the choice of kernels
    for _ in range(rounds):
        for case in random.sample(cases, len(cases)):
            if sum(case.seconds) < limit_s:
                passed, used = timed(case)
                case.seconds.append(passed)
                case.cpu_seconds.append(used)
    named = {case.name: case.seconds for case in cases}
    return [_row(section, case, named[case.floor]) for case in cases]


def _row(section: str, case: Case, floor: list[float]) -> Row:
    # a case that sat out has the first rounds only, as zip takes them
    ratios = [seconds / least for seconds, least in zip(case.seconds, floor, strict=False)]
    low, high = _quartiles(case.seconds)
    return Row(
        section,
        case.name,
        len(case.seconds),
        statistics.median(case.seconds) * 1e3,
        (low * 1e3, high * 1e3),
        statistics.median(case.cpu_seconds) * 1e3,
        case.floor,
        statistics.median(ratios),
        _quartiles(ratios),
    )


def _quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def table(rows: list[Row]) -> str:
    """The rows as text."""
    columns = ("ms", "quartiles", "CPU ms", "x floor", "quartiles", "n")
    lines = ["{:10} {:44} {:>9} {:>17} {:>9} {:>8} {:>13} {:>3}  floor".format("section", "case", *columns)]
    for row in rows:
        spread = f"{row.quartiles_ms[0]:.1f}-{row.quartiles_ms[1]:.1f}"
        ratios = f"{row.ratio_quartiles[0]:.2f}-{row.ratio_quartiles[1]:.2f}"
        times = f"{row.median_ms:9.1f} {spread:>17} {row.cpu_ms:9.1f}"
        lines.append(
            f"{row.section:10} {row.case:44} {times} {row.ratio:8.2f} {ratios:>13} {row.rounds:3}  {row.floor}"
        )
    return "\n".join(lines)


# -- encoder ----------------------------------------------------------------------------------------------------------

ENCODERS: Mapping[str, tuple[Callable[..., Encoder], Mapping[str, Any], tuple[int, int]]] = {
    # name: class, options, (B, T); 80 features
    "demo": (PyramidEncoder, {"hidden_dim": 128, "layers": 3, "subsampling_factor": 4}, (24, 300)),
    "demo stacked": (PyramidEncoder, {"hidden_dim": 128, "layers": 3, "subsampling_factor": 4, "stack": 2}, (24, 300)),
    "large": (
        BLSTMEncoder,
        {"hidden_dim": 320, "layers": 4, "subsampling": [1, 2, 2, 2], "projection_dim": 640},
        (16, 1198),
    ),
}


def encoder(device: torch.device) -> Iterator[list[Case]]:
    """Forward and backward pass of encoders; the floor is the same LSTMs and projections with no care for lengths."""
    for (name, (kind, options, (batch, frames))), lengths in product(ENCODERS.items(), ("equal", "variable")):
        features = torch.randn(batch, frames, 80, device=device)
        shortest = frames if lengths == "equal" else int(frames * 2 / 3)  # 12 s down to 8 s
        frames_of = torch.linspace(frames, shortest, batch).round().long().to(device)
        made = {lstm: kind(input_dim=80, lstm=lstm, **options).to(device) for lstm in ("padded", "packed")}
        floor = f"{name} {lengths}: floor float32"
        cases = []
        for precision in ("float32", "bfloat16"):
            mixed = partial(torch.autocast, device.type, torch.bfloat16, enabled=precision == "bfloat16")
            label = f"{name} {lengths}: {{}} {precision}"
            bare = _bare(made["padded"], batch, frames, device)
            cases.append(Case(label.format("floor"), partial(_floor_pass, bare, mixed), floor))
            threads = (1, 2) if device.type == "cpu" else (1,)
            for count in threads:
                title = label.format(f"padded, {count} thread{'s' * (count > 1)}")
                cases.append(Case(title, partial(_pass, made["padded"], features, frames_of, mixed, count), floor))
            if precision == "float32" or device.type == "cuda":
                work = partial(_pass, made["packed"], features, frames_of, mixed, 1)
                cases.append(Case(label.format("packed"), work, floor))
        yield cases


def _pass(listen: Encoder, features: Tensor, lengths: Tensor, mixed: Callable[[], Any], cores: int) -> None:
    with _cores(cores):
        with mixed():
            encoded = listen(features, lengths).encoded
        encoded.float().sum().backward()


def _bare(listen: Encoder, batch: int, frames: int, device: torch.device) -> list[Bare]:
    """Per layer: its two directions as plain LSTMs, its projection, and an input of the right shape."""
    layers: list[Bare] = []
    counts: list[int] | None = getattr(listen, "joined", None)
    for index, layer in enumerate(cast(list[BiLSTM], listen.layers)):
        if counts:
            frames = -(-frames // counts[index])
        size = layer.lstm.input_size
        directions = [nn.LSTM(size, layer.lstm.hidden_size, batch_first=True).to(device) for _ in range(2)]
        given = torch.randn(batch, frames, size, device=device, requires_grad=index > 0)
        layers.append((directions, layer.projection or nn.Identity(), given))
        if not counts:
            frames = -(-frames // cast(list[int], listen.kept)[index])
    return layers


def _floor_pass(layers: list[Bare], mixed: Callable[[], Any]) -> None:
    for directions, projection, given in layers:
        with mixed():
            both = torch.cat([lstm(given)[0] for lstm in directions], -1)
            result = projection(both)
        result.backward(torch.ones_like(result))


@contextmanager
def _cores(count: int) -> Iterator[None]:
    """As if this process had `count` cores: 1 runs the two directions one after the other."""
    found, concurrent.cores_per_process = concurrent.cores_per_process, lambda: count
    try:
        yield
    finally:
        concurrent.cores_per_process = found


# -- features ---------------------------------------------------------------------------------------------------------


def features(device: torch.device) -> Iterator[list[Case]]:
    """80 log-mel energies of 24 waveforms of 8 to 12 s; the floor is torchaudio's transform of the whole batch."""
    import torchaudio

    lengths = torch.linspace(12 * 16_000, 8 * 16_000, 24).long().to(device)
    waveforms = (torch.rand(24, 12 * 16_000, device=device) - 0.5) * length.mask(lengths)
    fbank, frontend = Fbank().to(device), Frontend().to(device)
    mel = torchaudio.transforms.MelSpectrogram(16_000, 512, 400, 160, n_mels=80).to(device)
    kaldi = partial(torchaudio.compliance.kaldi.fbank, num_mel_bins=80, sample_frequency=16_000.0)

    def one_by_one() -> None:
        for waveform, samples in zip(waveforms, lengths.tolist(), strict=True):
            kaldi(waveform[None, :samples])

    floor = "torchaudio MelSpectrogram, batch"
    yield [
        Case(floor, lambda: mel(waveforms), floor),
        Case("torchaudio kaldi.fbank, one by one", one_by_one, floor),
        Case("lasasr Fbank, batch", lambda: fbank(waveforms, lengths), floor),
        Case("lasasr Frontend (with CMVN), batch", lambda: frontend(waveforms, lengths), floor),
    ]


SECTIONS: Mapping[str, Callable[[torch.device], Iterator[list[Case]]]] = {"encoder": encoder, "features": features}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of: {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--only", default="", help="leave out the groups of cases whose names do not contain this")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--limit-s", type=float, default=20.0, help="a case that took so long is not repeated again")
    parser.add_argument("--threads", type=int, default=1, help="OpenMP threads")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--profile", action="store_true", help="say where the time of each case goes")
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    rows: list[Row] = []
    for section in arguments.sections or SECTIONS:
        for cases in SECTIONS[section](device):
            if not any(arguments.only in case.name for case in cases):
                continue
            if arguments.profile:
                profile(cases)
            group = measure(section, cases, arguments.rounds, arguments.limit_s, device)
            print(table(group), flush=True)
            rows.extend(group)
    if arguments.json:
        settings = {"threads": arguments.threads, "device": device.type, "torch": torch.__version__}
        arguments.json.write_text(json.dumps({**settings, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")


def profile(cases: list[Case]) -> None:
    """Print the operators that each case spends its time in."""
    for case in cases:
        case.work()
        with torch.profiler.profile() as seen:
            case.work()
        order = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        print(case.name, seen.key_averages().table(sort_by=order, row_limit=12), sep="\n", flush=True)


if __name__ == "__main__":
    main()
