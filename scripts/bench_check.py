"""Whether the code became slower: times over floors, beside those that are stored for this kind of processor.

    make bench-check                                # compare; under five minutes
    python scripts/bench_check.py --write           # store what this machine measures as the figures of its kind

Seconds differ between machines and with what else they do; the processor time of a piece of work over that of its
floor (`bench.py`, `bench_decode.py`), both in turn in one process, differs much less between machines of one kind.
Each case runs three rounds beside its floor, and the median of its ratios is compared with the stored one: more than
10 % above it is worse. What is called worse runs three more rounds before it is said, so that one disturbance is not
taken for a change. For people: ratios still move by some percent on a busy machine, so no automatic check reads them.

The kind of a processor is the widest vector instructions that torch uses on it. A processor can be held to fewer,
with ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 (all three): that imitates another
kind and has figures of its own; caches and clock rates are still those of the real one.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

import bench_decode
import torch
from bench_conformer import conformer
from bench_measure import Case, Row, measure
from bench_models import LARGE, SMALL, Bench

from lasasr.nn import shared_steps

STORED: Final = Path(__file__).with_name("bench_ratios")
ROUNDS: Final = 3
TOLERANCE: Final = 0.10
HELD: Final = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
KINDS: Final = {  # name: flags of /proc/cpuinfo that it takes, the widest first
    "amx_bf16": {"amx_bf16", "avx512f"},
    "avx512_bf16": {"avx512_bf16", "avx512f"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx2": {"avx2", "fma"},
    "neon_bf16": {"asimd", "bf16"},
    "neon": {"asimd"},
}
COMPUTES_BF16: Final = ("amx_bf16", "avx512_bf16", "neon_bf16")


@dataclass(frozen=True)
class Group:
    """Cases that are timed in turn, and what is open around them."""

    title: str
    cases: list[Case]
    around: AbstractContextManager[Any]


# -- the processor ----------------------------------------------------------------------------------------------------


def processor() -> tuple[str, list[str]]:
    """The name of this processor, and its flags; the architecture and none where the system does not say."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine(), []
    fields: dict[str, str] = {}
    for key, _, value in (line.partition(":") for line in text.splitlines()):
        fields.setdefault(key.strip(), value.strip())
    return fields.get("model name", platform.machine()), fields.get("flags", fields.get("Features", "")).split()


def kind(flags: Sequence[str], environment: Mapping[str, str]) -> str:
    """The name under which ratios are stored.

    Raises:
        ValueError: the processor is held to other instructions in part only, or has none of the kinds' flags.
    """
    name = next((name for name, needed in KINDS.items() if needed <= set(flags)), None)
    if name is None:
        raise ValueError(f"this processor ({platform.machine()}) is of no kind that is told apart: {', '.join(KINDS)}")
    held = {key: environment[key] for key in HELD if key in environment}
    if not held:
        return name
    if {key: value.lower() for key, value in held.items()} != {key: value.lower() for key, value in HELD.items()}:
        wanted = " ".join(f"{key}={value}" for key, value in HELD.items())
        raise ValueError(f"the processor is held to fewer instructions in part only: set {wanted}, or none of them")
    return name if name == "avx2" else f"avx2_imitated_on_{name}"


# -- what is timed ----------------------------------------------------------------------------------------------------


def groups(bf16: bool) -> Iterator[Group]:
    """The cases; built when their turn comes, so that one group's tensors are gone before the next ones are made."""
    device = torch.device("cpu")
    small, large = (Bench(shape, device, threads=(1,)) for shape in (SMALL, LARGE))
    for cases in small.training():
        yield Group("training, small", chosen(cases, bf16), nullcontext())
    for cases in small.encoders():
        yield Group("encoder, small", chosen(cases, bf16), nullcontext())
    for cases in large.decoders():
        if kept := chosen(cases, bf16):
            yield Group("decoder step, large", kept, nullcontext())
    yield Group("conformer, small", chosen(next(conformer(True, small)), bf16), nullcontext())
    for batch in (1, 8):
        yield Group("search", list(searches(batch)), shared_steps.loop())


def chosen(cases: Sequence[Case], bf16: bool) -> list[Case]:
    """Without the cases that are there to be compared with (packed, plain), and what this processor emulates."""
    left_out = ("packed", "plain steps", "recompute", "floor with decoder") + (() if bf16 else ("bfloat16",))
    kept = [case for case in cases if not any(word in case.name for word in left_out)]
    for case in kept:
        case.wide = False
    return kept


def searches(batch: int) -> Iterator[Case]:
    """A joint search and its floor."""
    options = bench_decode.arguments().parse_args([])
    decoder = bench_decode.model(options)
    acoustics = bench_decode.utterances(batch, options.frames, options)
    search = bench_decode.searching(options.beam, options.tokens, options.ctc_weight)
    floor = f"batch {batch}: floor"
    yield Case(floor, bench_decode.floor(decoder, acoustics, options), floor)
    yield Case(f"batch {batch}", partial(search, decoder, acoustics), floor)


def ratios(bf16: bool, stored: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """(case, its CPU time over its floor's) one after another; twice the rounds where the first are worse."""
    for group in groups(bf16):
        with group.around:
            rows = timed(group.cases)
            if any(worse(row.cpu_ratio, stored.get(f"{group.title}: {row.case}")) for row in rows):
                rows = timed(group.cases)  # adds its rounds to those before
        for row in rows:
            if row.case != row.floor:
                yield f"{group.title}: {row.case}", row.cpu_ratio


def timed(cases: list[Case]) -> list[Row]:
    """Three rounds more."""
    return measure("check", cases, ROUNDS, math.inf, torch.device("cpu"))


# -- stored and measured ----------------------------------------------------------------------------------------------


def worse(ratio: float, stored: float | None) -> bool:
    """Whether a case takes more than a tenth more than it did."""
    return stored is not None and ratio > (1 + TOLERANCE) * stored


def line(case: str, ratio: float, stored: float | None) -> str:
    """One case of the table."""
    if stored is None:
        return f"  {case:56} {ratio:6.2f} x floor, none stored"
    change = 100 * (ratio / stored - 1)
    return (
        f"{'! ' if worse(ratio, stored) else '  '}{case:56} {ratio:6.2f} x floor, stored {stored:.2f}  {change:+.0f} %"
    )


def summary(measured: Mapping[str, float], stored: Mapping[str, float]) -> tuple[str, bool]:
    """What the comparison says, and whether nothing is worse."""
    slower = [case for case, ratio in measured.items() if worse(ratio, stored.get(case))]
    gone = sorted(stored.keys() - measured.keys())
    new = sorted(measured.keys() - stored.keys())
    parts = [f"{len(slower)} of {len(measured)} cases take more than {TOLERANCE:.0%} more than stored"]
    parts += [f"not measured any more: {', '.join(gone)}"] * bool(gone)
    parts += [f"not stored yet: {', '.join(new)}"] * bool(new)
    return "; ".join(parts), not slower


def read(path: Path) -> dict[str, float]:
    """The stored ratios by case.

    Raises:
        ValueError: the file holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): write it anew by --write") from None
    found = content.get("ratios") if isinstance(content, dict) else None
    if not isinstance(found, dict) or not all(isinstance(value, float) and value > 0 for value in found.values()):
        raise ValueError(f"{path}: `ratios` is not a mapping of cases to positive numbers: write it anew by --write")
    return found


def document(name: str, measured: Mapping[str, float]) -> dict[str, Any]:
    """What is stored: the ratios, and where they come from."""
    model, flags = processor()
    held = " ".join(f"{key}={os.environ[key]}" for key in HELD if key in os.environ)
    return {
        "schema": 1,
        "kind": name,
        "command": "python scripts/bench_check.py --write",
        "held_to": held or None,
        "commit": commit(),
        "date": date.today().isoformat(),
        "processor": model,
        "flags": " ".join(flags),
        "load": [round(value, 1) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "torch": torch.__version__,
        "threads": 1,
        "rounds": ROUNDS,
        "ratios": {case: round(ratio, 3) for case, ratio in measured.items()},
    }


def commit() -> str | None:
    """Of this checkout, with "-dirty" where files differ from it."""
    git = ["git", "-C", str(STORED.parent), "describe", "--always", "--abbrev=10", "--dirty", "--exclude", "*"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def main() -> None:
    """Measure; compare or store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="store what is measured, in place of what is stored")
    parser.add_argument("--folder", type=Path, default=STORED, help="of the stored ratios, one file per kind")
    arguments = parser.parse_args()
    try:
        name = kind(processor()[1], os.environ)
        path = arguments.folder / f"{name}.json"
        if not arguments.write and not path.exists():
            known = ", ".join(sorted(file.stem for file in arguments.folder.glob("*.json"))) or "none"
            sys.exit(
                f"no ratios are stored for processors of the kind {name} (there are {known}): "
                f"store those of a commit that is known to be good by python scripts/bench_check.py --write"
            )
        stored = {} if arguments.write else read(path)
    except ValueError as error:
        sys.exit(str(error))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"processor of the kind {name}, one thread, CPU time over that of the floor", flush=True)
    measured = {}
    for case, ratio in ratios(any(name.startswith(kind) for kind in COMPUTES_BF16), stored):
        measured[case] = ratio
        print(line(case, ratio, stored.get(case)), flush=True)
    if arguments.write:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document(name, measured), indent=1) + "\n", encoding="utf-8")
        print(f"stored in {path}")
        return
    said, good = summary(measured, stored)
    print(said)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
