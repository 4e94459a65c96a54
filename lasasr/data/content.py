"""The content of a split, as training and scoring use it: one fingerprint, and three short digests per utterance.

It covers the audio and its transcripts, never their paths: the text after the transcript rule, the speaker, and of the
audio the digests of its files, the position in them, sampling rate and channel. So tables, audio and prepared folders
can be moved. The order of the utterances counts in "train", whose batches depend on it, and in no other split.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lasasr.data import digests, mirror, tar
from lasasr.data.digests import Digest

if TYPE_CHECKING:
    from lasasr.data.manifest import Utterances

SCHEMA: Final = 1
REPLAY: Final = "replay"  # the split that is the train split of a second corpus (`adapt=replay`)
TRAINING: Final = ("train", REPLAY)  # the splits whose utterances are trained on
_LENGTH: Final = 16  # hexadecimal digits of a fingerprint
_SHORT: Final = 8  # of the digests of one utterance


class Row(NamedTuple):
    """One utterance: eight hexadecimal digits over each of what can differ."""

    text: str
    speaker: str
    audio: str  # the files, the position in them, sampling rate, channel, transforms


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


def of_utterances(utterances: Utterances, digests_by_path: Mapping[str, Digest], ordered: bool) -> Content:
    """The content of utterances.

    Args:
        digests_by_path: audio file → digest, as `digests.recorded` reads them.
        ordered: whether their order counts.
    """
    describe, rows, total = _Description(digests_by_path), {}, _Total(ordered)
    for index, name in enumerate(utterances.ids):
        text, speaker = utterances.texts[index], utterances.speakers[index]
        audio = _plain(describe.audio(json.loads(utterances.cuts[index])))
        total.add(_plain([name, text, speaker, audio.decode()]))
        rows[name] = Row(_short(text.encode()), _short(speaker.encode()), _short(audio))
    return Content(total.fingerprint(), total.count, rows, describe.without_digest)


def audio_digests(utterances: Utterances, digests_by_path: Mapping[str, Digest]) -> list[str | None]:
    """32 hexadecimal digits over what the audio of each utterance holds; None where a file has no digest."""
    describe, named = _Description(digests_by_path), list[str | None]()
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
        digests_by_path: audio file → digest.
    """

    def __init__(self, digests_by_path: Mapping[str, Digest]) -> None:
        self._digests = digests_by_path
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
        digest = self._digests.get(path)
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
