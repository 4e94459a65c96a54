"""`lasasr adapted`: what adapting a recognizer gained on the target, and what it forgot of the source."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lasasr.cli.arguments import Parser, add_device, usable
from lasasr.errors import UsageError
from lasasr.escaping import unescaped

if TYPE_CHECKING:
    from lasasr.comparison.adapted import DecodedSide
    from lasasr.metrics.significance.adaptation import Side

EPILOG = """\
examples:
  lasasr adapted BEFORE AFTER --source before:test --target after:test
  lasasr adapted BEFORE lora=RUN full=RUN,RUN --source before:test --target children.tsv --html adapted.html
  lasasr adapted BEFORE_SWEEP AFTER_SWEEP --source before:test --target after:test search.beam=4

BEFORE and AFTER are run folders or sweeps; runs that differ by their seed only are one method; NAME=RUN names it.
A split is before:SPLIT or after:SPLIT, of the corpus that the run was trained on, or a table as of
corpus=table (.tsv, .csv, .jsonl, .json). All runs are decoded by the search of BEFORE; what is decoded already is read.
Verdicts: docs/post-training.md."""
_SEARCH = re.compile(r"[+~]*(?:scorer@)?search(?:[.=].*)?")
SIDES: Final[tuple[Side, ...]] = ("source", "target")


def run(arguments: list[str]) -> int:
    """Decode what is not decoded yet, print the verdicts, write adapted.json and what else is asked for."""
    options = _parser().read(arguments)
    options.overrides = [word for word in options.paths if _SEARCH.fullmatch(word) and not Path(word).exists()]
    words = [word for word in options.paths if word not in options.overrides]
    if len(words) < 2:
        raise UsageError("adapted takes BEFORE and at least one AFTER (lasasr adapted --help)")
    for name in ("out", "html", "svg"):
        if (path := getattr(options, name)) is not None and path.is_dir():
            raise UsageError(f"--{name} takes a file, but {path} is a folder")

    from rich.console import Console

    from lasasr.artifacts import files
    from lasasr.comparison.adapted import document
    from lasasr.metrics.significance.verdict import Rules
    from lasasr.report.adapted_chart import svg
    from lasasr.report.adapted_table import adapted_page, adapted_table

    contents = document(
        _decoded(Path(words[0]), _methods(words[1:]), options), Rules(trust_normal_seeds=options.normal_seeds)
    )
    files.write_json(options.out, contents)
    Console(file=unescaped(sys.stdout)).print(adapted_table(contents))
    print(f"adapted:    {options.out}")
    if options.html is not None:
        files.write_text(options.html, adapted_page(contents))
        print(f"page:       {options.html}")
    if options.svg is not None:
        svg(contents, options.svg)
        print(f"picture:    {options.svg}")
    return 0


def _parser() -> Parser:
    parser = Parser("adapted", "What adapting gained on the target, and what was forgotten of the source.", EPILOG)
    parser.add_argument("paths", metavar="BEFORE AFTER", nargs="+", help="runs or sweeps; also search overrides")
    for side, what in (("source", "what BEFORE was trained for"), ("target", "what AFTER was adapted to")):
        parser.add_argument(
            f"--{side}", metavar="SPLIT", required=True, help=f"{what}: before:SPLIT, after:SPLIT, TABLE"
        )
    parser.add_argument("--normal-seeds", action="store_true", help="take seeds as normal: 2 against 2 can decide")
    parser.add_argument("--out", metavar="FILE", type=Path, default=Path("adapted.json"), help="default: adapted.json")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write one page that needs no network")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="write the picture: gain against loss")
    add_device(parser)
    return parser


def _methods(words: Sequence[str]) -> dict[str | None, list[Path]]:
    """NAME=RUN,RUN by name; paths alone below None."""
    methods: dict[str | None, list[Path]] = {}
    for word in words:
        name, equals, paths = word.partition("=")
        if not equals or Path(word).exists():
            methods.setdefault(None, []).append(Path(word))
            continue
        if not name or not paths or name in methods:
            raise UsageError(f"{word}: a method is NAME=RUN or NAME=RUN,RUN, each name once")
        methods[name] = [Path(path) for path in paths.split(",")]
    return methods


def _decoded(
    before_path: Path, method_paths: Mapping[str | None, Sequence[Path]], options: Namespace
) -> dict[Side, DecodedSide]:
    """All runs on both test sets."""
    from lasasr.cli import adapted_decoding
    from lasasr.cli.progress import progress
    from lasasr.comparison.adapted import DecodedSide
    from lasasr.comparison.entries import find

    before = adapted_decoding.runs([before_path])
    methods = {name: adapted_decoding.runs(paths) for name, paths in method_paths.items()}
    search = adapted_decoding.chosen_search(before[0], options.overrides)
    first = next(iter(methods.values()))[0]
    test_sets = {side: adapted_decoding.test_set(getattr(options, side), side, before[0], first) for side in SIDES}
    decoded: dict[Side, DecodedSide] = {}
    for side, test_set in test_sets.items():
        with progress() as report:
            decode = partial(adapted_decoding.decode, on=test_set, search=search, device=usable(options.device))
            results = [decode(run, progress=report) for run in before]
            of_methods = {name: [decode(run, progress=report) for run in runs] for name, runs in methods.items()}
        split = test_set.split
        after = {name: find(paths, split) for name, paths in of_methods.items()}
        decoded[side] = DecodedSide(test_set.label, find(results, split), after)
    return decoded
