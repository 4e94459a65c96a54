"""The audio of a Lhotse cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lhotse.utils import compute_num_samples
from torch import Tensor

from lasasr.audio import read
from lasasr.data import sources, tar
from lasasr.data.tar import Member
from lasasr.errors import LasasrError

TOLERANCE_S = 0.01  # that a file may end before its manifest says: hand-made manifests round their times

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
        name = "audio" if where is None else str(where)
        return read.finished(samples(cut)[0], cut.sampling_rate, sample_rate_hz, name)
    except LasasrError as error:
        raise LasasrError(f"utterance {cut.id}: {error}") from None


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


def _decoded(cut: Any, where: Path | Member) -> tuple[Channels, str]:
    declared = cut.recording.sources[0].channels
    with opened(where) as file:
        stored_format = f"{file.channels} channels at {file.samplerate} Hz"
        manifest = f"{len(declared)} at {cut.sampling_rate} Hz"
        if (file.channels, file.samplerate) != (len(declared), cut.sampling_rate):
            raise LasasrError(f"{where} has {stored_format}, its manifest says {manifest}; prepare the corpus again")
        file.seek(min(compute_num_samples(cut.start, cut.sampling_rate), file.frames))
        channels, stored = read.decoded(file, cut.num_samples), str(file.subtype)
    missing_s = (cut.num_samples - channels.shape[1]) / cut.sampling_rate
    if channels.shape[1] > 0 and missing_s > TOLERANCE_S:
        raise LasasrError(f"{where} ends {missing_s:.3f} s before its manifest says; prepare the corpus again")
    wanted = [cut.channel] if isinstance(cut.channel, int) else cut.channel
    return channels[[declared.index(channel) for channel in wanted]], stored


def opened(where: Path | Member) -> Any:
    """An open `soundfile.SoundFile`.

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
        raise LasasrError(f"its audio cannot be read: {reason}") from None
