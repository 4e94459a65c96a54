"""A comparison for a paper: a table, its caption, a paragraph on methods, and the sources that it cites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lasasr import escaping
from lasasr.comparison.pairs import centre
from lasasr.report.comparison_columns import NOTHING, TableColumn, columns, sorted_systems
from lasasr.report.methods import methods

COLUMNS: Final = ("system", "percent", "interval", "raw_percent", "difference", "cer_percent", "parameters", "seeds")
ONE_COLUMN: Final = 5  # columns of a table that fit into one of a page with two
SHOWN: Final = r"$^{\dagger}$"
UNDECIDED: Final = r"$^{\ddagger}$"
_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    "Δ": r"$\Delta$",
    "…": r"\dots{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
}


def escaped(text: str) -> str:
    """Text whose signs have no meaning in LaTeX."""
    return "".join(_SPECIAL.get(sign, sign) for sign in escaping.escaped(text))


def latex(document: Mapping[str, Any], sources: str) -> str:
    r"""The table (booktabs) with its caption, and a paragraph on methods.

    The document that takes it says \usepackage{booktabs} and \bibliography{sources}.

    Args:
        document: the contents of comparison.json or of a card.
        sources: name of the .bib beside it, without its ending.
    """
    shown = [column for column in columns(document) if column.key in COLUMNS]
    marks = _marks(document)
    rows = [_row(shown, index, name, marks) for index, name in enumerate(marks)]
    head = " & ".join(escaped(column.header) for column in shown)
    table = "table*" if len(shown) > ONE_COLUMN else "table"  # over both columns; with one column it is the same
    alignment = "".join("r" if column.number else "l" for column in shown)
    return "\n".join(
        [
            f"% lasasr compare: \\usepackage{{booktabs}}, and \\bibliography{{{sources}}} for the sources",
            f"\\begin{{{table}}}[t]",
            r"  \centering",
            f"  \\caption{{{caption(document, shown)}}}",
            r"  \label{tab:comparison}",
            f"  \\begin{{tabular}}{{{alignment}}}",
            r"    \toprule",
            f"    {head} \\\\",
            r"    \midrule",
            *(f"    {row} \\\\" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            f"\\end{{{table}}}",
            "",
            r"\paragraph{Statistical methods.}",
            methods(document, escaped),
            "",
        ]
    )


def _marks(document: Mapping[str, Any]) -> dict[str, str]:
    """System → the mark of its verdict against the centre, in the order of the rows."""
    verdicts = next((column.cells for column in columns(document) if column.key == "verdict"), None)
    names = [str(system["name"]) for system in sorted_systems(document)]
    words = verdicts or [NOTHING] * len(names)
    marks = {"better": SHOWN, "worse": SHOWN, "cannot decide": UNDECIDED}
    return {name: marks.get(word, "") for name, word in zip(names, words, strict=True)}


def _row(shown: Sequence[TableColumn], index: int, name: str, marks: Mapping[str, str]) -> str:
    cells = []
    for column in shown:
        text = escaped(column.cells[index])
        if column.key == "percent":
            # rows are sorted by this column, so that equals of the best follow it
            best = column.cells[index] == column.cells[0]
            text = (f"\\textbf{{{text}}}" if best else text) + marks[name]
        elif column.key == "difference" and column.cells[index] != NOTHING:
            text = f"${text}$"
        cells.append(text)
    return " & ".join(cells)


def caption(document: Mapping[str, Any], shown: Sequence[TableColumn]) -> str:
    """What the table is of, and what its marks mean."""
    metric, units = document["metric"].upper(), {"wer": "word", "per": "phone", "cer": "character"}
    name = escaped(str(document["split"]))
    unit = units[document["metric"]].capitalize()
    sentences = [f"{unit} error rates ({metric}) on {name}, in percent. Bold: the lowest rate, which is not a verdict."]
    interval = next((column for column in shown if column.key == "interval"), None)
    if interval is not None:
        sentences.append(f"Intervals: {escaped(interval.about)}.")
    if document["pairs"]:
        about = "the systems" if document["about"] == "systems" else "these trained models, not other seeds"
        reference, level = escaped(centre(document)), f"{100 * document['rules']['level']:.0f}\\,\\%"
        sentences.append(f"$\\Delta$: points against {reference}; negative is better.")
        sentences.append(
            f"{SHOWN}~Shown to differ from {reference} at {level}, a statement about {about}, corrected for all pairs "
            f"(Holm); unmarked: no difference shown; {UNDECIDED}~cannot be decided."
        )
    if diverged := [system for system in document["systems"] if system["diverged"]]:
        counts = ", ".join(f"{escaped(system['name'])}: {len(system['diverged'])}" for system in diverged)
        sentences.append(f"Diverged seeds are counted in ({counts}).")
    if any(column.key == "raw_percent" for column in shown):
        sentences.append("Raw: without the normalizer.")
    return " ".join(sentences)
