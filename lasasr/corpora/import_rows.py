"""Recordings as others list them → rows, and rows → a table that `corpus=table` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lasasr.artifacts import files
from lasasr.artifacts.files import expanded
from lasasr.corpora import folder, huggingface, kaldi, table_files
from lasasr.corpora import rows as tables
from lasasr.corpora.columns import columns_from
from lasasr.corpora.rows import Row
from lasasr.errors import LasasrError, UsageError, looked_up

FORMATS: Final = ("table", "kaldi", "folder", "huggingface")
COLUMNS: Final = ("id", "audio", "text", "speaker", "start_s", "end_s")


def format_of(source: str) -> str:
    """Which form a source has.

    Raises:
        LasasrError: none that is known.
    """
    path = expanded(source)
    if path.is_dir():
        if any((path / name).is_file() for name in ("wav.scp", "text", "segments")) or list(path.glob("*/wav.scp")):
            return "kaldi"
        if any((path / name).is_file() for name in ("dataset_dict.json", "state.json", "dataset_info.json")):
            return "huggingface"
        return "folder"
    if path.suffix in table_files.SUFFIXES:
        return "table"
    if not path.exists() and source.count("/") == 1 and not source.startswith((".", "/", "~")):
        return "huggingface"
    fault = "has an ending that no table has" if path.exists() else "is missing"
    where = "" if path.exists() else looked_up(source)
    raise LasasrError(
        f"{source} {fault}: SOURCE is a table ({', '.join(table_files.SUFFIXES)}), a data directory of Kaldi, a data "
        f"set of Hugging Face (a folder or user/name), or a folder of recordings with .txt beside them{where}"
    )


def rows_from(source: str, format: str, out: Path, split: str, columns: Mapping[str, Any] | None) -> list[Row]:
    """The utterances of a source.

    Args:
        format: one of FORMATS.
        out: the table to be written; audio that lies in no file is written beside it.
        split: of a data set of Hugging Face.
        columns: our name → the source's.

    Raises:
        LasasrError: the source is damaged.
    """
    if columns and format not in ("table", "huggingface"):
        raise UsageError(f"--columns: {format} has no columns")
    match format:
        case "table":
            return list(tables.rows(expanded(source), columns_from(columns)))
        case "kaldi":
            return kaldi.rows(kaldi.data_directory(source, "SOURCE"))
        case "folder":
            return folder.rows(expanded(source).resolve())
    part = huggingface.split_of(huggingface.load(source), source, split, "--split")
    return huggingface.rows(part, f"{source}, {split}", out.parent / f"{out.stem}-audio", columns or {})


def write_table(rows: Sequence[Row], out: Path) -> None:
    """Write a table; audio below its folder is named relative to it, so that both can be moved together.

    Columns that no row has a value for are left out. White space in a transcript becomes one space.

    Raises:
        UsageError: `out` has another ending than .tsv or .jsonl.
    """
    if out.suffix not in (".tsv", ".jsonl"):
        raise UsageError(f"--out {out}: a table is written as .tsv or .jsonl")
    listed = [_values(row, out.resolve().parent) for row in rows]
    present = [name for name in COLUMNS if any(values[name] for values in listed)]
    if out.suffix == ".jsonl":
        lines = [
            json.dumps({name: value for name, value in values.items() if value}, ensure_ascii=False)
            for values in listed
        ]
    else:
        lines = ["\t".join(present), *("\t".join(values[name] for name in present) for values in listed)]
    files.write_text(out, "".join(f"{line}\n" for line in lines))


def _values(row: Row, beside: Path) -> dict[str, str]:
    audio = row.audio.resolve()
    name = str(audio.relative_to(beside)) if audio.is_relative_to(beside) else str(audio)
    if set("\t\n\r") & {*name, *row.id, *(row.speaker or "")}:
        raise LasasrError(f"{row.where}a tab or line end stands in the id, the path or the speaker; write .jsonl")
    return {
        "id": row.id,
        "audio": name,
        "text": " ".join(row.text.split()),
        "speaker": row.speaker or "",
        "start_s": repr(row.start_s) if row.start_s else "",
        "end_s": "" if row.end_s is None else repr(row.end_s),
    }
