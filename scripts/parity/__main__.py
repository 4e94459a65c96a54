"""`make parity`: every check, a row for each, the page docs/parity.md and one line.

Exit status 1 if a difference is larger than it may be; a peer that is not installed is skipped, with its reason.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from parity import peers, table
from parity.check import Check, NotReproduced, Row, run

SUBJECTS = (
    "attention_espnet",
    "attention_speechbrain",
    "cells",
    "decoders",
    "ctc",
    "search",
    "search_speechbrain",
    "lm",
    "fbank",
    "error_counts",
    "significance",
    "schedules",
)
SEED = 1
PAGE = Path(__file__).parents[2] / "docs" / "parity.md"


def rows(subjects: Sequence[str], seed: int = SEED) -> list[Row]:
    """One per check, all from the same seed whatever their order."""
    results: list[Row] = []
    for subject in subjects:
        checks: list[Check | NotReproduced] = importlib.import_module(f"parity.{subject}").checks()
        for check in checks:
            torch.manual_seed(seed)
            row = run(check, peers.version(check.peer), peers.reason(check.peer))
            results.append(row)
            print(f"{row.name:62} {row.peer:28} {row.state:14} {table.shown(row.difference):>8}", flush=True)
    return results


def main() -> int:
    """Run what is asked for; write the page where that is everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, help="some subjects, and no page")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of weights and inputs; the page is of {SEED}")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    results = rows(args.only or SUBJECTS, args.seed)
    if args.only is None and args.seed == SEED:
        about = f"Written by `make parity` with torch {torch.__version__}, seed {SEED}, on {table.machine()}."
        page = table.replaced(PAGE.read_text(encoding="utf-8"), results, about)
        PAGE.write_text(page, encoding="utf-8")
    print(table.line(results))
    return int(any(row.state == "different" for row in results))


if __name__ == "__main__":
    sys.exit(main())
