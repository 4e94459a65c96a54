"""The columns of a table of systems, the same for terminal, Markdown and page: each is declared once, below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple

from lasasr.artifacts.search_identity import search_words
from lasasr.comparison.pairs import Against, against, centre, interval_of, labels, signed

NOTHING = "–"
WORDS = {"better": "better", "worse": "worse", "no difference shown": "no diff.", "cannot decide": "undecided"}

System = Mapping[str, Any]


class Column(NamedTuple):
    """One column: what stands in it for each system, in the order of `sorted_systems`."""

    key: str
    header: str
    cells: list[str]
    values: list[float | None]  # to sort by; none of the first
    about: str  # what it is, with its unit
    priority: int  # the lowest stay where there is little room
    number: bool = True  # stands at the right
    explained: bool = False  # in the legend below the terminal's table
    published: bool = True  # in Markdown


class Context:
    """A comparison as its columns look at it.

    Args:
        made: the contents of comparison.json or of a card.
    """

    def __init__(self, made: Mapping[str, Any]) -> None:
        self.made = made
        self.systems = sorted_systems(made)
        self.differs, self.short_names = labels(made)

    @cached_property
    def middle(self) -> str:
        """The system that all are compared with."""
        return centre(self.made)

    @cached_property
    def against_middle(self) -> dict[str, Against]:
        """System → its difference to the middle; none where there is one system."""
        return {one.name: one for one in against(self.made, self.middle)} if self.made["pairs"] else {}


class Declared(NamedTuple):
    """How a column is read and printed."""

    key: str
    priority: int
    header: str | Callable[[Context], str]
    about: str | Callable[[Context], str]
    value: Callable[[Context, System], float | None]  # to sort by
    cell: str | Callable[[Context, System], str]  # of the value, as `str.format` takes it, or what is printed
    number: bool = True
    explained: bool = False
    published: bool = True

    def column(self, context: Context) -> Column:
        """The column of a comparison."""
        values = [self.value(context, system) for system in context.systems]
        if isinstance(self.cell, str):
            cells = [NOTHING if value is None else self.cell.format(value) for value in values]
        else:
            cells = [self.cell(context, system) for system in context.systems]
        header, about = (text if isinstance(text, str) else text(context) for text in (self.header, self.about))
        options = self.priority, self.number, self.explained, self.published
        return Column(self.key, header, cells, values, about, *options)


def sorted_systems(made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lowest error rate first."""
    return sorted(made["systems"], key=lambda one: (one["percent"], one["name"]))


def test_set(made: Mapping[str, Any]) -> str:
    """How large the test set is, in words."""
    units = {"wer": "words", "per": "phones", "cer": "characters"}[made["metric"]]
    sizes = {"utterances": made["utterances"], "speakers": made["speakers"], units: made["reference_length"]}
    one, of, length = (f"{count:,} {name if count != 1 else name[:-1]}" for name, count in sizes.items())
    return f"{one} of {of}, {length}"


def searched_with(made: Mapping[str, Any]) -> str:
    """The search that all systems were scored with, or that of each, in words."""
    usual = search_words(made.get("search"))
    words = {one["name"]: str(one.get("search_words", usual)) for one in sorted_systems(made)}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    _, short = labels(made)
    return "; ".join(f"{short[name]}: {said}" for name, said in words.items())


def columns(made: Mapping[str, Any]) -> list[Column]:
    """All columns that hold anything, those of the user's own before the last one."""
    context = Context(made)
    shipped = [one.column(context) for one in DECLARED if one.key != "cer_percent" or made["metric"] != "cer"]
    own = [_own(context, one) for one in made.get("columns", ())]
    ordered = [*shipped[:-1], *own, shipped[-1]]
    return [one for one in ordered if any(cell != NOTHING for cell in one.cells)]


def _own(context: Context, declared: Mapping[str, Any]) -> Column:
    """A column of `comparison.column`, as comparison.json keeps it."""
    held = [one["own"][declared["key"]] for one in context.systems]
    values = [one["value"] for one in held]
    number = all(value is None or isinstance(value, float | int) for value in values)
    cells = [NOTHING if one["text"] is None else str(one["text"]) for one in held]
    sorted_by = values if number else []
    return Column(
        declared["key"], declared["header"], cells, sorted_by, declared["about"], declared["priority"], number
    )


def _key(name: str, factor: float = 1.0) -> Callable[[Context, System], float | None]:
    """Reads a number of comparison.json."""

    def value(context: Context, system: System) -> float | None:
        return None if system[name] is None else float(system[name]) * factor

    return value


def _about_rate(context: Context) -> str:
    seeds = max(len(one["seeds"]) + len(one["lost"]) for one in context.systems)
    over = "mean over seeds of the pooled rate" if seeds > 1 else "pooled rate"
    return f"{over} on {context.made['split']}, percent"


def _interval(context: Context, system: System) -> Mapping[str, Any] | None:
    return interval_of(system, context.made["about"])


def _interval_value(context: Context, system: System) -> float | None:
    found = _interval(context, system)
    return None if found is None else float(found["low"])


def _interval_cell(context: Context, system: System) -> str:
    found = _interval(context, system)
    return NOTHING if found is None else f"{found['low']:.2f}–{found['high']:.2f}"


def _about_interval(context: Context) -> str:
    found = [_interval(context, one) for one in context.systems]
    return "; ".join(sorted({str(one["method"]) for one in found if one is not None}))


def _points(context: Context, system: System) -> float | None:
    found = context.against_middle.get(system["name"])
    return None if found is None else found.points


def _difference_cell(context: Context, system: System) -> str:
    found = context.against_middle.get(system["name"])
    return NOTHING if found is None else signed(found.points)


def _about_difference(context: Context) -> str:
    return f"points against {context.middle}; negative is better"


def _verdict_cell(context: Context, system: System) -> str:
    found = context.against_middle.get(system["name"])
    return NOTHING if found is None else WORDS[found.word]


def _about_verdict(context: Context) -> str:
    of = "the systems" if context.made["about"] == "systems" else "these runs, not other seeds"
    return f"against {context.middle}, about {of}, corrected for all pairs (Holm)"


def _counts_cell(context: Context, system: System) -> str:
    return f"{system['substitutions']}/{system['deletions']}/{system['insertions']}"


def _align_ms(context: Context, system: System) -> float | None:
    """Of attention itself; of what it and CTC say together where that is all there is."""
    found = system["alignment"]
    value: float | None = found["attention_ms"] if found["attention_ms"] is not None else found["combined_ms"]
    return value


def _about_alignment(context: Context) -> str:
    measured = [one["alignment"] for one in context.systems]
    against_what = sorted({one["against"] for one in measured if one["against"]})
    unit = next((one["unit"] for one in measured if one["unit"]), "word")
    return f"median error of {unit} boundaries told by attention, ms, against {' and '.join(against_what) or 'nothing'}"


def _aligned_value(context: Context, system: System) -> float | None:
    return min((one for one in system["aligned_at_step"].values() if one is not None), default=None)


def _aligned_cell(context: Context, system: System) -> str:
    if not system["watched"]:
        return NOTHING
    steps = system["aligned_at_step"]
    known = sorted(one for one in steps.values() if one is not None)
    if not known:
        return "never"
    span = f"{known[0]}" if known[0] == known[-1] else f"{known[0]}–{known[-1]}"
    return span if len(known) == len(steps) else f"{span} ({len(known)} of {len(steps)})"


def _seeds_cell(context: Context, system: System) -> str:
    diverged = len(system["diverged"])
    return f"{len(system['seeds'])}" + (f" ({diverged} div.)" if diverged else "")


def _seeds_value(context: Context, system: System) -> float | None:
    return float(len(system["seeds"]))


DECLARED: Final = (
    Declared(
        "system",
        10,
        lambda context: context.differs,
        "what differs",
        lambda context, system: None,
        lambda context, system: context.short_names[system["name"]],
        number=False,
    ),
    Declared(
        "percent", 20, lambda context: f"{context.made['metric'].upper()} %", _about_rate, _key("percent"), "{:.2f}"
    ),
    Declared("interval", 30, "95 % int.", _about_interval, _interval_value, _interval_cell, explained=True),
    Declared("difference", 40, "Δ", _about_difference, _points, _difference_cell, explained=True),
    Declared("verdict", 50, "verdict", _about_verdict, _points, _verdict_cell, number=False, explained=True),
    Declared(
        "cer_percent",
        140,
        "CER %",
        "character error rate, mean over seeds, percent",
        _key("cer_percent"),
        "{:.2f}",
    ),
    Declared("counts", 110, "S/D/I", "errors, summed over seeds", _key("errors"), _counts_cell),
    Declared("parameters", 60, "params", "parameters", _key("parameters", 1e-6), "{:.2f}M"),
    Declared("train_min", 70, "train min", "training time, minutes", _key("train_s", 1.0 / 60.0), "{:.1f}"),
    Declared("steps", 160, "steps", "training steps (updates)", _key("steps"), "{:,.0f}", published=False),
    Declared(
        "step_ms",
        130,
        "step ms",
        "training time / steps, milliseconds, validations included",
        _key("step_s", 1e3),
        "{:.0f}",
    ),
    Declared("align_ms", 80, "align ms", _about_alignment, _align_ms, "{:.0f}", explained=True),
    Declared(
        "aligned",
        90,
        "aligned at",
        "training step from which attention is aligned",
        _aligned_value,
        _aligned_cell,
    ),
    Declared("rtf", 120, "RTF", "decoding time / audio time", _key("rtf"), "{:.3f}"),
    Declared(
        "memory",
        150,
        "mem MiB",
        "peak memory of training",
        _key("peak_memory_mib"),
        "{:,.0f}",
        published=False,
    ),
    Declared("seeds", 100, "seeds", "runs; diverged ones named", _seeds_value, _seeds_cell),
)
"""From left to right; the lowest priority stays where there is little room."""
