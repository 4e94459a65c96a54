"""NIST's sclite and sc_stats as programs: texts in, alignments and the matched-pairs test out."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lasasr.metrics.error_rates import AlignedPair
from parity import peers

RESULT = re.compile(r"\(# segs: (\d+)\).*\(mean: (-?[\d.]+)\) \(std dev: ([\d.]+)\) \(Z Stat: (-?[\d.]+)\)")
SENTENCE = re.compile(r"<PATH [^>]*>\n(.*?)\n?</PATH>", re.DOTALL)
WORD = re.compile(r'([CSDI]),(?:"([^"]*)")?,(?:"([^"]*)")?')


class MatchedPairs(NamedTuple):
    """What sc_stats prints, to three decimals."""

    segments: int
    mean: float
    deviation: float
    z: float


def _program(name: str) -> str:
    path = peers.program(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed: apt install sctk")
    return path


def _transcripts(path: Path, texts: Sequence[str]) -> None:
    """One speaker per ten utterances."""
    lines = (f"{text} (s{number // 10}_u{number:05d})\n" for number, text in enumerate(texts))
    path.write_text("".join(lines))


def sgml(references: Sequence[str], systems: Mapping[str, Sequence[str]]) -> str:
    """sclite's alignments of each system's texts with the references, one report after the other."""
    reports = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _transcripts(folder / "ref.trn", references)
        for system, texts in systems.items():
            _transcripts(folder / "hyp.trn", texts)
            words = ["-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", system, "-i", "spu_id", "-s", "-f", "0"]
            done = subprocess.run(
                [_program("sclite"), *words, "-o", "sgml", "stdout"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            )
            reports.append(done.stdout)
    return "".join(reports)


def alignments(report: str) -> list[list[AlignedPair]]:
    """The aligned words of each sentence of a report, in order."""
    return [[_pair(*word) for word in words(sentence)] for sentence in SENTENCE.findall(report)]


def words(report: str) -> list[tuple[str, str, str]]:
    """C, S, D or I, the reference's word and the hypothesis's, "" where there is none."""
    return WORD.findall(report)


def _pair(kind: str, reference: str, hypothesis: str) -> AlignedPair:
    return AlignedPair(None if kind == "I" else reference, None if kind == "D" else hypothesis)


def matched_pairs(report: str) -> MatchedPairs:
    """sc_stats' matched-pairs sentence-segment word error test of the two systems of a report."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["-p", "-t", "mapsswe", "-v", "-n", "-", "-O", folder]
        done = subprocess.run(
            [_program("sc_stats"), *words],
            input=report,
            cwd=folder,
            capture_output=True,
            encoding="latin-1",  # its tables hold bytes that are no UTF-8
            check=True,
        )
    return printed(done.stdout)


def printed(text: str) -> MatchedPairs:
    """The result in what sc_stats prints.

    Raises:
        ValueError: there is none.
    """
    match = RESULT.search(text)
    if match is None:
        raise ValueError(f"sc_stats printed no result: {text[-300:]!r}")
    return MatchedPairs(int(match[1]), *(float(number) for number in match.groups()[1:]))
