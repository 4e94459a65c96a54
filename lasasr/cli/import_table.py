"""`lasasr import`: recordings as others list them become a table, to be looked at and corrected before training."""

from __future__ import annotations

from pathlib import Path

from lasasr.cli.arguments import Parser
from lasasr.errors import UsageError
from lasasr.remaining import duration

EPILOG = """\
examples:
  lasasr import data/train --out train.tsv                      a data directory of Kaldi or ESPnet
  lasasr import manifest.json --out train.tsv                   of NeMo
  lasasr import recordings --out all.tsv                        a folder: anna/one.wav beside anna/one.txt
  lasasr import user/name --split test --out test.tsv           of Hugging Face (lasasr[huggingface])
  lasasr import clips.csv --columns audio=path text=sentence --out all.tsv
  lasasr train synthetic/las_char corpus=table corpus.train=train.tsv corpus.dev=dev.tsv corpus.test=test.tsv

What is imported can be trained on without: corpus=kaldi, corpus=folder, corpus=huggingface."""


def run(arguments: list[str]) -> int:
    """Read SOURCE and write the table."""
    parser = Parser("import", "Write a table of recordings that are listed in another form.", EPILOG)
    parser.add_argument("source", metavar="SOURCE", help="table, data directory, folder, or name on Hugging Face's hub")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="table to write, .tsv or .jsonl")
    parser.add_argument("--format", help="table, kaldi, folder or huggingface (default: found by looking)")
    parser.add_argument("--split", default="train", help="of a data set of Hugging Face (default: train)")
    parser.add_argument("--columns", nargs="+", metavar="OURS=THEIRS", default=[], help="as text=sentence id=path")
    parser.add_argument("--force", action="store_true", help="write over a table that is there")
    options = parser.read(arguments)
    columns = dict(_pair(text) for text in options.columns)
    if options.out.exists() and not options.force:
        raise UsageError(f"--out {options.out} is there already; name another file, or add --force")
    if options.out.suffix not in (".tsv", ".jsonl"):
        raise UsageError(f"--out {options.out}: a table is written as .tsv or .jsonl")

    from lasasr.corpora import audio_files, import_rows
    from lasasr.errors import nearest

    if options.format is not None and options.format not in import_rows.FORMATS:
        raise UsageError(f"--format {options.format}; {nearest(options.format, import_rows.FORMATS, most=4)}")
    format = options.format or import_rows.format_of(options.source)
    rows = import_rows.rows_from(options.source, format, options.out, options.split, columns or None)
    sizes = {path: audio_files.size(path, where) for path, where in {row.audio: row.where for row in rows}.items()}
    seconds = sum((row.end_s or sizes[row.audio].duration_s) - row.start_s for row in rows)
    import_rows.write_table(rows, options.out)
    speakers = len({row.speaker for row in rows if row.speaker})
    counted = f"{speakers or 'unknown'} speaker{'s' * (speakers != 1)}"
    print(f"{options.out}: {len(rows)} utterances, {duration(seconds)}, {counted} ({format})")
    return 0


def _pair(text: str) -> tuple[str, str]:
    ours, equals, theirs = text.partition("=")
    if not (ours and equals and theirs):
        raise UsageError(f"--columns {text}: write OURS=THEIRS, as text=sentence")
    return ours, theirs
