"""The columns of a table of systems, the same for terminal, Markdown and page: each is declared once, below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple

from lasasr.artifacts.search_identity import search_words
from lasasr.comparison.pairs import CentreDifference, against, centre, interval_of, labels, signed

NOTHING = "–"
WORDS = {"better": "better", "worse": "worse", "no difference shown": "not shown", "cannot decide": "cannot decide"}

System = Mapping[str, Any]


class TableColumn(NamedTuple):
    """One column: its cell for each system, in the order of `sorted_systems`."""

    key: str
    header: str
    cells: list[str]
    values: list[float | None]  # to sort by; none of the first
    about: str  # what it is, with its unit
    priority: int  # a narrow terminal shows the lowest
    number: bool = True  # aligned to the right
    explained: bool = False  # in the legend below the terminal's table
    published: bool = True  # in Markdown


class ColumnContext:
    """The parts of a comparison that columns read.

    Args:
        document: the contents of comparison.json or of a card.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.systems = sorted_systems(document)
        self.differs, self.short_names = labels(document)

    @cached_property
    def centre_name(self) -> str:
        """The system that all are compared with."""
        return centre(self.document)

    @cached_property
    def against_centre(self) -> dict[str, CentreDifference]:
        """System → its difference to the centre; empty where there is one system."""
        return (
            {difference.name: difference for difference in against(self.document, self.centre_name)}
            if self.document["pairs"]
            else {}
        )


class ColumnDeclaration(NamedTuple):
    """How a column is read and printed."""

    key: str
    priority: int
    header: str | Callable[[ColumnContext], str]
    about: str | Callable[[ColumnContext], str]
    value: Callable[[ColumnContext, System], float | None]  # to sort by
    cell: str | Callable[[ColumnContext, System], str]  # of the value, as `str.format` takes it, or what is printed
    number: bool = True
    explained: bool = False
    published: bool = True

    def column(self, context: ColumnContext) -> TableColumn:
        """The column of a comparison."""
        values = [self.value(context, system) for system in context.systems]
        if isinstance(self.cell, str):
            cells = [NOTHING if value is None else self.cell.format(value) for value in values]
        else:
            cells = [self.cell(context, system) for system in context.systems]
        header, about = (text if isinstance(text, str) else text(context) for text in (self.header, self.about))
        options = self.priority, self.number, self.explained, self.published
        return TableColumn(self.key, header, cells, values, about, *options)


def sorted_systems(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lowest error rate first."""
    return sorted(document["systems"], key=lambda system: (system["percent"], system["name"]))


def test_set(document: Mapping[str, Any]) -> str:
    """How large the test set is, in words."""
    units = {"wer": "words", "per": "phones", "cer": "characters"}[document["metric"]]
    sizes = {
        "utterances": document["utterances"],
        "speakers": document["speakers"],
        units: document["reference_length"],
    }
    utterances, speakers, length = (f"{count:,} {name if count != 1 else name[:-1]}" for name, count in sizes.items())
    return f"{utterances} of {speakers}, {length}"


def searched_with(document: Mapping[str, Any]) -> str:
    """The search that all systems were scored with, or that of each, in words."""
    usual = search_words(document.get("search"))
    words = {system["name"]: str(system.get("search_words", usual)) for system in sorted_systems(document)}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    _, short_names = labels(document)
    return "; ".join(f"{short_names[name]}: {search}" for name, search in words.items())


def columns(document: Mapping[str, Any]) -> list[TableColumn]:
    """All columns with any value; the user's own precede the last one."""
    context = ColumnContext(document)
    shipped = [
        declaration.column(context)
        for declaration in SHIPPED_COLUMNS
        if declaration.key != "cer_percent" or document["metric"] != "cer"
    ]
    own = [_own(context, declaration) for declaration in document.get("columns", ())]
    ordered = [*shipped[:-1], *own, shipped[-1]]
    return [column for column in ordered if any(cell != NOTHING for cell in column.cells)]


def _own(context: ColumnContext, declaration: Mapping[str, Any]) -> TableColumn:
    """A column of `comparison.column`, as comparison.json keeps it."""
    contents = [system["own"][declaration["key"]] for system in context.systems]
    values = [content["value"] for content in contents]
    number = all(value is None or isinstance(value, float | int) for value in values)
    cells = [NOTHING if content["text"] is None else str(content["text"]) for content in contents]
    sorted_by = values if number else []
    return TableColumn(
        declaration["key"],
        declaration["header"],
        cells,
        sorted_by,
        declaration["about"],
        declaration["priority"],
        number,
    )


def _key(name: str, factor: float = 1.0) -> Callable[[ColumnContext, System], float | None]:
    """Reads a number of comparison.json."""

    def value(context: ColumnContext, system: System) -> float | None:
        return None if system[name] is None else float(system[name]) * factor

    return value


def _about_rate(context: ColumnContext) -> str:
    seeds = max(len(system["seeds"]) + len(system["lost"]) for system in context.systems)
    over = "mean over seeds of the pooled rate" if seeds > 1 else "pooled rate"
    return f"{over} on {context.document['split']}, percent"


def _interval(context: ColumnContext, system: System) -> Mapping[str, Any] | None:
    return interval_of(system, context.document["about"])


def _interval_value(context: ColumnContext, system: System) -> float | None:
    interval = _interval(context, system)
    return None if interval is None else float(interval["low"])


def _interval_cell(context: ColumnContext, system: System) -> str:
    interval = _interval(context, system)
    return NOTHING if interval is None else f"{interval['low']:.2f}–{interval['high']:.2f}"


def _about_interval(context: ColumnContext) -> str:
    """The method; of several, with the systems of each."""
    systems: dict[str, list[str]] = {}
    for system in context.systems:
        if (interval := _interval(context, system)) is not None:
            systems.setdefault(str(interval["method"]), []).append(context.short_names[system["name"]])
    several = len(systems) > 1
    texts = [f"{method} ({', '.join(names)})" if several else method for method, names in sorted(systems.items())]
    return f"in percent, {'; '.join(texts)}"


def _points(context: ColumnContext, system: System) -> float | None:
    difference = context.against_centre.get(system["name"])
    return None if difference is None else difference.points


def _difference_cell(context: ColumnContext, system: System) -> str:
    difference = context.against_centre.get(system["name"])
    return NOTHING if difference is None else signed(difference.points)


def _about_difference(context: ColumnContext) -> str:
    return f"points against {context.centre_name}; negative is better"


def _superiority(context: ColumnContext, system: System) -> float | None:
    difference = context.against_centre.get(system["name"])
    return None if difference is None or difference.superiority is None else 100.0 * difference.superiority


def _verdict_cell(context: ColumnContext, system: System) -> str:
    difference = context.against_centre.get(system["name"])
    return NOTHING if difference is None else WORDS[difference.word]


def _about_verdict(context: ColumnContext) -> str:
    scope = "the systems" if context.document["about"] == "systems" else "these runs, not other seeds"
    return f"against {context.centre_name}, about {scope}, corrected for all pairs (Holm)"


def _counts_cell(context: ColumnContext, system: System) -> str:
    return f"{system['substitutions']}/{system['deletions']}/{system['insertions']}"


def _align_ms(context: ColumnContext, system: System) -> float | None:
    """Of attention; of attention and CTC combined where no other value exists."""
    alignment = system["alignment"]
    value: float | None = (
        alignment["attention_ms"] if alignment["attention_ms"] is not None else alignment["combined_ms"]
    )
    return value


def _about_alignment(context: ColumnContext) -> str:
    measured = [system["alignment"] for system in context.systems]
    against_what = sorted({alignment["against"] for alignment in measured if alignment["against"]})
    unit = next((alignment["unit"] for alignment in measured if alignment["unit"]), "word")
    return f"median error of {unit} boundaries told by attention, ms, against {' and '.join(against_what) or 'nothing'}"


def _aligned_value(context: ColumnContext, system: System) -> float | None:
    return min((step for step in system["aligned_at_step"].values() if step is not None), default=None)


def _aligned_cell(context: ColumnContext, system: System) -> str:
    if not system["watched"]:
        return NOTHING
    steps = system["aligned_at_step"]
    reached = sorted(step for step in steps.values() if step is not None)
    if not reached:
        return "never"
    span = f"{reached[0]}" if reached[0] == reached[-1] else f"{reached[0]}–{reached[-1]}"
    return span if len(reached) == len(steps) else f"{span} ({len(reached)} of {len(steps)})"


def _seeds_cell(context: ColumnContext, system: System) -> str:
    counts = {"div.": len(system["diverged"]), "young": len(system.get("young", ()))}  # older documents have no young
    remarks = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{len(system['seeds'])}" + (f" ({remarks})" if remarks else "")


def _seeds_value(context: ColumnContext, system: System) -> float | None:
    return float(len(system["seeds"]))


SHIPPED_COLUMNS: Final = (
    ColumnDeclaration(
        "system",
        10,
        lambda context: context.differs,
        "what differs",
        lambda context, system: None,
        lambda context, system: context.short_names[system["name"]],
        number=False,
    ),
    ColumnDeclaration(
        "percent", 20, lambda context: f"{context.document['metric'].upper()} %", _about_rate, _key("percent"), "{:.2f}"
    ),
    ColumnDeclaration("interval", 30, "95 % int.", _about_interval, _interval_value, _interval_cell, explained=True),
    ColumnDeclaration("difference", 40, "Δ", _about_difference, _points, _difference_cell, explained=True),
    ColumnDeclaration("verdict", 50, "verdict", _about_verdict, _points, _verdict_cell, number=False, explained=True),
    ColumnDeclaration(
        "superiority",
        56,
        "sup. %",
        lambda context: (
            f"pairs of seeds in which it has a lower rate than {context.centre_name}, percent; 50: a toss-up"
        ),
        _superiority,
        "{:.0f}",
        explained=True,
        published=False,
    ),
    ColumnDeclaration(
        "raw_percent",
        55,
        "raw %",
        "the same rate of the texts as they are, without the normalizer",
        lambda context, system: system.get("raw_percent"),  # older documents have none
        "{:.2f}",
        explained=True,
    ),
    ColumnDeclaration(
        "cer_percent",
        140,
        "CER %",
        "character error rate, mean over seeds, percent",
        _key("cer_percent"),
        "{:.2f}",
    ),
    ColumnDeclaration("counts", 110, "S/D/I", "errors, summed over seeds", _key("errors"), _counts_cell),
    ColumnDeclaration("parameters", 60, "params", "parameters", _key("parameters", 1e-6), "{:.2f}M"),
    ColumnDeclaration("train_min", 70, "train min", "training time, minutes", _key("train_s", 1.0 / 60.0), "{:.1f}"),
    ColumnDeclaration("steps", 160, "steps", "training steps (updates)", _key("steps"), "{:,.0f}", published=False),
    ColumnDeclaration(
        "step_ms",
        130,
        "step ms",
        "training time / steps, milliseconds, validations included",
        _key("step_s", 1e3),
        "{:.0f}",
    ),
    ColumnDeclaration("align_ms", 80, "align ms", _about_alignment, _align_ms, "{:.0f}", explained=True),
    ColumnDeclaration(
        "aligned",
        90,
        "aligned at",
        "training step from which attention is aligned",
        _aligned_value,
        _aligned_cell,
    ),
    ColumnDeclaration("rtf", 120, "RTF", "decoding time / audio time", _key("rtf"), "{:.3f}"),
    ColumnDeclaration(
        "memory",
        150,
        "mem MiB",
        "peak memory of training",
        _key("peak_memory_mib"),
        "{:,.0f}",
        published=False,
    ),
    ColumnDeclaration("seeds", 100, "seeds", "runs; diverged and young ones counted", _seeds_value, _seeds_cell),
)
"""From left to right; a narrow terminal shows those of the lowest priorities."""
