"""The files that store the content of a prepared split, so that it is computed once.

<split>.content-<rule>.json       beside the manifest: fingerprint, utterances, and what they were computed from
<split>.content-<rule>.rows.gz    the short digests, so that later data can be compared utterance by utterance
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
from lasasr.data.derived import stamp, stamps
from lasasr.data.digest_table import DigestTable
from lasasr.errors import LasasrError

if TYPE_CHECKING:
    from lasasr.data.manifest import Utterances

SCHEMA: Final = 1


def of_split(manifest: Path, rule: str, ordered: bool, read: Callable[[], Utterances]) -> Content:
    """The content of a prepared split: as stored beside the manifest, or computed and written there.

    Args:
        rule: of its transcripts, as results name it: "english/1".
        ordered: whether the order counts.
        read: gives the utterances; called only where they are needed.

    Raises:
        LasasrError: a file is damaged, or what `read` raises.
    """
    made_from = {name: stamp(path) for name, path in (("manifest", manifest), ("digests", digests.beside(manifest)))}

    def compute() -> Content:
        return of_utterances(read(), DigestTable.of(manifest), ordered)

    return _stored_or_computed(beside(manifest, rule), made_from, ordered, compute)


def of_text(
    folder: Path, split: str, rule: str, made_from: Sequence[Path], sentences: Callable[[], Iterable[str]]
) -> Content:
    """The content of a split of sentences: as stored in `folder`, or computed and written there.

    Args:
        rule: see `of_split`.
        made_from: files that the sentences come from, where the name of `folder` does not identify their content.
        sentences: gives them, normalised; called only where they are needed.
    """
    path = beside(folder / f"{split}.sentences.jsonl.gz", rule)
    ordered = is_ordered(split)
    return _stored_or_computed(path, stamps(made_from), ordered, lambda: of_sentences(sentences(), ordered))


def _stored_or_computed(
    path: Path, made_from: Mapping[str, Any], ordered: bool, compute: Callable[[], Content]
) -> Content:
    origin = {"schema": SCHEMA, "ordered": ordered, "made_from": dict(made_from)}
    with suppress(LasasrError, KeyError, TypeError, AttributeError):  # damaged: written again
        stored = files.read_json(path) if path.exists() else {}
        if origin.items() <= stored.items():
            return Content(stored["content"], stored["utterances"], None, stored["without_digest"])
    content = compute()
    summary = {
        "content": content.fingerprint,
        "utterances": content.utterances,
        "without_digest": content.without_digest,
    }
    with suppress(OSError):  # a prepared folder of others, which cannot be written to
        if content.rows is not None:
            write_rows(path.with_suffix(".rows.gz"), content.rows)
        files.write_json(path, {**origin, **summary})
    return content


def beside(manifest: Path, rule: str) -> Path:
    """The file that stores the fingerprint of a manifest under a transcript rule."""
    return manifest.with_name(f"{digests.split_of(manifest)}.content-{rule.replace('/', '-')}.json")


def rows_beside(manifest: Path, rule: str) -> Path:
    """The file that stores its rows."""
    return beside(manifest, rule).with_suffix(".rows.gz")


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
