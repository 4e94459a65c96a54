"""The table for a paper: every sign is text, the numbers are those of the comparison, and it compiles."""

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import write_run

from lasasr.comparison.card import card
from lasasr.comparison.document import document
from lasasr.comparison.entries import find
from lasasr.comparison.grouping import groups
from lasasr.metrics.significance.verdict import Rules
from lasasr.report.csv_table import COLUMNS, csv_table
from lasasr.report.latex import escaped, latex
from lasasr.report.methods import SOURCES, bibtex

FAST = Rules(resamples=200)


def compared(root: Path, rates: dict[str, float], seeds: int = 4, **rules: Any) -> dict[str, Any]:
    folders = [
        write_run(root, attend, seed, rate).folder for attend, rate in rates.items() for seed in range(1, seeds + 1)
    ]
    selection = find(folders)
    return document(selection, *groups(selection), None, Rules(resamples=200, **rules))


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return compared(tmp_path_factory.mktemp("runs"), {"dot": 0.1, "location_2d": 0.105, "none": 0.5})


def test_the_best_is_bold_and_what_is_shown_to_differ_has_a_dagger(comparison: dict[str, Any]) -> None:
    text = latex(comparison, "sources")
    rows = {
        row.split(" & ")[0].strip(): row.split(" & ")
        for row in text.splitlines()
        if row.startswith("    ") and "&" in row
    }
    rates = {system["name"].partition("=")[2]: system["percent"] for system in comparison["systems"]}
    assert "Bold: the lowest rate, which is not a verdict." in text
    assert rows["dot"][1] == f"\\textbf{{{rates['dot']:.2f}}}"
    assert rows["location\\_2d"][1] == f"{rates['location_2d']:.2f}"
    assert rows["none"][1] == f"{rates['none']:.2f}$^{{\\dagger}}$"
    assert rows["none"][3] == f"$+{rates['none'] - rates['dot']:.2f}$"


def test_of_one_speaker_nothing_was_tested(comparison: dict[str, Any]) -> None:
    undecided = {"verdict": "cannot decide", "verdict_of_runs": "cannot decide"}
    text = " ".join(
        latex(
            {**comparison, "speakers": 1, "pairs": [{**pair, **undecided} for pair in comparison["pairs"]]}, "s"
        ).split()
    )
    assert "of 1 speaker of" in text
    assert "No difference was tested: there are too few speakers or seeds for any answer." in text
    assert "$t$ test" not in text


def test_the_methods_say_what_was_tested(comparison: dict[str, Any], tmp_path: Path) -> None:
    text = " ".join(latex(comparison, "sources").split())
    assert "48 utterances (281 words) of 8 speakers" in text
    assert "trained with 4 seeds" in text
    assert "over speakers and seeds at once" in text
    assert "adjusted for the 3 pairs by Holm's method" in text
    alone = " ".join(latex(compared(tmp_path, {"dot": 0.1, "none": 0.5}, seeds=1), "sources").split())
    assert "Each system is one trained model." in alone
    assert "say nothing about other seeds" in alone
    assert "Holm's method" not in alone  # one pair
    assert "spread of seeds was taken as normal" not in text
    normal = latex(compared(tmp_path / "normal", {"dot": 0.1, "none": 0.5}, 2, trust_normal_seeds=True), "sources")
    assert "The spread of seeds was taken as normal." in normal


def test_every_source_that_is_cited_is_there(comparison: dict[str, Any]) -> None:
    cited = set(re.findall(r"\\cite\{(\w+)\}", latex(comparison, "sources")))
    assert cited
    assert cited <= set(SOURCES)
    assert all(f"{{{key}," in bibtex() for key in cited)


def test_a_card_gives_the_same(comparison: dict[str, Any]) -> None:
    assert latex(card(comparison), "sources") == latex(comparison, "sources")
    assert csv_table(card(comparison)) == csv_table(comparison)


def test_signs_of_a_name_are_text() -> None:
    assert escaped(r"a_b%&$#{}~^\<>") == (
        r"a\_b\%\&\$\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}\textless{}\textgreater{}"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="apt install texlive-latex-recommended")
def test_it_compiles(comparison: dict[str, Any], tmp_path: Path) -> None:
    hard = {**comparison, "split": r"x_y & 50 % #1 {~^\} <b>"}
    (tmp_path / "table.tex").write_text(latex(hard, "table"))
    (tmp_path / "table.bib").write_text(bibtex())
    (tmp_path / "main.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{table}"
        r"\bibliographystyle{plain}\bibliography{table}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main"]
    for step in (command, ["bibtex", "main"], command, command):
        done = subprocess.run(step, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    assert "undefined" not in (tmp_path / "main.log").read_text()


def test_the_csv_holds_the_numbers(comparison: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table(comparison))))
    assert list(rows[0]) == list(COLUMNS)
    for row in rows:
        system = next(system for system in comparison["systems"] if system["name"] == row["system"])
        assert float(row["percent"]) == system["percent"]
        assert int(row["errors"]) == system["errors"]
    assert rows[0]["points"] == ""
    assert rows[-1]["verdict"] == "worse"
