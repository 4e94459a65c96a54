"""What a split holds, as training and scoring see it: one fingerprint, and three short digests per utterance.

It counts what is heard and said, never where that lies: the text after the transcript rule, the speaker, and of the
audio the digests of its files, the place in them, sampling rate and channel. So tables, audio and prepared folders can
be moved. The order of the utterances counts in "train", whose batches depend on it, and in no other split.

    <split>.content-<rule>.json       beside the manifest: fingerprint, utterances, and what they were computed from
    <split>.content-<rule>.rows.gz    the short digests, so that later data can be told apart utterance by utterance
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lasasr import files
from lasasr.data import digests, mirror, tar
from lasasr.data.digests import Digest
from lasasr.errors import LasasrError

if TYPE_CHECKING:
    from lasasr.data.manifest import Utterances

SCHEMA: Final = 1
_LENGTH: Final = 16  # hexadecimal digits of a fingerprint
_SHORT: Final = 8  # of the digests of one utterance


class Row(NamedTuple):
    """One utterance: eight hexadecimal digits over each of what can differ."""

    text: str
    speaker: str
    audio: str  # the files, the place in them, sampling rate, channel, transforms


@dataclass(frozen=True)
class Content:
    """Of one split."""

    fingerprint: str  # 16 hexadecimal digits
    utterances: int
    rows: Mapping[str, Row] | None = None  # id → row, in the order of the manifest; None: sentences have none
    without_digest: int = 0  # utterances of which an audio file had no digest


def is_ordered(split: str) -> bool:
    """Whether the order of a split's utterances is part of its content."""
    return split == "train"


def of_utterances(utterances: Utterances, known: Mapping[str, Digest], ordered: bool) -> Content:
    """The content of utterances.

    Args:
        known: audio file → digest, as `digests.recorded` reads them.
        ordered: whether their order counts.
    """
    describe, rows, total = _Description(known), {}, _Total(ordered)
    for index, name in enumerate(utterances.ids):
        text, speaker = utterances.texts[index], utterances.speakers[index]
        audio = _plain(describe.audio(json.loads(utterances.cuts[index])))
        total.add(_plain([name, text, speaker, audio.decode()]))
        rows[name] = Row(_short(text.encode()), _short(speaker.encode()), _short(audio))
    return Content(total.fingerprint(), total.count, rows, describe.without_digest)


def of_sentences(sentences: Iterable[str], ordered: bool) -> Content:
    """The content of normalised sentences of text."""
    total = _Total(ordered)
    for sentence in sentences:
        total.add(sentence.encode())
    return Content(total.fingerprint(), total.count)


class _Total:
    """A hash over many, in their order or in any."""

    def __init__(self, ordered: bool) -> None:
        self._hash = hashlib.sha256(b"content 1")
        self._waiting: list[bytes] | None = None if ordered else []
        self.count = 0

    def add(self, content: bytes) -> None:
        """One more."""
        digest = hashlib.sha256(content).digest()
        self.count += 1
        if self._waiting is None:
            self._hash.update(digest)
        else:
            self._waiting.append(digest)

    def fingerprint(self) -> str:
        """Of all, once."""
        self._hash.update(b"".join(sorted(self._waiting or ())))
        return self._hash.hexdigest()[:_LENGTH]


def _plain(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_SHORT]


class _Description:
    """Says of a cut, as a plain value, what its audio is, without a path.

    Args:
        known: audio file → digest.
    """

    def __init__(self, known: Mapping[str, Digest]) -> None:
        self._known = known
        self._listed = cache(mirror.listed)
        self.without_digest = 0

    def audio(self, cut: Mapping[str, Any]) -> dict[str, Any]:
        """What is heard of the cut."""
        if "tracks" in cut:
            kept = {name: cut[name] for name in ("transforms",) if cut.get(name)}
            return kept | {"tracks": [{**track, "cut": self.audio(track["cut"])} for track in cut["tracks"]]}
        recording = cut.get("recording")
        if recording is None:  # silence between the parts of a mixture
            return {name: cut[name] for name in ("duration", "sampling_rate", "num_samples") if name in cut}
        rate_hz = int(recording["sampling_rate"])
        found = [self._source(one) for one in recording.get("sources", ())]
        self.without_digest += None in [content for content, _ in found]
        return {
            "sources": found,
            "rate": rate_hz,
            "start": _samples(cut["start"], rate_hz),
            "samples": _samples(cut["duration"], rate_hz),
            "channel": cut.get("channel"),
            **({"transforms": recording["transforms"]} if recording.get("transforms") else {}),
        }

    def _source(self, source: Mapping[str, Any]) -> tuple[str | None, Any]:
        """(what it holds, its channels)."""
        channels, place = source.get("channels"), str(source["source"])
        if source.get("type") not in digests.KINDS:
            return f"{source.get('type')} {place}", channels  # an address, or the audio itself
        digest = self._known.get(place)
        if digest is not None:
            return digest.blake2b, channels
        if source.get("type") == tar.KIND:  # of a mirror, perhaps, whose list says what its shards hold
            member = tar.Member.at(place)
            if (shard := self._listed(member.tar)) is not None:
                return f"{shard[1]} {member.offset}+{member.size}", channels
        return None, channels


def _samples(time_s: float, rate_hz: int) -> int:
    """As Lhotse counts them: half a sample is one."""
    return math.floor(round(float(time_s) * rate_hz, 8) + 0.5)


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
    except (OSError, EOFError, zlib.error, ValueError, TypeError) as error:
        raise LasasrError(f"{path} cannot be read ({type(error).__name__}: {error})") from None
