"""perplexity.json of a language model's run: its own data, split by split; other text stands beside it.

perplexity.json                           the text that the model was made with, and further splits of that corpus
perplexity@<split>_<text>-<digits>.json   other text under the name of a split that is there
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lasasr.artifacts import files
from lasasr.artifacts.result_names import data_difference, sanitised
from lasasr.artifacts.runs import Run
from lasasr.artifacts.search_identity import digest
from lasasr.configuration.settings import Settings
from lasasr.errors import LasasrError

SCHEMA: Final = 1
OWN: Final = "perplexity.json"
COUNTS: Final = ("sentences", "tokens", "words", "characters", "left_out_sentences")  # of 0.1.0, which knew no content

Record = Mapping[str, Any]


def read(path: Path) -> dict[str, dict[str, Any]]:
    """split → record.

    Raises:
        LasasrError: the file is missing or damaged.
    """
    content = files.read_json(path)
    splits = content.get("splits") if isinstance(content, dict) and content.get("schema") == SCHEMA else None
    if not isinstance(splits, dict) or not all(isinstance(record, dict) for record in splits.values()):
        raise LasasrError(f"{path} is damaged (it holds no perplexities of splits); lasasr evaluate makes it again")
    return splits


def write_own(folder: Path, records: Mapping[str, Record]) -> None:
    """Write the records of the run's own data, beside those of other splits that are there."""
    files.write_json(folder / OWN, {"schema": SCHEMA, "splits": {**_stored_records(folder), **records}})


def others(folder: Path) -> list[Path]:
    """The files of other text, sorted."""
    return sorted(folder.glob("perplexity@*.json"))


def write(run: Run, records: Mapping[str, Record], settings: Settings) -> list[Path]:
    """Write what was measured: the run's own data into perplexity.json, each other text into a file of its own.

    Args:
        records: split → perplexities, with the split's content as `data`.
        settings: with which they were measured.

    Returns:
        The files that were written.
    """
    stored, written = _stored_records(run.folder), []
    card = run.card()
    own_records: dict[str, Record] = {}
    for split, record in records.items():
        content = card.content_at_training(split)
        earlier = card.results.get(split) or stored.get(split)
        is_own = record.get("data") == content if content else earlier is None or _same_text(earlier, record)
        if not is_own:
            written.append(_write_other(run, split, record, data_difference(run.config(), settings.plain).text()))
            continue
        if split in stored and not _same_text(stored[split], record):  # 0.1.0 wrote it over the run's own
            written.append(_write_other(run, split, stored[split], "data"))
        own_records[split] = record
    if own_records:
        write_own(run.folder, own_records)
        written.insert(0, run.folder / OWN)
    return written


def _stored_records(folder: Path) -> dict[str, dict[str, Any]]:
    """What perplexity.json holds; nothing where it is damaged, for what is measured replaces it."""
    try:
        return read(folder / OWN)
    except LasasrError:
        return {}


def _same_text(record: Record, other: Record) -> bool:
    if "data" in record and "data" in other:
        return bool(record["data"] == other["data"])
    return all(record.get(name) == other.get(name) for name in COUNTS)


def _write_other(run: Run, split: str, record: Record, text: str) -> Path:
    code = digest(split, str(record.get("data", [record.get(name) for name in COUNTS])))
    same = sorted(run.folder.glob(f"perplexity@*-{code}.json"))
    path = same[0] if same else run.folder / f"perplexity@{sanitised(f'{split}_{text}')}-{code}.json"
    files.write_json(path, {"schema": SCHEMA, "splits": {split: dict(record)}})
    return path
