"""Cases of the same work, timed in turns, and the table and file of what came out; used by `bench.py`."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lasasr.artifacts import files
from lasasr.errors import LasasrError
from lasasr.nn import concurrent, devices

Work = Callable[[], object]


@dataclass
class Case:
    """One piece of work, and the name of the case it is compared with."""

    name: str
    work: Work
    floor: str
    units: float = 1.0  # pieces in it (decoder steps); times are per piece
    wide: bool = False  # also count the memory its tensors take
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
    cpu_ratio: float
    peak_mb: float | None


def device_here(name: str) -> str:
    """A device that this machine has: the type of an argument."""
    try:
        return devices.usable(name, "")
    except LasasrError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option --json, for `write`."""
    parser.add_argument(
        "--json",
        type=Path,
        help='where to write the figures, after each group of cases; until the last, the file says "complete": false',
    )


def write(path: Path | None, figures: Mapping[str, Any], complete: bool) -> None:
    """Write the figures so far as JSON, whole or not at all, where a path is given.

    Args:
        complete: whether no more are to come.
    """
    if path is not None:
        files.write_text(path, json.dumps({"complete": complete, **figures}, indent=1) + "\n")


def measure(section: str, cases: list[Case], rounds: int, limit_s: float, device: torch.device) -> list[Row]:
    """Time all cases; one that has used up `limit_s` sits out the further rounds."""

    def timed(case: Case) -> tuple[float, float]:
        synchronize(device)
        start, cpu = time.perf_counter(), time.process_time()
        case.work()
        synchronize(device)
        return time.perf_counter() - start, time.process_time() - cpu

    for case in cases:
        timed(case)  # allocations, compilation, the choice of kernels
    for _ in range(rounds):
        for case in random.sample(cases, len(cases)):
            if sum(case.seconds) < limit_s:
                passed, used = timed(case)
                case.seconds.append(passed / case.units)
                case.cpu_seconds.append(used / case.units)
    named = {case.name: case for case in cases}
    return [_row(section, case, named[case.floor], device) for case in cases]


def _row(section: str, case: Case, floor: Case, device: torch.device) -> Row:
    # a case that sat out has the first rounds only, as zip takes them
    ratios = [seconds / least for seconds, least in zip(case.seconds, floor.seconds, strict=False)]
    cpu_ratios = [used / max(least, 1e-9) for used, least in zip(case.cpu_seconds, floor.cpu_seconds, strict=False)]
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
        statistics.median(cpu_ratios),
        peak_mb(case.work, device) if case.wide else None,
    )


def _quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def synchronize(device: torch.device) -> None:
    """Wait for all that is queued."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_mb(work: Work, device: torch.device) -> float:
    """The most memory that tensors made by `work` hold at one time, from the allocator's own books, MB (2^20 bytes)."""
    import bench_decode

    return bench_decode.peak_mb(work, device.type)


@contextmanager
def cores(count: int) -> Iterator[None]:
    """As if this process had `count` cores: with 1 nothing runs in a second thread."""
    original = concurrent.cores_per_process
    concurrent.cores_per_process = lambda: count  # type: ignore[assignment]
    try:
        yield
    finally:
        concurrent.cores_per_process = original


def table(rows: list[Row]) -> str:
    """The rows as text."""
    columns = ("ms", "quartiles", "CPU ms", "x floor", "quartiles", "CPU x", "MB", "n")
    form = "{:9} {:52} {:>9} {:>17} {:>9} {:>8} {:>12} {:>6} {:>6} {:>3}  {}"
    lines = [form.format("section", "case", *columns, "floor")]
    for row in rows:
        lines.append(
            form.format(
                row.section,
                row.case,
                f"{row.median_ms:.2f}",
                f"{row.quartiles_ms[0]:.2f}-{row.quartiles_ms[1]:.2f}",
                f"{row.cpu_ms:.2f}",
                f"{row.ratio:.2f}",
                f"{row.ratio_quartiles[0]:.2f}-{row.ratio_quartiles[1]:.2f}",
                f"{row.cpu_ratio:.2f}",
                "" if row.peak_mb is None else f"{row.peak_mb:.0f}",
                row.rounds,
                row.floor,
            )
        )
    return "\n".join(lines)
