"""What an examination found, for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table

from lasasr.artifacts import files
from lasasr.doctor.finding import Finding, percent
from lasasr.report.escaped_text import escaped_text

SCHEMA: Final = 1
_COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}
_BAR = 30  # characters


@dataclass(frozen=True)
class Report:
    """Findings, and the facts behind them."""

    recipe: str
    findings: Sequence[Finding]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def of(self, severity: str) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    def save(self, path: Path) -> None:
        """Write it as JSON, with every id."""
        findings = [asdict(finding) for finding in self.findings]
        counts = {f"{severity}s": len(self.of(severity)) for severity in _COLOURS}
        content = {"schema": SCHEMA, "recipe": self.recipe, **counts, "findings": findings, "facts": self.facts}
        files.write_json(path, content)

    def shown(self) -> RenderableType:
        """The findings, errors first, and the length histogram of train."""
        parts: list[RenderableType] = []
        if histogram := self.facts.get("durations_s", {}).get("train"):
            parts += [_histogram(histogram), ""]
        parts.append(_table([finding for severity in _COLOURS for finding in self.of(severity)]))
        return Group(*parts)


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "split", "finding", "utterances", "what to do"):
        table.add_column(name, justify="right" if name == "utterances" else "left", overflow="fold")
    for finding in findings:
        counted = f"{finding.count} ({percent(finding.share)})" if finding.share is not None else ""
        some = f" [{finding.first_ids()}]" if finding.ids else ""
        severity = escaped_text(finding.severity, style=_COLOURS[finding.severity])
        table.add_row(severity, escaped_text(finding.split), finding.kind, counted, escaped_text(finding.advice + some))
    return table


def _histogram(rows: Sequence[tuple[float, float, int]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("train, seconds", justify="right")
    table.add_column("utterances", justify="right")
    table.add_column("")
    most = max(count for _, _, count in rows)
    for low, high, count in rows:
        table.add_row(f"{low:.1f} to {high:.1f}", str(count), "█" * round(_BAR * count / most))
    return table
