"""`lasasr prepare`: corpus to manifests, tokenizer and statistics."""

from __future__ import annotations

from typing import Any

from lasasr.cli.arguments import Parser, add_recipe


def run(arguments: list[str]) -> int:
    """Prepare what the recipe needs, and say what there is."""
    parser = Parser("prepare", "Make the manifests, tokenizer and statistics of a recipe; what is there is reused.")
    add_recipe(parser)
    options = parser.read(arguments)

    from lasasr.cli import show

    if show.asked(options):
        return show.show(options)

    from lasasr.cli.compose import compose
    from lasasr.cli.progress import progress
    from lasasr.prepare import prepare

    config = compose(options.recipe, options.overrides)
    if "lm" in config:
        return _prepare_text(config)
    with progress() as report:
        prepared = prepare(config, report)
    for split in prepared.manifests:
        utterances = prepared.utterances(split)
        speakers, hours = len(set(utterances.speakers)), utterances.durations_s.sum() / 3600
        print(f"{split:12s} {len(utterances):7d} utterances {speakers:5d} speakers {hours:8.2f} h")
    print(f"vocabulary   {prepared.tokenizer.vocabulary_size:7d} tokens, four of them special")
    return 0


def _prepare_text(config: dict[str, Any]) -> int:
    from lasasr.cli.progress import progress
    from lasasr.prepare_text import prepare_text

    with progress() as report:
        prepared = prepare_text(config, report)
    for split in prepared.splits:
        counts = prepared.sentences(split).counts
        left_out = f", {counts.left_out} left out: {counts.first_left_out}" if counts.left_out else ""
        print(f"{split:12s} {counts.sentences:9d} sentences {counts.words:10d} words{left_out}")
    print(f"vocabulary   {prepared.tokenizer.vocabulary_size:9d} tokens, four of them special")
    return 0
