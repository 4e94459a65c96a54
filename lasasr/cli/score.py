"""`lasasr score`: the error rates of files of texts, of any toolkit."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from lasasr.cli.arguments import Parser
from lasasr.cli.text_options import add_text_options, named_texts, reference, scoring, speakers
from lasasr.escaping import unescaped

EPILOG = """\
examples:
  lasasr score ref.trn hyp.trn                               sclite's files
  lasasr score data/test/text exp/decode/text                Kaldi's, with utt2spk beside the reference
  lasasr score data/test exp/decode_test/test                folders of Kaldi and ESPnet
  lasasr score --own manifest.jsonl                          a file that holds both: NeMo's text and pred_text
  lasasr score ref.stm hyp.ctm
  lasasr score ref.csv a.csv b.csv --normalizer whisper --speaker 'id[:4]'"""


def run(arguments: list[str]) -> int:
    """Print a line per file."""
    parser = Parser("score", "Count the errors of hypotheses.", EPILOG)
    parser.add_argument("files", metavar="REF HYP", nargs="+", type=Path, help="references, then hypotheses")
    parser.add_argument("--own", action="store_true", help="no REF: the files hold their references")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the numbers")
    add_text_options(parser)
    options = parser.read(arguments)
    options.reference = None if options.own else options.files[0]
    files = options.files if options.own else options.files[1:]
    if not files:
        parser.error(f"only {options.files[0]} is given: name REF and HYP, or --own for a file that holds both")
    return _score(files, options)


def _score(files: list[Path], options: Namespace) -> int:
    from rich.console import Console

    from lasasr.artifacts import files as written
    from lasasr.comparison.score import scored_files
    from lasasr.comparison.texts import text_comparison
    from lasasr.report.score_table import score_table

    systems = named_texts([(str(path), [path]) for path in files], options)
    rule, table = speakers(options)
    _, scored, notes, _ = text_comparison(reference(options), systems, None, scoring(options), rule, table)
    rows = scored_files(scored)
    if options.json is not None:
        written.write_json(options.json, {"schema": 1, "kind": "score", "notes": notes, "files": rows})
    console = Console(file=unescaped(sys.stdout))
    console.print(score_table(rows, notes))
    return 0
