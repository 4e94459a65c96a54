"""The corpus of hostile files and a thousand mutations of recipes, in one line of figures (`make hostile`).

python scripts/hostile.py [--count N] [--seed N]

Counted are the cases of tests/hostile (bundles, run folders, recipes, cut manifests, shards, checkpoints, targets) and
mutations of recipes (scripts/mutate_recipes.py). *Code run*: a case left the mark that its code would leave. *Hangs*:
one had to be ended. *Worst*: the most seconds that one took to be refused. Exit status 1: one is not as it should be.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from mutate_recipes import TESTS, results

CASES: Final = "test_a_hostile_"  # the tests that are one input each


@dataclass
class Figures:
    """A plugin of pytest that counts what became of each case."""

    inputs: int = 0
    refused: int = 0
    ran: int = 0
    code_run: int = 0
    hangs: int = 0
    worst_s: float = 0.0
    failures: list[str] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """One phase of one test."""
        if CASES not in report.nodeid or (report.when != "call" and report.passed):
            return
        self.inputs += 1
        self.refused += report.passed
        self.worst_s = max(self.worst_s, report.duration)
        if report.failed:
            text = str(report.longrepr)
            self.code_run += "MARK" in text.rpartition("E  ")[2]
            self.hangs += "LateError" in text
            self.failures.append(report.nodeid)

    def add_mutations(self, tried: list[Any]) -> None:
        """What came of mutations."""
        self.inputs += len(tried)
        for result in tried:
            self.refused += result.verdict == "one line"
            self.ran += result.verdict == "ran"
            self.hangs += result.verdict == "hang"
            if result.verdict != "ran":
                self.worst_s = max(self.worst_s, result.cpu_s)

    def __str__(self) -> str:
        accepted = f"accepted {self.ran} | " if self.ran else ""
        ends = f"code run {self.code_run} | hangs {self.hangs} | worst {self.worst_s:.1f} s"
        return f"inputs {self.inputs} | refused in one line {self.refused} | {accepted}{ends}"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Try hostile files and mutated recipes.")
    parser.add_argument("--count", type=int, default=1000, help="mutations (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample of all mutations there are")
    options = parser.parse_args()
    figures = Figures()
    pytest.main(["-q", "-p", "no:cacheprovider", "-m", "", str(TESTS / "hostile" / "test_hostile.py")], [figures])
    figures.add_mutations(results(options.count, options.seed))
    print(figures)
    return int(figures.refused + figures.ran < figures.inputs)


if __name__ == "__main__":
    sys.exit(main())
