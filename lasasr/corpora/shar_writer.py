"""Prepared manifests → Lhotse Shar, readable by Lhotse and by `corpus=shar`.

Lhotse's own writer stores 16 bits whatever there was, and leaves word times of a part where they stood in the whole
recording. Here no sample changes: a whole file is copied byte by byte, and a part is stored as finely as its file.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
from lhotse import CutSet, MonoCut, MultiCut, Recording
from lhotse.shar.utils import to_shar_placeholder
from lhotse.utils import fastcopy

from lasasr.artifacts.files import replacing_folder, write_json
from lasasr.corpora.base import Progress
from lasasr.corpora.manifest import write_cuts
from lasasr.corpora.shar_files import LIST, SCHEMA, describe, listed
from lasasr.data import audio
from lasasr.data.tar import KIND, Member
from lasasr.errors import LasasrError

AUDIO: Final = ("copy", "flac", "wav")
_16_BITS: Final = ("PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW")
_EVERY: Final = 20  # utterances between two reports of progress


def write_shards(
    manifests: Mapping[str, Path],
    folder: Path,
    metadata: Mapping[str, Any],
    progress: Progress,
    audio_format: str = "copy",
    shard_size: int = 1000,
) -> dict[str, Any]:
    """Write `folder`/<split>/..., each split whole or not at all; one that is there already stays.

    Args:
        manifests: split → manifest.
        metadata: of the corpus that the shards hold, as plain values; `folder` may only hold shards made of the same.
        audio_format: "copy": whole files as they are, parts of files as FLAC, or float WAV where FLAC would round;
            "flac": 16 bits, or 24 where there are more than 16; "wav": 16 bits, or float.
        shard_size: utterances of a shard.

    Returns:
        The content of `shards.json` (see `shar_files`).

    Raises:
        LasasrError: audio cannot be read, `folder` holds something else, or it cannot be written to.
    """
    origin = {**metadata, "audio": audio_format, "shard_size": shard_size}
    content = _begun(folder, origin)
    try:
        for split, manifest in manifests.items():
            if (folder / split).exists():
                if split in content["splits"]:
                    continue
                raise LasasrError(f"{folder / split} is not in {folder / LIST}; delete it or name another folder")
            with replacing_folder(folder / split) as temporary:
                utterances = _write_split(split, manifest, temporary, audio_format, shard_size, progress)
                content["splits"][split] = {"utterances": utterances, "files": describe(temporary)}
                write_json(folder / LIST, content)  # first: what is listed and not there is written again
    except OSError as error:
        raise LasasrError(f"shards cannot be written to {folder}: {error}") from None
    return content


def _begun(folder: Path, origin: Mapping[str, Any]) -> dict[str, Any]:
    """The existing list, which must have the same origin."""
    before = listed(folder)
    for name, value in origin.items() if before["splits"] else ():
        if before.get(name) != value:
            fault = f"shards with {name} {before.get(name)}, not {value}"
            raise LasasrError(f"{folder} holds {fault}; delete it or name another folder")
    return {"schema": SCHEMA, **origin, "splits": dict(before["splits"])}


def _write_split(
    split: str, manifest: Path, folder: Path, audio_format: str, shard_size: int, progress: Progress
) -> int:
    with gzip.open(manifest, "rb") as lines:
        total = sum(1 for _ in lines)
    cuts, done = iter(CutSet.from_file(manifest)), 0
    for number in range(-(-total // shard_size)):
        written = []
        with tarfile.open(folder / f"recording.{number:06d}.tar", "w") as tar:
            for cut in islice(cuts, shard_size):
                written.append(_write(cut, tar, audio_format))
                done += 1
                if done % _EVERY == 0 or done == total:
                    progress(f"shards of {split}", done, total)
        write_cuts(written, folder / f"cuts.{number:06d}.jsonl.gz")
    return done


def _write(cut: Any, tar: tarfile.TarFile, audio_format: str) -> Any:
    """Add an utterance to a tar file; return its cut as a shard holds it."""
    if not isinstance(cut, MonoCut | MultiCut):
        raise LasasrError(f"utterance {cut.id} is a {type(cut).__name__}, which cannot be put into shards")
    try:
        content, suffix = _stored(cut, audio_format)
    except LasasrError as error:
        raise LasasrError(f"utterance {cut.id}: {error}") from None
    recording = _recording(cut)
    offset = _add(tar, f"{cut.id}.{suffix}", content)
    _add(tar, f"{cut.id}.json", json.dumps(recording.to_dict()).encode())
    recording.sources[0].source = Member(Path(Path(str(tar.name)).name), offset, len(content)).source
    return _moved(cut, recording)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Add a file; return where its content begins."""
    header = tarfile.TarInfo(name)
    header.size = len(content)
    tar.addfile(header, io.BytesIO(content))
    blocks = -(-len(content) // tarfile.BLOCKSIZE)
    return tar.offset - blocks * tarfile.BLOCKSIZE


def _stored(cut: Any, audio_format: str) -> tuple[bytes, str]:
    """The audio of a cut and the suffix of its format."""
    where = audio.location(cut)
    if audio_format == "copy" and where is not None and _is_whole(cut, where):
        if isinstance(where, Member):
            return where.content(), "audio"
        return where.read_bytes(), where.suffix[1:].lower()
    channels, stored = audio.samples(cut)
    if channels.shape[1] == 0:
        raise LasasrError("holds no audio (0 samples); remove it or record it again")
    if not np.isfinite(channels).all():
        raise LasasrError("holds NaN or infinite samples; remove or repair it")
    if audio_format == "flac" or (audio_format == "copy" and stored in (*_16_BITS, "PCM_24")):
        return _encoded(cut, channels, "flac", "PCM_16" if stored in _16_BITS else "PCM_24"), "flac"
    return _encoded(cut, channels, "wav", "PCM_16" if stored in _16_BITS else "FLOAT"), "wav"


def _is_whole(cut: Any, where: Path | Member) -> bool:
    """Whether a cut is all that its file holds, channels in their order."""
    channels = [cut.channel] if isinstance(cut.channel, int) else list(cut.channel)
    if cut.start > 0 or channels != list(cut.recording.sources[0].channels):
        return False
    with audio.opened(where) as file:
        file_size: tuple[int, ...] = file.frames, file.samplerate, file.channels
    return file_size == (cut.num_samples, cut.sampling_rate, len(channels))


def _encoded(cut: Any, channels: audio.Channels, kind: str, subtype: str) -> bytes:
    content = io.BytesIO()
    try:
        soundfile.write(content, channels.T, cut.sampling_rate, subtype, format=kind.upper())
    except soundfile.SoundFileError as error:
        raise LasasrError(f"cannot be written as {kind} ({error})") from None
    return content.getvalue()


def _recording(cut: Any) -> Recording:
    """Of the cut alone, as Lhotse's reader expects it: without a position, which is that of its shard."""
    recording: Recording = to_shar_placeholder(cut.recording, cut)
    channels = [cut.channel] if isinstance(cut.channel, int) else list(cut.channel)
    recording.sources[0].type, recording.sources[0].channels, recording.channel_ids = KIND, channels, channels
    return recording


def _moved(cut: Any, recording: Recording) -> Any:
    """The cut from the beginning of its own recording on; times in an alignment count from there too."""
    (supervision,) = cut.supervisions
    alignment = {
        kind: [item.with_offset(-cut.start) for item in items] for kind, items in (supervision.alignment or {}).items()
    }
    supervision = fastcopy(supervision, alignment=alignment or None)
    return fastcopy(cut, start=0.0, recording=recording, supervisions=[supervision], features=None)
