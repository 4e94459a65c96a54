"""results/<split>.json and .jsonl of a run: written whole, read back only when they belong together.

Beside the run's own, `results/<split>@<text>-<digits>.json` hold what other searches and other data gave.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lasasr.artifacts import files, kinds
from lasasr.artifacts.result_names import ResultName, parse_result_name
from lasasr.artifacts.search_identity import identity_of
from lasasr.errors import LasasrError, nearest

SCHEMA: Final = 1
COUNTS: Final = ("substitutions", "deletions", "insertions")
SUMMARY: Final = {
    "split": str,
    "metric": str,
    "percent": int | float,
    "ci95": list | None,  # one utterance shows no spread
    "errors": int,
    **dict.fromkeys(COUNTS, int),
    "reference_length": int,
    "utterances": int,
}
METRICS: Final = ("wer", "cer", "per")
OPTIONAL: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("cer_percent", "audio_s", "decode_s", "rtf"), kinds.NUMBER | None),
    **dict.fromkeys(("normalizer", "recipe", "corpus", "ci_method"), str),
    **dict.fromkeys(("attend", "protocol"), str | None),
    **dict.fromkeys(("alignment", "alignment.boundaries", "triage", "confidence"), dict | None),
    **{f"alignment.boundaries.{name}": dict | None for name in ("combined", "attention", "ctc")},
    **{f"alignment.{name}": kinds.NUMBER | None for name in ("correlation", "focus", "skipped", "reread")},
    "search": dict | None,
    "outside_vocabulary": dict | None,
    **dict.fromkeys(("outside_vocabulary.utterances", "outside_vocabulary.symbols"), int),
    "outside_vocabulary.most_frequent": dict,
    "search_id": str | None,
    "data": str | None,
    "seed": int,
    "speakers": int | None,
    "parameters": int,
    "ci95": list[int | float] | None,
}
LINE_OPTIONAL: Final[Mapping[str, Any]] = {
    "speaker": str | None,
    "duration_s": kinds.NUMBER,
    "flags": list[str],
    "words": list[dict],  # type: ignore[type-arg]
}
LINE: Final = {"id": str, "reference": str, "hypothesis": str, **dict.fromkeys(COUNTS, int)}


@dataclass(frozen=True)
class StoredResult:
    """One result that lies in a folder."""

    folder: Path
    name: ResultName

    @property
    def path(self) -> Path:
        """Its summary; the utterances lie beside it in .jsonl."""
        return self.folder / f"{self.name}.json"

    def summary(self) -> dict[str, Any]:
        """The summary alone, not held against its utterances.

        Raises:
            LasasrError: it is missing or damaged.
        """
        summary = files.read_json(self.path)
        if not isinstance(summary, dict) or summary.get("schema") != SCHEMA:
            raise _damaged(self.path, f"it is not a summary of schema {SCHEMA}")
        if summary.get("split") != self.name.split:
            raise _damaged(self.path, f"it holds the split {summary.get('split')}")
        kinds.refuse_others(self.path, summary, OPTIONAL)
        return summary

    def read(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The summary and the utterances.

        Raises:
            LasasrError: they are damaged; names file, line and the way out.
        """
        summary = self.summary()
        lines = _lines(self.path.with_suffix(".jsonl"))
        _check(self.path, summary, lines)
        return summary, lines


def write(
    folder: Path, split: str, summary: Mapping[str, Any], lines: Iterable[Mapping[str, Any]], name: str = ""
) -> None:
    """Write both files; the summary last, so that where it is the utterances are too.

    Args:
        name: of the files without their ending, where it is not the split's: `test@greedy-1a2b3c4d`.

    Raises:
        LasasrError: a key is missing, an utterance stands twice, the counts do not add up, or no file of this name
            would be found again.
    """
    path = folder / f"{name or split}.json"
    result_name = parse_result_name(name or split)
    if result_name is None or result_name.split != split:
        raise LasasrError(f"{path} cannot hold the split {split!r}: a split has no @ in its name; rename it")
    utterance_lines = list(lines)
    _check(path, summary, utterance_lines)
    path.unlink(missing_ok=True)  # an older summary must not stand beside newer utterances
    text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in utterance_lines)
    files.write_text(path.with_suffix(".jsonl"), text)
    files.write_json(path, {"schema": SCHEMA, **summary})


def list_results(folder: Path, split: str | None = None) -> list[StoredResult]:
    """The results in `folder`, sorted by name, of one split or of all; the run's own comes first in its split."""
    names = [name for path in folder.glob("*.json") if (name := parse_result_name(path.stem)) is not None]
    return [StoredResult(folder, name) for name in sorted(names) if split in (None, name.split)]


def splits(folder: Path) -> list[str]:
    """The splits with a result of the run's own in `folder`, sorted."""
    return [stored.name.split for stored in list_results(folder) if not stored.name.code]


def read(folder: Path, split: str, search: str | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summary and the utterances of a split.

    Args:
        search: the text, the digits or both of a result that stands beside results/<split>.json, or its `search_id`.

    Raises:
        LasasrError: there are no such results, several, or they are damaged; names file, line and the way out.
    """
    if search is not None:
        return find(folder, split, search).read()
    path = folder / f"{split}.json"
    if not path.exists():
        raise LasasrError(f"{path} is missing: decode the split with lasasr evaluate; {nearest(split, splits(folder))}")
    return StoredResult(folder, ResultName(split)).read()


def find(folder: Path, split: str, search: str) -> StoredResult:
    """The one result of a split that `search` names.

    Raises:
        LasasrError: there is none or there are several; names the nearest, or all that are meant.
    """
    stored_results = list_results(folder, split)
    matches = [stored for stored in stored_results if search in names_of(stored)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise LasasrError(
            f"{search} names several results of {split} in {folder}: {', '.join(match.name.label for match in matches)}"
        )
    labels = [stored.name.label for stored in stored_results if stored.name.code]
    raise LasasrError(f"{folder} has no result of {split} by the search {search}; {nearest(search, labels)}")


def names_of(stored: StoredResult) -> set[str]:
    """Everything that names a result: file, text, digits, both, and the id of its search."""
    summary, name = stored.summary(), stored.name
    ids = {identity.search_id for identity in [identity_of(summary)] if identity} | {str(summary.get("search_id"))}
    return ids | ({str(name), name.text, name.code, name.label} if name.code else set())


def _lines(path: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    try:
        for line in files.lines(path):
            if line.strip():
                listed.append(files.writable_json(line))
            if listed and not isinstance(listed[-1], dict):
                raise _damaged(path, f"line {len(listed)} is no utterance")
    except FileNotFoundError:
        raise _damaged(path, "it is missing") from None
    except UnicodeDecodeError as error:
        raise _damaged(path, str(error)) from None
    except ValueError as error:
        raise _damaged(path, f"line {len(listed) + 1}: {error}") from None
    return listed


def _check(path: Path, summary: Mapping[str, Any], lines: list[dict[str, Any]] | list[Mapping[str, Any]]) -> None:
    """Each utterance once, and every count of the summary the sum over the utterances."""
    _typed(path, "summary", summary, SUMMARY)
    kinds.refuse_others(path, summary, OPTIONAL)
    if summary["metric"] not in METRICS:
        raise _damaged(path, f"metric is {summary['metric']!r}, not one of {', '.join(METRICS)}")
    seen: set[str] = set()
    for line in lines:
        _typed(path.with_suffix(".jsonl"), f"utterance {line.get('id')}", line, LINE)
        kinds.refuse_others(path.with_suffix(".jsonl"), line, LINE_OPTIONAL)
        if line["id"] in seen:
            raise _damaged(path.with_suffix(".jsonl"), f"utterance {line['id']} stands there twice")
        seen.add(line["id"])
    sums = {name: sum(line[name] for line in lines) for name in COUNTS}
    sums |= {"errors": sum(sums.values()), "utterances": len(lines)}
    for name, total in sums.items():
        if summary[name] != total:
            raise _damaged(path, f"{name} is {summary[name]}, but its utterances make {total}")
    length = summary["reference_length"]
    if length and not math.isclose(summary["percent"], 100.0 * summary["errors"] / length, abs_tol=0.01):
        raise _damaged(path, f"percent is {summary['percent']}, but its errors make {100.0 * sums['errors'] / length}")


def _typed(path: Path, holder: str, values: Mapping[str, Any], types: Mapping[str, Any]) -> None:
    for name, kind in types.items():
        if name not in values:
            raise _damaged(path, f"{holder} lacks {name}")
        if not isinstance(values[name], kind) or isinstance(values[name], bool):
            raise _damaged(path, f"{holder}: {name} is {values[name]!r}")


def _damaged(path: Path, reason: str) -> LasasrError:
    return LasasrError(f"{path} is damaged ({reason}); decode the split again with lasasr evaluate")
