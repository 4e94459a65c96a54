"""The audio of a Lhotse cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lhotse.utils import compute_num_samples
from torch import Tensor

from lasasr.audio import read
from lasasr.errors import LasasrError

TOLERANCE_S = 0.01  # that a file may end before its manifest says: hand-made manifests round their times

Channels = np.ndarray[Any, Any]  # (channels, S) float32


def load(cut: Any, sample_rate_hz: int) -> Tensor:
    """Waveform (S,) of a cut, averaged over its channels and resampled.

    A cut of one file on disk is read here, and what does not match the manifest is an error: Lhotse mirrors up to half
    a second of speech to fill what a file lacks, and takes another sampling rate for the declared one. All else
    (several sources, archives, URLs, mixtures, formats unknown to libsndfile) is left to Lhotse.

    Raises:
        LasasrError: it is missing, unreadable, empty, not as the manifest says, or holds NaN or infinite samples; names
            utterance and file.
    """
    path = _single_file(cut)
    try:
        channels = _through_lhotse(cut) if path is None else _from_file(cut, path)
        return read.finished(channels, cut.sampling_rate, sample_rate_hz, "audio" if path is None else str(path))
    except LasasrError as error:
        raise LasasrError(f"utterance {cut.id}: {error}") from None


def _single_file(cut: Any) -> Path | None:
    """The file of a cut that is a plain part of one audio file."""
    recording = getattr(cut, "recording", None)
    if recording is None or recording.transforms or len(recording.sources) != 1:
        return None
    path = Path(str(recording.sources[0].source))
    return path if recording.sources[0].type == "file" and path.suffix.lower() in read.SUFFIXES else None


def _from_file(cut: Any, path: Path) -> Channels:
    declared = cut.recording.sources[0].channels
    with read.opened(path) as file:
        found = f"{file.channels} channels at {file.samplerate} Hz"
        manifest = f"{len(declared)} at {cut.sampling_rate} Hz"
        if (file.channels, file.samplerate) != (len(declared), cut.sampling_rate):
            raise LasasrError(f"{path} has {found}, its manifest says {manifest}; prepare the corpus again")
        file.seek(min(compute_num_samples(cut.start, cut.sampling_rate), file.frames))
        channels = read.decoded(file, cut.num_samples)
    missing_s = (cut.num_samples - channels.shape[1]) / cut.sampling_rate
    if channels.shape[1] > 0 and missing_s > TOLERANCE_S:
        raise LasasrError(f"{path} ends {missing_s:.3f} s before its manifest says; prepare the corpus again")
    wanted = [cut.channel] if isinstance(cut.channel, int) else cut.channel
    return channels[[declared.index(channel) for channel in wanted]]


def _through_lhotse(cut: Any) -> Channels:
    try:
        return np.atleast_2d(cut.load_audio())
    except Exception as error:
        # Lhotse tries several libraries and raises what the last one raised
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise LasasrError(f"its audio cannot be read: {reason}") from None
