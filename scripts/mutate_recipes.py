"""Types wrong values at every key of composed recipes, and says what came of it in one line of figures.

python scripts/mutate_recipes.py [--count N] [--seed N] [--keep FILE]

Each key of seven compositions is deleted, misspelt, or given NaN, a negative number, zero, a huge number, text, a flag,
null, a list or a section. Every such command must run, or end in one line that names the key, within 5 s of computing.
Exit status 1: one did not; those are listed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "hostile"), str(TESTS / "comparison")]


def results(count: int, seed: int, keep: Path | None = None, only: Sequence[str] = ()) -> list[Any]:
    """What came of so many mutations (`hostile_mutations.Result`); what is wrong is printed at once."""
    from hostile_mutations import GOOD, mutations, run_all, sample

    every = mutations()
    found = [next((one for one in every if text in str(one)), None) for text in only]  # the first of each
    chosen = [one for one in found if one] if only else sample(every, count, seed)
    tried = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for result in run_all(chosen, Path(folder)):
            tried.append(result)
            if result.verdict not in GOOD:
                print(f"{result.verdict}: {result.mutation}: {result.line[:300]}", flush=True)
            if keep:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(f"{result.verdict}\t{result.cpu_s:.2f}\t{result.mutation}\t{result.line[:400]}\n")
    print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
    return tried


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Mutate recipes, and say what came of it.")
    parser.add_argument("--count", type=int, default=1000, help="mutations (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample of all there are")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="one line per mutation is added to it")
    about = "the first mutation with this in its description; may be given several times"
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help=about)
    options = parser.parse_args()
    from hostile_mutations import GOOD, summary_line

    tried = results(options.count, options.seed, options.keep, options.only)
    print(summary_line(tried))
    return int(any(result.verdict not in GOOD for result in tried))


if __name__ == "__main__":
    sys.exit(main())
