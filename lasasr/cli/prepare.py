"""`lasasr prepare`: corpus to manifests, tokenizer and statistics."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lasasr.cli.arguments import Parser, add_recipe
from lasasr.errors import UsageError

if TYPE_CHECKING:
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

    if show.asked(options):
        return show.show(options)

    from lasasr.cli.compose import compose
    from lasasr.cli.progress import progress
    from lasasr.doctor.names import confusable
    from lasasr.preparation.speech import prepare

    config = compose(options.recipe, options.overrides)
    if "lm" in config:
        if options.shards:
            raise UsageError(f"--shards: {options.recipe} is a language model's recipe, whose corpus holds no audio")
        return _prepare_text(config)
    with progress() as report:
        prepared = prepare(config, report, again=True)
    for split in prepared.manifests:
        for finding in confusable(split, prepared.utterances(split)):
            print(f"warning: {finding.line()}", file=sys.stderr)
    for split in prepared.manifests:
        utterances = prepared.utterances(split)
        speakers, hours = len(set(utterances.speakers)), utterances.durations_s.sum() / 3600
        print(f"{split:12s} {len(utterances):7d} utterances {speakers:5d} speakers {hours:8.2f} h")
    print(f"vocabulary   {prepared.tokenizer.vocabulary_size:7d} tokens, four of them special")
    if options.shards:
        _write_shards(options, config, prepared)
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


def _write_shards(options: argparse.Namespace, config: dict[str, Any], prepared: Prepared) -> None:
    from lasasr.cli.progress import progress
    from lasasr.corpora.shar_writer import write_shards

    if prepared.first_utterances is not None:
        raise UsageError("--shards writes whole splits: leave out debug=overfit")
    rule = prepared.rule.name
    about = {"corpus": str(config["corpus"]["_target_"]), "fingerprint": prepared.fingerprint, "transcript": rule}
    with progress() as report:
        made = write_shards(
            prepared.manifests, options.shards, about, report, options.audio or "copy", options.shard_size or 1000
        )
    for split, one in made["splits"].items():
        size = sum(size for size, _ in one["files"].values()) / 2**20
        print(f"{split:12s} {one['utterances']:7d} utterances in {len(one['files']) // 2:5d} shards, {size:,.0f} MiB")
    print(f"read them with: corpus=shar corpus.root={options.shards} corpus.transcript={rule}")


def _prepare_text(config: dict[str, Any]) -> int:
    from lasasr.cli.progress import progress
    from lasasr.preparation.text import prepare_text

    with progress() as report:
        prepared = prepare_text(config, report)
    for split in prepared.splits:
        counts = prepared.sentences(split).counts
        left_out = f", {counts.left_out} left out: {counts.first_left_out}" if counts.left_out else ""
        print(f"{split:12s} {counts.sentences:9d} sentences {counts.words:10d} words{left_out}")
    print(f"vocabulary   {prepared.tokenizer.vocabulary_size:9d} tokens, four of them special")
    return 0
