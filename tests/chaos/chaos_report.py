"""The figures of many cases, in a line."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Figures:
    """What came of the cases.

    Args:
        lines: name, family, what and outcome of each that was played.
        seed: they were drawn by.
        took_s: all together, wall time.
        drawn: cases; those that time did not reach are not among the lines.
    """

    def __init__(self, lines: list[dict[str, Any]], seed: int, took_s: float, drawn: int) -> None:
        self.lines, self.seed, self.took_s, self.drawn = lines, seed, took_s, drawn
        self.failed = [line for line in lines if line["wrong"]]

    def by_family(self) -> str:
        """A line for each kind of fault."""
        cases, faults, failed = Counter[str](), Counter[str](), Counter[str]()
        for line in self.lines:
            name = line["family"] + (" (two ranks)" if line["what"] == "ranks" else "")
            cases[name] += not line["skipped"]
            faults[name] += line["faults"]
            failed[name] += bool(line["wrong"])
        rows = [
            f"{name:<40} cases {cases[name]:4d}  faults {faults[name]:5d}  failed {failed[name]:3d}"
            for name in sorted(cases)
        ]
        skipped = Counter(line["skipped"] for line in self.lines if line["skipped"])
        return "\n".join(rows + [f"left out: {count} cases ({why})" for why, count in skipped.items()])

    def line(self) -> str:
        """All of it."""
        faults = sum(line["faults"] for line in self.lines)
        survived = sum(line["faults"] for line in self.lines if not line["wrong"])
        compared = [line for line in self.lines if line["compared"]]
        parts = (
            f"faults {faults}",
            f"survived {survived}",
            f"lost {sum(line['lost'] for line in self.lines)}",
            f"twice {sum(line['twice'] for line in self.lines)}",
            f"bit-identical {sum(line['identical'] for line in compared)}/{len(compared)}",
            f"hangs {sum(line['hangs'] for line in self.lines)}",
            f"worst recovery {max((line['recovery_s'] for line in self.lines), default=0.0):.1f} s",
        )
        unplayed = self.drawn - len(self.lines)
        more = f", {unplayed} not reached in time" if unplayed else ""
        return f"{' | '.join(parts)}\n(seed {self.seed}, {len(self.lines)} cases in {self.took_s:.0f} s{more})"
