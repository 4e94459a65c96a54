"""Times the parts of training beside their floors, interleaved, in one process.

    python scripts/bench.py [SECTION ...] [--small] [--rounds N] [--threads N] [--device cpu|cuda] [--json FILE]

Each section makes cases of the same work. Each round runs every case once, in a new order, so that whatever else the
machine does falls on all alike. The table gives medians with quartiles, and for every case the median over rounds of
its time divided by its floor's in the same round ("x floor"; "CPU x" is the same of the processor time of all threads,
which a busy machine disturbs less): trust the ratios before the times. MB is the most that the tensors of a pass hold.
After the training steps stand their rates: seconds of audio per second, and the share of the rate at which this device
multiplies large matrices. Decoding has a script of its own, `bench_decode.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from bench_conformer import conformer
from bench_data import features, scoring
from bench_loader import loader
from bench_measure import Case, Row, add_json, device_here, measure, synchronize, table, write
from bench_models import LARGE, SMALL, Bench
from bench_rates import rates
from bench_rates import table as rates_table


def sections(bench: Bench, small: bool) -> Mapping[str, Callable[[], Iterator[list[Case]]]]:
    """What there is to time, in the order in which it is timed."""
    device = bench.device
    return {
        "training": bench.training,
        "decoder": bench.decoders,
        "encoder": bench.encoders,
        "conformer": partial(conformer, small, bench),
        "attention": bench.attentions,
        "growth": bench.growth,
        "features": partial(features, device, 6 if small else 24),
        "loader": partial(loader, bench, 32 if small else 100),
        "scoring": partial(scoring, device, 500 if small else 5000),
    }


LAUNCHES = "launches"


def arguments_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*sections(Bench(SMALL, torch.device("cpu")), True), LAUNCHES]
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of: {', '.join(names)} (default: all)")
    parser.add_argument("--small", action="store_true", help="the shapes of the recipe synthetic/las_char")
    parser.add_argument("--only", default="", help="leave out the groups of cases whose names do not contain this")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--limit-s", type=float, default=15.0, help="a case that took so long is not repeated again")
    parser.add_argument("--threads", type=int, default=1, help="OpenMP threads")
    parser.add_argument("--device", type=device_here, default="cpu")
    add_json(parser)
    parser.add_argument("--profile", action="store_true", help="say where the time of each case goes")
    arguments = parser.parse_args()
    unknown = [section for section in arguments.sections if section not in names]
    if unknown:
        parser.error(f"unknown section {', '.join(unknown)}; there are {', '.join(names)}")
    if arguments.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {arguments.rounds}")
    return arguments


def main() -> None:
    arguments = arguments_of()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    bench = Bench(SMALL if arguments.small else LARGE, device)
    chosen = arguments.sections or [*sections(bench, arguments.small), LAUNCHES]
    rows: list[Row] = []
    counted: dict[str, float] = {}
    speeds: dict[str, dict[str, float]] = {}
    settings: dict[str, Any] = {"schema": 1, "threads": arguments.threads, "small": arguments.small}
    settings |= {"device": device.type, "torch": torch.__version__}
    if device.type == "cuda":
        settings["gpu"] = torch.cuda.get_device_name(device)

    def write_figures(complete: bool = False) -> None:
        figures = {**settings, "rows": [asdict(row) for row in rows], "rates": speeds, LAUNCHES: counted}
        write(arguments.json, figures, complete)

    for section in chosen:
        if section == LAUNCHES:
            counted = bench.launches()
            print("\n".join(f"{count:8.1f}  {name}" for name, count in counted.items()), flush=True)
            write_figures()
            continue
        for cases in sections(bench, arguments.small)[section]():
            if not any(arguments.only in case.name for case in cases):
                continue
            if arguments.profile:
                profile(cases, device)
            group = measure(section, cases, arguments.rounds, arguments.limit_s, device)
            print(table(group), flush=True)
            rows.extend(group)
            write_figures()
        if section == "training":
            speeds = rates(bench, [row for row in rows if row.section == section])
            print(rates_table(speeds), flush=True)
    write_figures(complete=True)


def profile(cases: list[Case], device: torch.device) -> None:
    """Print the operators that each case spends its time in."""
    for case in cases:
        case.work()
        with torch.profiler.profile() as profiler:
            case.work()
            synchronize(device)
        order = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
        print(case.name, profiler.key_averages().table(sort_by=order, row_limit=12), sep="\n", flush=True)


if __name__ == "__main__":
    main()
