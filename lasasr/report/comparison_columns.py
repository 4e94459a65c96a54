"""The columns of a table of systems, the same for terminal, Markdown and page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lasasr.comparison.pairs import Against, against, centre, interval_of, labels, signed
from lasasr.search_identity import search_words

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
    number: bool = True  # stands at the right


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
    """All columns that hold anything."""
    systems = sorted_systems(made)
    metric = made["metric"].upper()
    differs, short = labels(made)
    seeds = max(len(one["seeds"]) + len(one["lost"]) for one in systems)
    made_columns = [
        Column("system", differs, [short[one["name"]] for one in systems], [], "what differs", False),
        _column("percent", f"{metric} %", systems, lambda one: one["percent"], "{:.2f}", _about_rate(made, seeds)),
        _interval_column(systems, made["about"]),
        *_against_columns(made, systems),
        _column("cer_percent", "CER %", systems, lambda one: one["cer_percent"], "{:.2f}", _ABOUT_CER),
        _counts_column(systems),
        _column("parameters", "params", systems, _millions, "{:.2f}M", "parameters"),
        _column("train_min", "train min", systems, _train_min, "{:.1f}", "training time, minutes"),
        _column("steps", "steps", systems, lambda one: one["steps"], "{:,.0f}", "training steps (updates)"),
        _column("step_ms", "step ms", systems, lambda one: _scaled(one["step_s"], 1e3), "{:.0f}", _ABOUT_STEP),
        _column("align_ms", "align ms", systems, _align_ms, "{:.0f}", _about_alignment(systems)),
        _aligned_column(systems),
        _column("rtf", "RTF", systems, lambda one: one["rtf"], "{:.3f}", "decoding time / audio time"),
        _column("memory", "mem MiB", systems, lambda one: one["peak_memory_mib"], "{:,.0f}", "peak memory of training"),
        _seeds_column(systems),
    ]
    told = [one for one in made_columns if any(cell != NOTHING for cell in one.cells)]
    return [one for one in told if one.key != "cer_percent" or made["metric"] != "cer"]


_ABOUT_CER = "character error rate, mean over seeds, percent"
_ABOUT_STEP = "training time / steps, milliseconds, validations included"


def _about_rate(made: Mapping[str, Any], seeds: int) -> str:
    over = "mean over seeds of the pooled rate" if seeds > 1 else "pooled rate"
    return f"{over} on {made['split']}, percent"


def _column(
    key: str, header: str, systems: Sequence[System], value: Callable[[System], Any], form: str, about: str
) -> Column:
    values = [None if (found := value(one)) is None else float(found) for one in systems]
    return Column(key, header, [NOTHING if one is None else form.format(one) for one in values], values, about)


def _millions(system: System) -> float | None:
    return _scaled(system["parameters"], 1e-6)


def _train_min(system: System) -> float | None:
    return _scaled(system["train_s"], 1.0 / 60.0)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _interval_column(systems: Sequence[System], about: str) -> Column:
    found = [interval_of(one, about) for one in systems]
    cells = [NOTHING if one is None else f"{one['low']:.2f}–{one['high']:.2f}" for one in found]
    over = sorted({str(one["method"]) for one in found if one is not None})
    return Column(
        "interval", "95 % int.", cells, [None if one is None else float(one["low"]) for one in found], "; ".join(over)
    )


def _against_columns(made: Mapping[str, Any], systems: Sequence[System]) -> list[Column]:
    """The difference to the centre, and its verdict."""
    if not made["pairs"]:
        return []
    middle = centre(made)
    found: dict[str, Against] = {one.name: one for one in against(made, middle)}
    differences = [found.get(one["name"]) for one in systems]
    points = [None if one is None else one.points for one in differences]
    of = "the systems" if made["about"] == "systems" else "these runs, not other seeds"
    return [
        Column(
            "difference",
            "Δ",
            [NOTHING if one is None else signed(one.points) for one in differences],
            points,
            f"points against {middle}; negative is better",
        ),
        Column(
            "verdict",
            "verdict",
            [NOTHING if one is None else WORDS[one.word] for one in differences],
            points,
            f"against {middle}, about {of}, corrected for all pairs (Holm)",
            False,
        ),
    ]


def _counts_column(systems: Sequence[System]) -> Column:
    cells = [f"{one['substitutions']}/{one['deletions']}/{one['insertions']}" for one in systems]
    return Column("counts", "S/D/I", cells, [float(one["errors"]) for one in systems], "errors, summed over seeds")


def _align_ms(system: System) -> float | None:
    """Of attention itself; of what it and CTC say together where that is all there is."""
    found = system["alignment"]
    value: float | None = found["attention_ms"] if found["attention_ms"] is not None else found["combined_ms"]
    return value


def _about_alignment(systems: Sequence[System]) -> str:
    against_what = sorted({one["alignment"]["against"] for one in systems if one["alignment"]["against"]})
    unit = next((one["alignment"]["unit"] for one in systems if one["alignment"]["unit"]), "word")
    return f"median error of {unit} boundaries told by attention, ms, against {' and '.join(against_what) or 'nothing'}"


def _aligned_column(systems: Sequence[System]) -> Column:
    cells = [_aligned(one["aligned_at_step"]) if one["watched"] else NOTHING for one in systems]
    steps = [[one for one in system["aligned_at_step"].values() if one is not None] for system in systems]
    values: list[float | None] = [min(one, default=None) for one in steps]
    return Column("aligned", "aligned at", cells, values, "training step from which attention is aligned")


def _aligned(steps: Mapping[str, int | None]) -> str:
    known = sorted(one for one in steps.values() if one is not None)
    if not known:
        return "never"
    span = f"{known[0]}" if known[0] == known[-1] else f"{known[0]}–{known[-1]}"
    return span if len(known) == len(steps) else f"{span} ({len(known)} of {len(steps)})"


def _seeds_column(systems: Sequence[System]) -> Column:
    cells = []
    for one in systems:
        diverged = len(one["diverged"])
        cells.append(f"{len(one['seeds'])}" + (f" ({diverged} div.)" if diverged else ""))
    return Column("seeds", "seeds", cells, [float(len(one["seeds"])) for one in systems], "runs; diverged ones named")
