"""A split's cut manifest, read and checked at once, so that its faults are reported before any training."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from lhotse.serialization import deserialize_item
from numpy.typing import NDArray

from lasasr.artifacts import files
from lasasr.data import sources, tar
from lasasr.data.packed import PackedBytes, PackedStrings, Packing
from lasasr.errors import LasasrError, UsageError


class UnusableError(LasasrError):
    """A cut that can be neither trained on nor scored; `kind` is the reason in few words."""

    def __init__(self, kind: str, id: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.id = kind, id


@dataclass(frozen=True)
class Utterances:
    """N utterances in the order of the file.

    Cuts are kept as JSON without their supervisions and made into objects one at a time: the workers of a loader
    share the text, while 280,000 Python objects would be copied into each of them.
    """

    path: Path
    ids: PackedStrings
    speakers: PackedStrings  # "" where unknown
    texts: PackedStrings  # after the transcript rule
    durations_s: NDArray[np.float64]  # (N,)
    cuts: PackedBytes

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, index: int) -> Any:
        """The Lhotse cut of one utterance, without its supervision.

        Raises:
            LasasrError: Lhotse does not take the line for a cut.
        """
        cut = json.loads(self.cuts[index])
        sources.check(f"{self.path}: ", cut)  # once more: it may come from a file that is not the manifest
        try:
            return deserialize_item(cut)
        except Exception as error:
            raise _no_cut(f"{self.path}: utterance {self.ids[index]}", error) from None

    def shard(self, index: int) -> Path:
        """The tar file that the audio of one utterance lies in.

        Raises:
            UsageError: it lies in none.
        """
        shard = tar.shard_of(json.loads(self.cuts[index]))
        if shard is None:
            fault = f"{self.path}: the audio of utterance {self.ids[index]} is in none"
            raise UsageError(f"batching.shards_at_once is for audio in shards (corpus=shar); {fault}")
        return shard

    def shards(self) -> NDArray[np.int64]:
        """(N,) the number of the tar file of each utterance, counted from 0 in the order of the manifest.

        Raises:
            UsageError: an utterance lies in none.
        """
        numbers: dict[Path, int] = {}
        return np.array([numbers.setdefault(self.shard(index), len(numbers)) for index in range(len(self))])

    def first(self, count: int) -> Utterances:
        """The first `count` utterances (all, when there are fewer)."""
        fields = ("ids", "speakers", "texts", "durations_s", "cuts")
        return replace(self, **{name: getattr(self, name)[:count] for name in fields})


def read_manifest(
    path: Path, transcript: Callable[[str], str], unusable: list[UnusableError] | None = None
) -> Utterances:
    """Read a Lhotse cut manifest (.jsonl or .jsonl.gz) whose cuts have one supervision each.

    Args:
        path: of the manifest.
        transcript: the corpus's transcript rule, applied to every raw text.
        unusable: collects the faults of single cuts, which are then left out; by default the first one is raised.

    Raises:
        LasasrError: the manifest is missing, damaged or empty; an id occurs twice; a cut has no audio, audio in what is
            no file, no duration, none or several supervisions, or a transcript that is empty after the rule. It names
            manifest and id.
    """
    if not path.is_file():
        raise LasasrError(f"manifest {path} is missing; `lasasr prepare` writes it")
    seen: set[str] = set()
    ids, speakers, texts = Packing(PackedStrings), Packing(PackedStrings), Packing(PackedStrings)
    durations_s, cuts = array("d"), Packing(PackedBytes)
    for line in cut_lines(path):
        try:
            row = _row(path, line, transcript, seen)
        except UnusableError as error:
            if unusable is None:
                raise
            unusable.append(error)
            continue
        for column, value in zip((ids, speakers, texts), row[:3], strict=True):
            column.add(value)
        durations_s.append(row[3])
        cuts.add(row[4])
    if not durations_s:
        raise LasasrError(f"manifest {path} holds no utterance")
    return Utterances(
        path, ids.packed(), speakers.packed(), texts.packed(), np.array(durations_s, dtype=np.float64), cuts.packed()
    )


def cut_lines(path: Path) -> Iterator[Any]:
    """The cuts as plain values: to make objects of LibriSpeech's 280,000 takes Lhotse half a minute."""
    try:
        yield from map(files.parse_json, files.lines(path))
    except (OSError, EOFError, ValueError) as error:
        raise _no_cut(f"manifest {path}", error) from None


def _row(path: Path, line: Any, transcript: Callable[[str], str], seen: set[str]) -> tuple[str, str, str, float, bytes]:
    """(id, speaker, text, duration_s, the cut without its supervision as JSON) of one line; its id joins `seen`."""
    try:
        sources.check(f"{path}: ", line)
        name, duration_s, supervisions, recorded, cut = cut_fields(line)
    except LasasrError:
        raise
    except Exception as error:
        raise _no_cut(f"a line of manifest {path}", error) from None
    utterance = f"{path}: utterance {name}"
    if name in seen:
        twice = f"{path}: utterance id {name} occurs twice; ids must be unique within a split"
        raise UnusableError("duplicate id", name, twice)
    seen.add(name)
    if len(supervisions) != 1:
        way_out = "split it with Lhotse's trim_to_supervisions" if supervisions else "give it a transcript or remove it"
        fault = f"{utterance} has {len(supervisions)} supervisions, not one; {way_out}"
        raise UnusableError("not one transcript", name, fault)
    if not recorded:
        raise UnusableError("no recording", name, f"{utterance} has no recording")
    if not duration_s > 0:
        raise UnusableError("no duration", name, f"{utterance} has no duration ({duration_s} s); remove it")
    try:
        text = _transcribed(supervisions[0].get("text") or "", transcript, utterance)
    except LasasrError as error:
        raise UnusableError("empty transcript", name, str(error)) from None
    return name, supervisions[0].get("speaker") or "", text, duration_s, json.dumps(cut).encode()


def cut_fields(line: Any) -> tuple[str, float, list[dict[str, Any]], bool, dict[str, Any]]:
    """(id, duration_s, supervisions, whether it has a recording, the cut without supervisions)."""
    if line["type"] in ("MonoCut", "MultiCut"):
        cut = {name: value for name, value in line.items() if name != "supervisions"}
        return str(line["id"]), float(line["duration"]), line.get("supervisions") or [], bool(cut.get("recording")), cut
    mixed = deserialize_item(line)  # its parts have the supervisions
    supervisions = [supervision.to_dict() for supervision in mixed.supervisions]
    return mixed.id, mixed.duration, supervisions, mixed.has_recording, mixed.drop_supervisions().to_dict()


def _transcribed(raw: str, transcript: Callable[[str], str], utterance: str) -> str:
    try:
        text = transcript(raw)
    except LasasrError as error:
        raise LasasrError(f"{utterance}: {error}") from None
    if not text.strip():
        after = f" after the transcript rule ({raw!r} before it)" if raw else ""
        raise LasasrError(f"{utterance} has an empty transcript{after}; write or remove it")
    return text


def _no_cut(source: str, error: Exception) -> LasasrError:
    reason = " ".join(str(error).split("\n")[0].split())
    return LasasrError(f"{source} cannot be read as Lhotse cuts ({type(error).__name__}: {reason})")
