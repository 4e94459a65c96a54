"""`lasasr plan`: how many seeds, speakers and hours would show a difference."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from lasasr.cli.arguments import Parser
from lasasr.errors import UsageError, looked_up
from lasasr.escaping import unescaped

if TYPE_CHECKING:
    from lasasr.comparison.pilot import Pilot

EPILOG = """\
examples:
  lasasr plan SWEEP --difference 1.0                 from its comparison.json, which lasasr compare SWEEP writes
  lasasr plan comparison.json --difference 0.5 --systems 8
  lasasr plan --difference 1.0 --seed-sd 0.3 --speaker-sd 2.5 --speakers 40 --hours-per-run 6
                                                     from published numbers, all in points of the error rate"""


def run(arguments: list[str]) -> int:
    """Print the plan, and write it if asked to."""
    parser = Parser("plan", "How many seeds, speakers and hours would show a difference.", EPILOG)
    parser.add_argument("pilot", metavar="PILOT", nargs="?", type=Path, help="comparison.json, a card, or a SWEEP")
    parser.add_argument("--difference", metavar="POINTS", type=float, required=True, help="that is to be shown")
    parser.add_argument("--systems", type=int, default=2, help="that are compared (default: 2)")
    parser.add_argument("--baseline", action="store_true", help="each against one only, not all pairs")
    parser.add_argument("--power", type=float, default=0.8, help="of finding the difference (default: 0.8)")
    parser.add_argument("--normal-seeds", action="store_true", help="take seeds as normal: 2 against 2 can decide")
    parser.add_argument("--hours-per-run", type=float, help="of training (default: the pilot's)")
    parser.add_argument("--seed-sd", type=float, help="between the seeds of a system, points")
    parser.add_argument("--speaker-sd", type=float, help="between speakers, of the difference of two systems, points")
    parser.add_argument("--speakers", type=int, help="of the test set, with --speaker-sd")
    parser.add_argument("--utterances", type=int, help="of the test set, with --speaker-sd (default: unknown)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the plan")
    options = parser.read(arguments)
    _check(options)
    return _plan(options)


def _check(options: Namespace) -> None:
    for name in ("difference", "hours_per_run", "speaker_sd"):
        value = getattr(options, name)
        if value is not None and not 0.0 < value < float("inf"):
            raise UsageError(f"--{name.replace('_', '-')} must be above 0, got {value:g}")
    if options.seed_sd is not None and not 0.0 <= options.seed_sd < float("inf"):
        raise UsageError(f"--seed-sd must be at least 0, got {options.seed_sd:g}")
    if options.systems < 2:
        raise UsageError(f"--systems must be at least 2, got {options.systems}")
    if not 0.5 <= options.power < 1.0:
        raise UsageError(f"--power must be at least 0.5 and below 1, got {options.power:g}")
    published = [name for name in ("seed_sd", "speaker_sd", "speakers") if getattr(options, name) is not None]
    if options.pilot is None and len(published) < 3:
        raise UsageError("without a PILOT give --seed-sd, --speaker-sd and --speakers")
    if options.pilot is not None and (published or options.utterances is not None):
        raise UsageError(f"{options.pilot} says how much seeds and speakers differ; leave out --seed-sd and the like")
    if options.speakers is not None and options.speakers < 6:
        raise UsageError(f"--speakers must be at least 6, got {options.speakers}: fewer decide nothing")


def _plan(options: Namespace) -> int:
    from rich.console import Console

    from lasasr.artifacts import files
    from lasasr.comparison.plan import Wanted, plan
    from lasasr.metrics.significance.verdict import Rules
    from lasasr.report.plan_table import plan_table

    pilot = _pilot(options)
    hours = options.hours_per_run or pilot.hours_per_run
    rules = Rules(power=options.power, trust_normal_seeds=options.normal_seeds)
    contents = plan(pilot, Wanted(options.difference, options.systems, options.baseline, hours), rules)
    if options.json is not None:
        files.write_json(options.json, contents)
    Console(file=unescaped(sys.stdout)).print(plan_table(contents))
    return 0


def _pilot(options: Namespace) -> Pilot:
    from lasasr.comparison import card
    from lasasr.comparison.pilot import Pilot, pilot
    from lasasr.metrics.significance.planning import published

    if options.pilot is None:
        parts = published(options.seed_sd, options.speaker_sd, options.speakers)
        return Pilot(parts, options.speakers, options.utterances, None, "wer", "such a test set", 0)
    path = options.pilot / "comparison.json" if options.pilot.is_dir() else options.pilot
    if not path.exists():
        raise UsageError(
            f"{path} is missing: lasasr compare writes it into a sweep, and for runs into the current folder; name the "
            f"sweep, or that file{looked_up(path)}"
        )
    with card.drawn_from(path):
        return pilot(card.read(path))
