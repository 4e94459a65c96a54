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
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "hostile"), str(TESTS / "comparison")]


def run(count: int, seed: int, keep: Path | None = None, matching: str = "") -> tuple[str, int, float]:
    """(the line of figures, how many failed, the most seconds that a refusal computed)."""
    from hostile_mutations import GOOD, mutations, run_all, sample, summary_line

    chosen = [one for one in (mutations() if matching else sample(count, seed)) if matching in str(one)]
    results = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for result in run_all(chosen, Path(folder)):
            results.append(result)
            if result.verdict not in GOOD:
                print(f"{result.verdict}: {result.mutation}: {result.line[:300]}", flush=True)
            if keep:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(f"{result.verdict}\t{result.cpu_s:.2f}\t{result.mutation}\t{result.line[:400]}\n")
    print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
    worst = max((result.cpu_s for result in results if result.verdict != "ran"), default=0.0)
    return summary_line(results), sum(result.verdict not in GOOD for result in results), worst


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Mutate recipes, and say what came of it.")
    parser.add_argument("--count", type=int, default=1000, help="mutations (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample of all there are")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="one line per mutation is added to it")
    parser.add_argument("--only", default="", metavar="TEXT", help="all mutations with this in their description")
    options = parser.parse_args()
    line, failed, _ = run(options.count, options.seed, options.keep, options.only)
    print(line)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
