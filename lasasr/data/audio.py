"""The audio of a Lhotse cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lhotse.utils import compute_num_samples
from torch import Tensor

from lasasr.audio import containers, read
from lasasr.audio.read import TOLERANCE_S, AudioFile
from lasasr.data import sources, tar
from lasasr.data.tar import Member
from lasasr.errors import LasasrError

Channels = np.ndarray[Any, Any]  # (channels, S) float32


def load(cut: Any, sample_rate_hz: int) -> Tensor:
    """Waveform (S,) of a cut, averaged over its channels and resampled.

    A cut of one file, on disk or inside a tar file, is read here, and what does not match the manifest is an error:
    Lhotse mirrors up to half a second of speech to fill what a file lacks, and takes another sampling rate for the
    declared one. All else (several sources, transforms, mixtures, formats unknown to libsndfile) is left to Lhotse,
    which gets regular files only (`data.sources`).

    Raises:
        LasasrError: it is missing, unreadable, empty, not as the manifest says, or holds NaN or infinite samples; names
            utterance and file.
    """
    try:
        where = location(cut)
        name = names(cut) if where is None else str(where)
        return read.finished(samples(cut)[0], cut.sampling_rate, sample_rate_hz, name)
    except LasasrError as error:
        raise LasasrError(f"utterance {cut.id}: {error}") from None
    except Exception as error:  # whatever else one file brings about, it is named
        reason = " ".join(str(error).split())[:300]
        raise LasasrError(f"utterance {cut.id}: {names(cut)}: {type(error).__name__}: {reason}") from error


def location(cut: Any) -> Path | Member | None:
    """The location of the audio of a cut that is a plain part of one audio file; None of any other cut."""
    recording = getattr(cut, "recording", None)
    if recording is None or recording.transforms or len(recording.sources) != 1:
        return None
    source = recording.sources[0]
    if source.type == tar.KIND:
        return Member.at(str(source.source))
    path = Path(str(source.source))
    return path if source.type == "file" and path.suffix.lower() in read.SUFFIXES else None


def samples(cut: Any) -> tuple[Channels, str]:
    """The samples (channels, S) of a cut, and their sample format where it has one: PCM_16, FLOAT, VORBIS, ...

    Raises:
        LasasrError: see `load`.
    """
    where = location(cut)
    return (_through_lhotse(cut), "") if where is None else _decoded(cut, where)


def check(cut: Any) -> None:
    """Read the audio of a cut as `load` does, a part at a time, and forget it.

    Raises:
        LasasrError: `load` would fail; names the file.
    """
    where = location(cut)
    if where is None:
        read.mono(_through_lhotse(cut), cut.sampling_rate, names(cut))
        return
    done, begin_s = 0, cut.start
    with opened(where) as file:
        check_header(file, cut)
        go_to(file, cut)
        for part in read.parts(file, cut.num_samples):
            read.mono(part.T, cut.sampling_rate, str(where), begin_s + done / cut.sampling_rate)
            done += len(part)
        check_length(file, cut, done)


def _decoded(cut: Any, where: Path | Member) -> tuple[Channels, str]:
    declared = cut.recording.sources[0].channels
    with opened(where) as file:
        check_header(file, cut)
        go_to(file, cut)
        channels, stored = read.decoded(file, cut.num_samples), str(file.subtype)
        check_length(file, cut, channels.shape[1])
    numbers = [cut.channel] if isinstance(cut.channel, int) else cut.channel
    return channels[[declared.index(channel) for channel in numbers]], stored


def check_header(file: AudioFile, cut: Any) -> None:
    """Check that an open file has the channels and the rate that the manifest of a cut says.

    Raises:
        LasasrError: it has others.
    """
    declared = cut.recording.sources[0].channels
    if (file.channels, file.samplerate) != (len(declared), cut.recording.sampling_rate):
        stored_format = f"{file.channels} channels at {file.samplerate} Hz"
        manifest = f"{len(declared)} at {cut.recording.sampling_rate} Hz"
        raise LasasrError(f"{file} has {stored_format}, its manifest says {manifest}; prepare the corpus again")


def go_to(file: AudioFile, cut: Any) -> None:
    """Let an open file go on where a cut begins."""
    file.go_to(compute_num_samples(cut.start, file.samplerate))


def check_length(file: AudioFile, cut: Any, samples: int) -> None:
    """Check how many samples of a cut were decoded.

    Raises:
        LasasrError: they are fewer than its manifest says.
    """
    missing_s = (cut.num_samples - samples) / file.samplerate
    if missing_s <= TOLERANCE_S or (samples == 0 and cut.start * file.samplerate >= file.frames):
        return  # what has no sample at all is said by who looks at samples
    end = compute_num_samples(cut.start, file.samplerate) + cut.num_samples
    if end <= file.frames + TOLERANCE_S * file.samplerate:
        fault = f"{file} is cut off or damaged: its header says that {missing_s:.3f} s more follow"
        raise LasasrError(f"{fault} ({containers.WAY_OUT})")
    raise LasasrError(f"{file} ends {missing_s:.3f} s before its manifest says; prepare the corpus again")


def names(cut: Any) -> str:
    """The files that a cut is read from, for errors."""
    recording = getattr(cut, "recording", None)
    paths = [str(source.source) for source in recording.sources] if recording is not None else []
    return ", ".join(paths) if paths else "its audio"


def opened(where: Path | Member) -> AudioFile:
    """An open audio file.

    Raises:
        LasasrError: it is missing, or no audio file.
    """
    return read.opened_bytes(where.content(), str(where)) if isinstance(where, Member) else read.opened(where)


def _through_lhotse(cut: Any) -> Channels:
    sources.refuse_unreadable("", cut)
    try:
        return np.atleast_2d(cut.load_audio())
    except Exception as error:
        # Lhotse tries several libraries and raises what the last one raised
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise LasasrError(f"{names(cut)} cannot be read: {reason}") from None
