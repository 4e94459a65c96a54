"""Lhotse cuts as the contract of `base.py` defines them: made, written and read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lhotse import CutSet, MonoCut, MultiCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource
from lhotse.supervision import AlignmentItem

from lasasr.artifacts.files import replacing


def recording(id: str, audio: Path, sampling_rate: int, samples: int, channels: int = 1) -> Recording:
    """A recording of this size, without opening its file."""
    return Recording(
        id=id,
        sources=[AudioSource(type="file", channels=list(range(channels)), source=str(audio))],
        sampling_rate=sampling_rate,
        num_samples=samples,
        duration=samples / sampling_rate,
    )


def utterance(
    id: str,
    text: str,
    speaker: str | None,
    whole: Recording,
    start_s: float = 0.0,
    end_s: float | None = None,
    alignment: Mapping[str, Sequence[AlignmentItem]] | None = None,
) -> MonoCut:
    """A recording from `start_s` to `end_s` (by default all of it), with its transcript as the one supervision."""
    duration = (whole.duration if end_s is None else end_s) - start_s
    supervision = SupervisionSegment(
        id=id,
        recording_id=whole.id,
        start=0.0,
        duration=duration,
        channel=0,
        text=text,
        language="English",
        speaker=speaker,
        alignment=None if alignment is None else {kind: list(items) for kind, items in alignment.items()},
    )
    return MonoCut(id=id, start=start_s, duration=duration, channel=0, recording=whole, supervisions=[supervision])


def write_cuts(cuts: Iterable[MonoCut | MultiCut], path: Path) -> None:
    """Write a `.jsonl.gz` manifest whole or not at all; equal cuts give equal bytes."""
    with (
        replacing(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as lines,
    ):
        for cut in cuts:
            lines.write((json.dumps(cut.to_dict(), ensure_ascii=False) + "\n").encode())


def read_cuts(path: Path) -> CutSet:
    """The cuts of a manifest that `write_cuts` wrote."""
    return CutSet.from_file(path).to_eager()
