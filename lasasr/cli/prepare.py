"""`lasasr prepare`: corpus to manifests, tokenizer and statistics."""

from __future__ import annotations

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

    with progress() as report:
        prepared = prepare(compose(options.recipe, options.overrides), report)
    for split in prepared.manifests:
        utterances = prepared.utterances(split)
        speakers, hours = len(set(utterances.speakers)), utterances.durations_s.sum() / 3600
        print(f"{split:12s} {len(utterances):7d} utterances {speakers:5d} speakers {hours:8.2f} h")
    print(f"vocabulary   {prepared.tokenizer.vocabulary_size:7d} tokens, four of them special")
    return 0
