"""`lasasr doctor`: preflight of data, lengths, memory and configuration."""

from __future__ import annotations

import sys
from pathlib import Path

from lasasr.cli.arguments import Parser, add_recipe
from lasasr.errors import UsageError
from lasasr.escaping import unescaped

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

    if show.is_requested(options):
        return show.show(options)

    from rich.console import Console

    from lasasr.cli.compose import load
    from lasasr.cli.progress import progress
    from lasasr.configuration.settings import Recognition
    from lasasr.doctor.examination import full_check, report_path
    from lasasr.models.factory import check_targets

    settings = load(options.recipe, options.overrides)
    settings.refuse("doctor")
    assert isinstance(settings, Recognition)
    check_targets(settings.plain)
    with progress() as progressing:
        report = full_check(settings, progressing, listen=not options.quick, ranks=options.ranks)
    written = options.json or report_path(settings)
    report.save(written)
    Console(file=unescaped(sys.stdout)).print(report.shown())
    errors, warnings = len(report.of("error")), len(report.of("warning"))
    counted = f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
    print(f"{counted}; every id: {written}")
    return int(errors > 0)
