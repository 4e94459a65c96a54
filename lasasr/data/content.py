"""The content of a split, as training and scoring use it: one fingerprint, and three short digests per utterance.

It covers the audio and its transcripts, never their paths: the text after the transcript rule, the speaker, and of the
audio the digests of its files, the position in them, sampling rate and channel. So tables, audio and prepared folders
can be moved. The order of the utterances counts in "train", whose batches depend on it, and in no other split.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from lasasr.data import digests, mirror, tar
from lasasr.data.digests import Digest

if TYPE_CHECKING:
    from lasasr.data.manifest import Utterances

SCHEMA: Final = 1
REPLAY: Final = "replay"  # the split that is the train split of a second corpus (`adapt=replay`)
TRAINING: Final = ("train", REPLAY)  # the splits whose utterances are trained on
_LENGTH: Final = 16  # hexadecimal digits of a fingerprint
_SHORT: Final = 8  # of the digests of one utterance


class Recorded(Protocol):
    """Digests of audio files by their paths: a dictionary, or a `DigestTable`."""

    def get(self, path: str, /) -> Digest | None:
        """The digest of a file; None where nothing was recorded of it."""


class Row(NamedTuple):
    """One utterance: eight hexadecimal digits over each of what can differ."""

    text: str
    speaker: str
    audio: str  # the files, the position in them, sampling rate, channel, transforms


class Rows(Mapping[str, Row]):
    """The rows of N utterances by id, in their order, in twelve bytes each: as objects they would take 400.

    Args:
        ids: (N,) all different.
        digests: of N rows, one after another.
    """

    def __init__(self, ids: Sequence[str], digests: bytes) -> None:
        self._ids, self._digests = ids, digests

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __getitem__(self, name: str) -> Row:
        return self.at(self._places[name])

    def at(self, place: int) -> Row:
        """The row of the utterance that stands there, counted from 0."""
        width = len(Row._fields) * _SHORT
        digits = self._digests[place * width // 2 : (place + 1) * width // 2].hex()
        return Row(*(digits[start : start + _SHORT] for start in range(0, width, _SHORT)))

    def items(self) -> ItemsView[str, Row]:
        """(id, row), in the order of the utterances."""
        return _Items(self)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self._ids)}


class _Items(ItemsView[str, Row]):
    """Reads the rows one after another, without looking each of them up."""

    _mapping: Rows

    def __iter__(self) -> Iterator[tuple[str, Row]]:
        return ((name, self._mapping.at(place)) for place, name in enumerate(self._mapping))


@dataclass(frozen=True)
class Content:
    """Of one split."""

    fingerprint: str  # 16 hexadecimal digits
    utterances: int
    rows: Mapping[str, Row] | None = None  # id → row, in the order of the manifest; None: sentences have none
    without_digest: int = 0  # utterances of which an audio file had no digest


def is_ordered(split: str) -> bool:
    """Whether the order of a split's utterances is part of its content."""
    return split in TRAINING


def of_utterances(utterances: Utterances, recorded: Recorded, ordered: bool) -> Content:
    """The content of utterances.

    Args:
        recorded: of their audio files.
        ordered: whether their order counts.
    """
    describe, rows, total = _Description(recorded), bytearray(), _Total(ordered)
    for index, name in enumerate(utterances.ids):
        text, speaker = utterances.texts[index], utterances.speakers[index]
        audio = _plain(describe.audio(json.loads(utterances.cuts[index])))
        total.add(_plain([name, text, speaker, audio.decode()]))
        row = Row(text=_short(text.encode()), speaker=_short(speaker.encode()), audio=_short(audio))
        rows += bytes.fromhex("".join(row))
    return Content(total.fingerprint(), total.count, Rows(utterances.ids, bytes(rows)), describe.without_digest)


def audio_digests(utterances: Utterances, recorded: Recorded) -> list[str | None]:
    """32 hexadecimal digits over what the audio of each utterance holds; None where a file has no digest."""
    describe, named = _Description(recorded), list[str | None]()
    for cut in utterances.cuts:
        before = describe.without_digest
        audio = _plain(describe.audio(json.loads(cut)))
        named.append(hashlib.sha256(audio).hexdigest()[:32] if describe.without_digest == before else None)
    return named


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
    """Describes the audio of a cut, as a plain value, without a path.

    Args:
        recorded: of audio files.
    """

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._listed = cache(mirror.listed)
        self.without_digest = 0

    def audio(self, cut: Mapping[str, Any]) -> dict[str, Any]:
        """A description of the audio of the cut."""
        if "tracks" in cut:
            kept = {name: cut[name] for name in ("transforms",) if cut.get(name)}
            return kept | {"tracks": [{**track, "cut": self.audio(track["cut"])} for track in cut["tracks"]]}
        recording = cut.get("recording")
        if recording is None:  # silence between the parts of a mixture
            return {name: cut[name] for name in ("duration", "sampling_rate", "num_samples") if name in cut}
        rate_hz = int(recording["sampling_rate"])
        contents = [self._source(source) for source in recording.get("sources", ())]
        self.without_digest += None in [content for content, _ in contents]
        return {
            "sources": contents,
            "rate": rate_hz,
            "start": _samples(cut["start"], rate_hz),
            "samples": _samples(cut["duration"], rate_hz),
            "channel": cut.get("channel"),
            **({"transforms": recording["transforms"]} if recording.get("transforms") else {}),
        }

    def _source(self, source: Mapping[str, Any]) -> tuple[str | None, Any]:
        """(what it holds, its channels)."""
        channels, path = source.get("channels"), str(source["source"])
        if source.get("type") not in digests.KINDS:
            return f"{source.get('type')} {path}", channels  # an address, or the audio itself
        digest = self._recorded.get(path)
        if digest is not None:
            return digest.blake2b, channels
        if source.get("type") == tar.KIND:  # of a mirror, perhaps, whose list has the digests of its shards
            member = tar.Member.at(path)
            if (shard := self._listed(member.tar)) is not None:
                return f"{shard[1]} {member.offset}+{member.size}", channels
        return None, channels


def _samples(time_s: float, rate_hz: int) -> int:
    """As Lhotse counts them: half a sample is one."""
    return math.floor(round(float(time_s) * rate_hz, 8) + 0.5)
