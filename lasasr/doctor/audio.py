"""Every audio file of a split, read once: does it decode, is it what was prepared, what do its samples hold?"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lasasr.audio import containers, read
from lasasr.audio.read import TOLERANCE_S
from lasasr.corpora.base import Progress
from lasasr.data import digests, moved_audio
from lasasr.data.audio import check_length, go_to, load
from lasasr.data.digests import Digest
from lasasr.data.manifest import Utterances
from lasasr.doctor.finding import Finding, Severity, about
from lasasr.doctor.signal import faults
from lasasr.errors import LasasrError
from lasasr.nn.concurrent import cores_per_process

_EVERY = 20  # files between two reports of progress

# kind → (severity, way out)
KINDS: Mapping[str, tuple[Severity, str]] = {
    "changed since prepared": ("error", "restore the file; or run lasasr prepare if the change is meant"),
    "unreadable": ("error", "restore the file, or take the utterance out"),
    "other rate or channels": ("error", "not what its manifest says: prepare the corpus again"),
    "cut off or chained": ("error", "restore the file, or take the utterance out"),
    "other length": ("error", "not what its manifest says: restore the file, or prepare the corpus again"),
    "zero length": ("error", "take the utterance out, or correct its times"),
    "NaN or infinite samples": ("error", "repair the file, or take the utterance out"),
    "opposite phase": ("error", "their mean is silence: keep one channel"),
    "digital silence": ("warning", "training learns to write this text for silence: take the utterance out"),
    "clipping": ("warning", "recorded too loud: the error rate here will be higher"),
    "dropouts": ("warning", "parts of the recording are missing"),
    "low sampling rate": ("warning", "the upper part of the spectrum is empty after resampling"),
}


class Fault(NamedTuple):
    """Of one utterance."""

    kind: str
    place: int  # of the utterance in its split
    detail: str


def audio(
    split: str, utterances: Utterances, sample_rate_hz: int, progress: Progress, longest_s: float = math.inf
) -> list[Finding]:
    """Read every file of a split in threads; what is wrong, by kind, with the first file as an example.

    Args:
        longest_s: longer utterances are not read.
    """
    recorded = digests.recorded(utterances.path)
    files = _by_file(utterances, longest_s)
    faults: dict[str, list[Fault]] = defaultdict(list)
    with ThreadPoolExecutor(max(2, cores_per_process())) as readers:
        jobs = readers.map(lambda path: list(_file(path, files[path], utterances, recorded, sample_rate_hz)), files)
        for done, faulty in enumerate(jobs, start=1):
            for fault in faulty:
                faults[fault.kind].append(fault)
            if done % _EVERY == 0 or done == len(files):
                progress(f"audio of {split}", done, len(files))
    return [finding for kind in KINDS for finding in _findings(kind, split, utterances, faults[kind])]


def _findings(kind: str, split: str, utterances: Utterances, faults: list[Fault]) -> list[Finding]:
    severity, way_out = KINDS[kind]
    ids = dict.fromkeys(utterances.ids[fault.place] for fault in faults)
    return about(kind, severity, split, ids, len(utterances), f"{faults[0].detail}; {way_out}" if faults else "")


def _by_file(utterances: Utterances, longest_s: float) -> dict[str, list[int]]:
    """Path → the utterances in it; what is no plain part of one file stands alone."""
    files: dict[str, list[int]] = defaultdict(list)
    for index, line in enumerate(utterances.cuts):
        if utterances.durations_s[index] > longest_s:
            continue
        path = _single_file(json.loads(line))
        files[path or f"{utterances.ids[index]}\n"].append(index)  # no path ends in a line break
    return files


def _single_file(cut: Mapping[str, Any]) -> str | None:
    recording = cut.get("recording") or {}
    sources = recording.get("sources", ())
    if len(sources) != 1 or sources[0].get("type") != "file" or recording.get("transforms"):
        return None
    path = str(sources[0]["source"])
    return path if Path(path).suffix.lower() in read.SUFFIXES else None


def _file(
    path: str, indices: list[int], utterances: Utterances, recorded: Mapping[str, Digest], sample_rate_hz: int
) -> Iterator[Fault]:
    cuts = [utterances.cut(index) for index in indices]
    changed = "; ".join(_changes(utterances.cuts[indices[0]], recorded))
    if changed:
        yield from (Fault("changed since prepared", index, changed) for index in indices)
    rate_hz = cuts[0].sampling_rate
    if rate_hz < sample_rate_hz:
        detail = f"{path.strip()} has {rate_hz} Hz, the features are made at {sample_rate_hz} Hz"
        yield from (Fault("low sampling rate", index, detail) for index in indices)
    try:
        if path.endswith("\n"):
            yield from _by_lhotse(cuts[0], indices[0])
        else:
            yield from _decoded(Path(path), dict(zip(indices, cuts, strict=True)))
    except Exception as error:  # whatever one file brings about, the others are looked at
        reason = str(error) if isinstance(error, LasasrError) else f"{path.strip()}: {error!r}"
        detail = moved_audio.explained(utterances.path, utterances.cuts[indices[0]]) or reason
        yield from (Fault("unreadable", index, detail) for index in indices)


def _changes(cut: bytes, recorded: Mapping[str, Digest]) -> Iterator[str]:
    for source in digests.sources(json.loads(cut)):
        now = digests.digest(source) if source in recorded else None
        if now is not None:
            if now.bytes != recorded[source].bytes:
                yield f"{source} had {recorded[source].bytes} bytes and has {now.bytes}"
            elif now != recorded[source]:
                yield f"{source} has other content than when it was prepared, in as many bytes"


def _by_lhotse(cut: Any, index: int) -> Iterator[Fault]:
    """Archives, mixtures, several files: what training would do."""
    waveform = load(cut, cut.sampling_rate).numpy()[None]
    yield from (Fault(kind, index, f"{cut.id}: {detail}") for kind, detail in faults(waveform, cut.sampling_rate))


def _decoded(path: Path, cuts: Mapping[int, Any]) -> Iterator[Fault]:
    """What training would meet in each cut of a file, by the functions that it uses."""
    with read.opened(path) as file:
        first = next(iter(cuts.values())).recording
        declared = len(first.sources[0].channels), first.sampling_rate
        if (file.channels, file.samplerate) != declared:
            now = f"{path} has {file.channels} channels at {file.samplerate} Hz, not {declared[0]} at {declared[1]} Hz"
            yield from (Fault("other rate or channels", index, now) for index in cuts)
            return
        off = file.frames - first.num_samples if file.length_known else 0
        if file.frames and abs(off) > TOLERANCE_S * file.samplerate:
            detail = f"{path} has {file.frames} samples, not {first.num_samples}"
            yield from (Fault("other length", index, detail) for index in cuts)
        elif fault := _container_fault(path):
            yield from (Fault("cut off or chained", index, fault) for index in cuts)
            return
    for index, cut in cuts.items():
        yield from (Fault(kind, index, f"{path}: {detail}") for kind, detail in _samples(path, cut))


def _container_fault(path: Path) -> str:
    try:
        containers.check(path, str(path))
    except LasasrError as error:
        return str(error)
    return ""


def _samples(path: Path, cut: Any) -> list[tuple[str, str]]:
    with read.opened(path) as file:  # anew for each, as in training: what one cut does to a decoder, no other sees
        go_to(file, cut)
        channels = read.decoded(file, cut.num_samples)
        if channels.shape[1] == 0:
            return [("zero length", f"0 samples from {cut.start:g} s on")]
        kinds = faults(np.ascontiguousarray(channels), file.samplerate)
        if not file.length_known or file.frames >= cut.recording.num_samples - TOLERANCE_S * file.samplerate:
            try:
                check_length(file, cut, channels.shape[1])
            except LasasrError as error:
                kinds.append(("cut off or chained", str(error).removeprefix(f"{path} ")))
        return kinds
