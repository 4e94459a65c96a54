"""`lasasr export`: the bundle of a run, for use elsewhere."""

from __future__ import annotations

from pathlib import Path

from lasasr.cli.arguments import Parser


def run(arguments: list[str]) -> int:
    """Load the run's bundle, so that a damaged one is not passed on, and write it to `--out`."""
    parser = Parser("export", "Write the bundle of a run: weights, config, tokenizer.")
    parser.add_argument("run", type=Path, help="run folder or bundle")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.read(arguments)

    from lasasr.artifacts import files, run_paths
    from lasasr.errors import LasasrError
    from lasasr.models.recognizer import Recognizer

    if options.out.exists() and any(options.out.iterdir()):
        raise LasasrError(f"{options.out} is not empty; name a new folder")
    recognizer = Recognizer.load(run_paths.bundle_folder(options.run))
    with files.replacing_folder(options.out) as folder:
        recognizer.save(folder)
    print(options.out)
    return 0
