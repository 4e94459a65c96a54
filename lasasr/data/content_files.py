"""Where the content of a prepared split stands, so that it is computed once.

<split>.content-<rule>.json       beside the manifest: fingerprint, utterances, and what they were computed from
<split>.content-<rule>.rows.gz    the short digests, so that later data can be told apart utterance by utterance
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lasasr.artifacts import files
from lasasr.data import digests
from lasasr.data.content import Content, Row, is_ordered, of_sentences, of_utterances
from lasasr.errors import LasasrError

if TYPE_CHECKING:
    from lasasr.data.manifest import Utterances

SCHEMA: Final = 1


def of_split(manifest: Path, rule: str, ordered: bool, read: Callable[[], Utterances]) -> Content:
    """The content of a prepared split: as it stands beside the manifest, or computed and written there.

    Args:
        rule: of its transcripts, as results name it: "english/1".
        ordered: whether the order counts.
        read: gives the utterances; called only where they are needed.

    Raises:
        LasasrError: a file is damaged, or what `read` raises.
    """
    made_from = {name: _stamp(path) for name, path in (("manifest", manifest), ("digests", digests.beside(manifest)))}

    def compute() -> Content:
        return of_utterances(read(), digests.recorded(manifest), ordered)

    return _noted(beside(manifest, rule), made_from, ordered, compute)


def of_text(
    folder: Path, split: str, rule: str, made_from: Sequence[Path], sentences: Callable[[], Iterable[str]]
) -> Content:
    """The content of a split of sentences: as it stands in `folder`, or computed and written there.

    Args:
        rule: see `of_split`.
        made_from: files that the sentences come from, where the name of `folder` does not say what they hold.
        sentences: gives them, normalised; called only where they are needed.
    """
    place = beside(folder / f"{split}.sentences.jsonl.gz", rule)
    stamps = {path.name: _stamp(path) for path in made_from}
    ordered = is_ordered(split)
    return _noted(place, stamps, ordered, lambda: of_sentences(sentences(), ordered))


def _noted(place: Path, made_from: Mapping[str, Any], ordered: bool, compute: Callable[[], Content]) -> Content:
    made = {"schema": SCHEMA, "ordered": ordered, "made_from": dict(made_from)}
    with suppress(LasasrError, KeyError, TypeError, AttributeError):  # damaged: written again
        noted = files.read_json(place) if place.exists() else {}
        if made.items() <= noted.items():
            return Content(noted["content"], noted["utterances"], None, noted["without_digest"])
    content = compute()
    found = {
        "content": content.fingerprint,
        "utterances": content.utterances,
        "without_digest": content.without_digest,
    }
    with suppress(OSError):  # a prepared folder of others, which cannot be written to
        if content.rows is not None:
            write_rows(place.with_suffix(".rows.gz"), content.rows)
        files.write_json(place, {**made, **found})
    return content


def beside(manifest: Path, rule: str) -> Path:
    """Where the fingerprint of a manifest under a transcript rule stands."""
    return manifest.with_name(f"{digests.split_of(manifest)}.content-{rule.replace('/', '-')}.json")


def rows_beside(manifest: Path, rule: str) -> Path:
    """Where its rows stand."""
    return beside(manifest, rule).with_suffix(".rows.gz")


def _stamp(path: Path) -> list[int] | None:
    """Size and time of change: what shows that a file was written again."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def write_rows(path: Path, rows: Mapping[str, Row]) -> None:
    """Write rows, one JSON line per utterance; equal rows give equal bytes."""
    with (
        files.replacing(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as out,
    ):
        for name, row in rows.items():
            out.write(json.dumps([name, *row], ensure_ascii=False).encode() + b"\n")


def read_rows(path: Path) -> dict[str, Row]:
    """What `write_rows` wrote.

    Raises:
        LasasrError: it is missing or damaged.
    """
    try:
        return {name: Row(*row) for name, *row in map(files.parse_json, files.lines(path))}
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise LasasrError(f"{path} cannot be read ({type(error).__name__}: {error})") from None
