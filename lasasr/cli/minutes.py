"""`lasasr minutes`: the error rate of one speaker against the minutes of own speech that were adapted to."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasasr.cli.arguments import Parser, add_device, usable
from lasasr.errors import UsageError
from lasasr.escaping import unescaped

if TYPE_CHECKING:
    from lasasr.artifacts.runs import Run

EPILOG = """\
examples:
  lasasr train my.yaml adapt=lora warm_start.run=BASE adapt.speaker=ID adapt.minutes=1,2,5,10 -m
  lasasr minutes BASE SWEEP --svg minutes.svg

BASE is what was adapted, the row of 0 minutes; SWEEP, or several runs, have adapt.speaker and adapt.minutes. All are
decoded on the speaker's own test recordings by the search of BASE; what is decoded already is read. Intervals:
bootstrap over utterances, of this speaker; the difference to 0 minutes is paired."""


def run(arguments: list[str]) -> int:
    """Decode what is not decoded yet, print the table, write minutes.json and the picture."""
    parser = Parser("minutes", "Minutes of a speaker's own speech, and the error rate that they bring.", EPILOG)
    parser.add_argument("base", metavar="BASE", type=Path, help="run that was adapted")
    parser.add_argument("runs", metavar="SWEEP|RUN", type=Path, nargs="+", help="adapted with adapt.speaker")
    parser.add_argument("--out", metavar="FILE", type=Path, default=Path("minutes.json"), help="default: minutes.json")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="write the curve")
    add_device(parser)
    options = parser.read(arguments)
    for name in ("out", "svg"):
        if (path := getattr(options, name)) is not None and path.is_dir():
            raise UsageError(f"--{name} takes a file, but {path} is a folder")

    from rich.console import Console

    from lasasr.artifacts import files
    from lasasr.report.minutes_chart import minutes_table, svg

    contents = _contents(options)
    files.write_json(options.out, contents)
    Console(file=unescaped(sys.stdout)).print(minutes_table(contents))
    print(f"minutes:    {options.out}")
    if options.svg is not None:
        svg(contents, options.svg)
        print(f"picture:    {options.svg}")
    return 0


def _contents(options: Namespace) -> dict[str, Any]:
    """All runs decoded on the speaker's test recordings, as minutes.json holds them."""
    from lasasr.cli import adapted_decoding
    from lasasr.cli.progress import progress
    from lasasr.comparison.entries import find
    from lasasr.comparison.minutes import document

    (base,) = adapted_decoding.runs([options.base])[:1]
    adapted = adapted_decoding.runs(options.runs)
    speaker = _speaker(adapted)
    test_set = adapted_decoding.test_set("after:test", "target", base, adapted[0])
    search = adapted_decoding.chosen_search(base, [])
    device = usable(options.device)
    with progress() as report:
        paths = [adapted_decoding.decode(run, test_set, search, device, report) for run in (base, *adapted)]
    decoded = [find([path], test_set.split).runs[0] for path in paths]
    trained_on = [_trained_on(run) for run in adapted]
    return document(speaker, decoded[0], list(zip(trained_on, decoded[1:], strict=True)))


def _speaker(runs: list[Run]) -> str:
    """The speaker whom all of them were adapted to.

    Raises:
        UsageError: one was adapted to nobody, or they were to several.
    """
    of_runs = {run.folder.name: (run.config().get("adapt") or {}).get("speaker") for run in runs}
    for name, speaker in of_runs.items():
        if speaker is None:
            raise UsageError(f"{name} was adapted to no single speaker: minutes takes runs with adapt.speaker=ID")
    speakers = sorted({str(speaker) for speaker in of_runs.values()})
    if len(speakers) > 1:
        raise UsageError(f"the runs were adapted to several speakers, {', '.join(speakers)}: give those of one")
    return speakers[0]


def _trained_on(run: Run) -> float:
    """The minutes that it was trained on, as wanted; where all were taken, what its corpus has."""
    minutes = run.config()["adapt"].get("minutes")
    if minutes is None:
        raise UsageError(
            f"{run.folder.name} was adapted to all of the speaker's speech: give adapt.minutes, which are drawn"
        )
    return float(minutes)
