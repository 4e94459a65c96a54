"""`lasasr prepare`: corpus to manifests, tokenizer and statistics."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lasasr.cli.arguments import Parser, add_recipe
from lasasr.errors import UsageError

if TYPE_CHECKING:
    from lasasr.configuration.settings import Settings
    from lasasr.preparation.speech import Prepared

EPILOG = """\
examples:
  lasasr prepare librispeech/las_100h_bpe1k
  lasasr prepare librispeech/las_100h_bpe1k --shards /scratch/shards      # few large files (docs/shards.md)
  lasasr train librispeech/las_100h_bpe1k corpus=shar corpus.root=/scratch/shards corpus.transcript=librispeech"""


def run(arguments: list[str]) -> int:
    """Prepare what the recipe needs, and say what there is."""
    about = "Make manifests, tokenizer and statistics of a recipe; what is there is reused unless audio has changed."
    parser = Parser("prepare", about, EPILOG)
    add_recipe(parser)
    _add_shards(parser)
    options = parser.read(arguments)
    _check_shards(options)

    from lasasr.cli import show

    if show.is_requested(options):
        return show.show(options)

    from lasasr.cli.compose import load
    from lasasr.cli.progress import progress
    from lasasr.tasks.lookup import task_of

    settings = load(options.recipe, options.overrides)
    if options.shards:
        settings.refuse("--shards")
    task = task_of(settings)
    with progress() as report:
        prepared = task.prepare(report, again=True)
    for line in task.warnings(prepared):
        print(f"warning: {line}", file=sys.stderr)
    for line in task.describe(prepared):
        print(line)
    if options.shards:
        _write_shards(options, settings, prepared)
    return 0


def _add_shards(parser: Parser) -> None:
    group = parser.add_argument_group("to write the corpus as Lhotse Shar, audio included")
    group.add_argument("--shards", type=Path, metavar="DIR", help="a folder per split is made in it")
    group.add_argument("--shard-size", type=int, metavar="N", help="utterances of a shard (default: 1000)")
    kinds = "copy: files as they are, parts of files without loss (default); or recoded to flac or wav"
    group.add_argument("--audio", choices=("copy", "flac", "wav"), help=kinds)


def _check_shards(options: argparse.Namespace) -> None:
    if options.shards is None:
        for name, value in (("--shard-size", options.shard_size), ("--audio", options.audio)):
            if value is not None:
                raise UsageError(f"{name} {value} needs --shards DIR")
    elif options.shards.exists() and not options.shards.is_dir():
        raise UsageError(f"--shards {options.shards} is a file, not a folder")
    if options.shard_size is not None and options.shard_size < 1:
        raise UsageError(f"--shard-size must be at least 1, got {options.shard_size}")


def _write_shards(options: argparse.Namespace, settings: Settings, prepared: Prepared) -> None:
    from lasasr.cli.progress import progress
    from lasasr.corpora.shar_writer import write_shards

    if prepared.first_utterances is not None:
        raise UsageError("--shards writes whole splits: leave out debug=overfit")
    rule = prepared.rule.name
    target = str(settings.corpus["_target_"])
    metadata = {"corpus": target, "fingerprint": prepared.fingerprint, "transcript": rule}
    with progress() as report:
        written = write_shards(
            prepared.manifests, options.shards, metadata, report, options.audio or "copy", options.shard_size or 1000
        )
    for split, shards in written["splits"].items():
        size = sum(size for size, _ in shards["files"].values()) / 2**20
        utterances, count = shards["utterances"], len(shards["files"]) // 2
        print(f"{split:12s} {utterances:7d} utterances in {count:5d} shards, {size:,.0f} MiB")
    print(f"read them with: corpus=shar corpus.root={options.shards} corpus.transcript={rule}")
