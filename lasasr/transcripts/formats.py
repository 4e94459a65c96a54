"""The formats by name, and which one a file has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from lasasr.errors import LasasrError, UsageError, looked_up, nearest
from lasasr.transcripts import folder, json_lines, kaldi, nist, speechbrain, tables, trn
from lasasr.transcripts.base import Texts, Transcripts, refuse_unknown_roles
from lasasr.transcripts.lines import numbered_lines
from lasasr.transcripts.rows import columns_by_id


class Format(NamedTuple):
    """How a file is read."""

    read: Callable[[Path, Mapping[str, str]], Transcripts]  # path, role → chosen column
    suffixes: tuple[str, ...]
    about: str
    named_columns: bool = False  # whether --columns means anything to it


def _plain(read: Callable[[Path], Transcripts]) -> Callable[[Path, Mapping[str, str]], Transcripts]:
    return lambda path, columns: read(path)


FORMATS: Final[Mapping[str, Format]] = {
    "trn": Format(_plain(trn.read), (".trn",), "sclite: words (id)"),
    "kaldi": Format(_plain(kaldi.read), (), "Kaldi: id words, with utt2spk beside it"),
    "folder": Format(_plain(folder.read), (), "a folder of ESPnet's results or of Kaldi's data"),
    "jsonl": Format(json_lines.read, (".jsonl", ".json", ".ndjson", ".manifest"), "JSON lines (NeMo, lasasr)", True),
    "table": Format(tables.read, (".csv", ".tsv"), "CSV or TSV with a header", True),
    "speechbrain": Format(_plain(speechbrain.read), (), "SpeechBrain: wer_test.txt"),
    "stm": Format(_plain(nist.read_stm), (".stm",), "NIST: references by segment"),
    "ctm": Format(_plain(nist.read_ctm), (".ctm",), "NIST: recognised words with times"),
}


def read(path: Path, name: str | None = None, columns: Mapping[str, str] | None = None) -> Transcripts:
    """The texts of a file or folder.

    Args:
        name: of its format; None: found by its ending, else by its first line.
        columns: role → name of the column, of the formats that have any.

    Raises:
        UsageError: there is no such format.
        LasasrError: it is missing or damaged, or holds no utterance.
    """
    if name is not None and name not in FORMATS:
        raise UsageError(f"--format {name}: {nearest(name, FORMATS, most=len(FORMATS))}")
    refuse_unknown_roles(columns or {})
    if not path.exists():
        raise LasasrError(f"{path} is missing{looked_up(path)}")
    chosen = FORMATS[name or format_of(path)]
    transcripts = chosen.read(path, columns or {} if chosen.named_columns else {})
    if not any((transcripts.texts, transcripts.references, transcripts.hypotheses)):
        raise LasasrError(f"{path} holds no utterance")
    return transcripts


def read_columns(path: Path, columns: Mapping[str, str]) -> dict[str, Texts]:
    """Column → id → value, of a table or of JSON lines, whatever its ids are of.

    Args:
        columns: role → name, of which `id` counts.

    Raises:
        LasasrError: it is missing, damaged, or of another format.
    """
    name = format_of(path) if path.exists() else "table"
    if name not in ("table", "jsonl"):
        raise LasasrError(f"{path} is no table with named columns: CSV, TSV or JSON lines")
    if not path.exists():
        raise LasasrError(f"{path} is missing{looked_up(path)}")
    rows = tables.rows(path) if name == "table" else json_lines.objects(path)
    return columns_by_id(path, rows, columns.get("id"))


def format_of(path: Path) -> str:
    """The name of the format that a file looks like.

    Raises:
        LasasrError: the file is empty, or like none of them.
    """
    if path.is_dir():
        return "folder"
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    for name, described in FORMATS.items():
        if suffix.lower() in described.suffixes:
            return name
    _, first = next(numbered_lines(path), (0, ""))
    if not first:
        raise LasasrError(f"{path} holds no utterance")
    if first.startswith("%WER "):
        return "speechbrain"
    if first.lstrip().startswith("{"):
        return "jsonl"
    if trn.split_id(first)[1] is not None:
        return "trn"
    if "\0" in first or suffix in (".wav", ".flac", ".yaml", ".html"):
        raise LasasrError(f"{path} is no file of texts; the formats are {described_formats()}")
    return "kaldi"


def described_formats() -> str:
    """Each format with what it is."""
    return ", ".join(f"{name} ({described.about})" for name, described in FORMATS.items())
