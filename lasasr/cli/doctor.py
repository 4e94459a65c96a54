"""`lasasr doctor`: preflight of data, lengths, memory and configuration."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasasr.cli.arguments import Parser, add_recipe
from lasasr.errors import LasasrError, UsageError
from lasasr.escaping import unescaped

if TYPE_CHECKING:
    from lasasr.models.recognizer import Recognizer
    from lasasr.preparation.speech import Prepared

EPILOG = """\
examples:
  lasasr doctor librispeech/las_mini
  lasasr doctor synthetic/las_char listen.subsampling_factor=16 --quick
  lasasr doctor librispeech/las_100h_bpe1k trainer=ddp --ranks 8

Exit status 1: something would corrupt a result or end the run half way; 0: nothing, or only warnings."""


def run(arguments: list[str]) -> int:
    """Examine, print, write the JSON report; 1 if there is an error."""
    parser = Parser("doctor", "Look for what would corrupt a result or waste hours, before they are spent.", EPILOG)
    add_recipe(parser)
    parser.add_argument("--quick", action="store_true", help="read no audio, probe no memory")
    parser.add_argument("--ranks", type=int, metavar="N", help="of the planned run (default: as configured)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the report")
    options = parser.read(arguments)
    if options.ranks is not None and options.ranks < 1:
        raise UsageError(f"--ranks must be at least 1, got {options.ranks}")
    if options.json is not None and options.json.is_dir():
        raise UsageError(f"--json {options.json} is a folder, not a file")

    from lasasr.cli import show

    if show.asked(options):
        return show.show(options)

    from rich.console import Console

    from lasasr.cli.compose import compose
    from lasasr.cli.progress import progress
    from lasasr.doctor.examination import examine, place
    from lasasr.models.factory import check_targets

    config = compose(options.recipe, options.overrides)
    check_targets(config)
    with progress() as report:
        found = examine(config, report, listen=not options.quick, ranks=options.ranks)
    written = options.json or place(config)
    found.save(written)
    Console(file=unescaped(sys.stdout)).print(found.shown())
    errors, warnings = len(found.of("error")), len(found.of("warning"))
    print(f"{errors} errors, {warnings} warnings; every id: {written}")
    return int(errors > 0)


def glance(config: Mapping[str, Any], prepared: Prepared, recognizer: Recognizer) -> None:
    """The part that reads no audio, as `lasasr train` runs it: one line per warning, on the first rank.

    Raises:
        LasasrError: there is an error.
    """
    from lightning.pytorch.utilities import rank_zero_only

    from lasasr.doctor import examination

    found = examination.glance(config, prepared, recognizer)
    say = rank_zero_only(print)
    for one in found:
        if one.severity == "warning":
            say(f"warning: {one.line()}", file=sys.stderr, flush=True)
    errors = [one.line() for one in found if one.severity == "error"]
    if errors:
        more = f"; and {len(errors) - 1} more" if len(errors) > 1 else ""
        raise LasasrError(f"{errors[0]}{more} (lasasr doctor {config['recipe']} with the same overrides lists all)")
