"""`lasasr fisher`: how much each weight of a trained recognizer matters for its own data; adapt=ewc reads it."""

from __future__ import annotations

from pathlib import Path

from lasasr.cli.arguments import Parser, add_device, usable

EPILOG = """\
examples:
  lasasr fisher RUN                      writes RUN/bundle/fisher.safetensors
  lasasr train RECIPE adapt=ewc warm_start.run=RUN"""


def run(arguments: list[str]) -> int:
    """Estimate it on utterances of train, and write it into the bundle of the run."""
    parser = Parser("fisher", "Estimate how much each weight matters for the data of a run, for adapt=ewc.", EPILOG)
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder of a recognizer")
    parser.add_argument("--utterances", type=int, default=300, metavar="N", help="of train, drawn by the seed (300)")
    add_device(parser, default="auto")
    options = parser.read(arguments)

    from lasasr.artifacts import run_paths
    from lasasr.artifacts.run_lock import writing
    from lasasr.cli.progress import progress
    from lasasr.preparation.speech import prepare
    from lasasr.training import fisher

    source = run_paths.find_run(options.run)
    settings, folder = source.recognition(), run_paths.bundle_folder(source.folder)
    with writing(source.folder, "examined"), progress() as report:
        prepared = prepare(settings, report)
        path = fisher.estimate(settings, folder, prepared, options.utterances, report, usable(options.device))
    print(path)
    return 0
