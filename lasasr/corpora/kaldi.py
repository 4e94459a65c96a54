"""Data directories of Kaldi (Povey et al. 2011), as ESPnet and others have them too, one per split.

`wav.scp` names the recordings, `text` the transcripts, and where they are there `segments` the parts of recordings,
`utt2spk` the speakers and `utt2dur` the lengths. What `wav.scp` pipes through a command is refused: a file does not run
programs here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from lasasr.artifacts.files import expanded
from lasasr.corpora.division import Division
from lasasr.corpora.listed import ListedCorpus
from lasasr.corpora.names import check_id
from lasasr.corpora.rows import Row
from lasasr.errors import LasasrError, looked_up
from lasasr.transcripts import kaldi

FILES: Final = ("wav.scp", "text", "segments", "utt2spk", "utt2dur")
_REQUIRED: Final = FILES[:2]
_ABOVE: Final = 3  # folders above a data directory from which relative paths may start, as data/train's does


class _Part(NamedTuple):
    recording: str
    start_s: float
    end_s: float | None  # None: the end of the recording


class KaldiCorpus(ListedCorpus):
    """Data directories; see the module.

    Args:
        train, dev, test: directories; without `dev` that of train is divided.
        audio_root: where relative paths of wav.scp start; None: the directory, or the folder above it that has them.
        transcript, skip_unreadable, split_by, split_seed, held_out: as of `TableCorpus`.
    """

    name: ClassVar[str] = "kaldi"
    form = "data/train (a directory with wav.scp and text)"

    def __init__(
        self,
        train: str | None,
        dev: str | None = None,
        test: str | None = None,
        audio_root: str | None = None,
        transcript: str = "english",
        skip_unreadable: bool = False,
        split_by: str = "speaker",
        split_seed: int = 1,
        held_out: float = 0.1,
    ) -> None:
        super().__init__(train, dev, test, transcript, skip_unreadable, Division(split_by, split_seed, held_out))
        self.audio_root = audio_root

    def content(self, split: str) -> Mapping[str, Any]:
        """The path of a directory and the digests of its files."""
        folder = data_directory(self.given[split], f"corpus.{split}")
        present = [name for name in FILES if (folder / name).is_file()]
        digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in present}
        root = {} if self.audio_root is None else {"audio_root": str(expanded(self.audio_root).resolve())}
        return {"folder": str(folder), **root, **digests}

    def rows(self, split: str, folder: Path) -> Sequence[Row]:
        """The utterances of a directory."""
        return rows(data_directory(self.given[split], f"corpus.{split}"), self.audio_root)


def data_directory(given: str, key: str) -> Path:
    """The directory, whole.

    Args:
        key: that names it, for messages.

    Raises:
        LasasrError: it is missing, or has no wav.scp or no text; names those below it that have.
    """
    folder = expanded(given)
    if not folder.is_dir():
        raise LasasrError(f"{key}={given} is missing, or no folder{looked_up(given)}")
    folder = folder.resolve()
    for name in _REQUIRED:
        if not (folder / name).is_file():
            below = ", ".join(sorted(path.parent.name for path in folder.glob("*/wav.scp")))
            way_out = f"; it holds {below}: name one, as {given.rstrip('/')}/{below.split(', ')[0]}" if below else ""
            raise LasasrError(f"{key}={given} is no data directory of Kaldi: it has no {name}{way_out}")
    return folder


def rows(folder: Path, audio_root: str | None = None) -> list[Row]:
    """The utterances of a data directory, in the order of `text`.

    Raises:
        LasasrError: a file is damaged, or they do not belong together; names file and utterance.
    """
    texts = kaldi.table(folder / "text")
    if not texts:
        raise LasasrError(f"{folder / 'text'} has no utterances")
    recordings = kaldi.table(folder / "wav.scp")
    parts, listed_in = _parts(folder, recordings)
    speakers = kaldi.utt2spk(folder / "utt2spk") if (folder / "utt2spk").is_file() else {}
    lengths_s = _lengths_s(folder / "utt2dur")
    _refuse_unlike(folder, texts, parts, listed_in)
    audio = {name: _audio(folder, name, recordings[name], audio_root) for name in {p.recording for p in parts.values()}}
    listed = []
    for name, text in texts.items():
        where = f"{folder}, utterance {name}: "
        check_id(where, name)
        if not text:
            raise LasasrError(f"{where}text is empty; remove it (utils/fix_data_dir.sh removes what is incomplete)")
        part = parts[name]
        speaker = speakers.get(name)
        if speakers and speaker is None:
            raise LasasrError(f"{where}it is not in utt2spk; {_WAY_OUT}")
        length_s = lengths_s.get(name)
        listed.append(Row(where, name, audio[part.recording], text, speaker, part.start_s, part.end_s, length_s))
    return listed


_WAY_OUT: Final = "utils/fix_data_dir.sh makes the files of a data directory agree"


def _parts(folder: Path, recordings: Mapping[str, str]) -> tuple[dict[str, _Part], str]:
    """Utterance → the part of a recording that it is, and the name of the file that lists them."""
    path = folder / "segments"
    if not path.is_file():
        return {name: _Part(name, 0.0, None) for name in recordings}, "wav.scp"
    parts = {}
    for name, line in kaldi.table(path).items():
        where = f"{path}, utterance {name}: "
        fields = line.split()
        if len(fields) != 3:
            raise LasasrError(f"{where}{line!r} is not a recording, its start and its end in seconds")
        recording, start_s, end_s = fields[0], _seconds(where, fields[1]), _seconds(where, fields[2], least=-1.0)
        if recording not in recordings:
            raise LasasrError(f"{where}recording {recording} is not in wav.scp; {_WAY_OUT}")
        if end_s != -1.0 and end_s <= start_s:
            raise LasasrError(f"{where}start {start_s:g} is not before end {end_s:g}")
        parts[name] = _Part(recording, start_s, None if end_s == -1.0 else end_s)
    return parts, "segments"


def _seconds(where: str, text: str, least: float = 0.0) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not least <= seconds < math.inf or least < seconds < 0.0:
        raise LasasrError(f"{where}{text} is not a time in seconds")
    return seconds


def _lengths_s(path: Path) -> dict[str, float]:
    if not path.is_file():
        return {}
    return {name: _seconds(f"{path}, utterance {name}: ", text) for name, text in kaldi.table(path).items()}


def _refuse_unlike(folder: Path, texts: Mapping[str, str], parts: Mapping[str, _Part], listed_in: str) -> None:
    for names, others, here, there in ((texts, parts, "text", listed_in), (parts, texts, listed_in, "text")):
        absent = [name for name in names if name not in others]
        if absent:
            more = f" and {len(absent) - 1} more are" if len(absent) > 1 else " is"
            raise LasasrError(f"{folder}: {absent[0]}{more} in {here} but not in {there}; {_WAY_OUT}")


def _audio(folder: Path, name: str, entry: str, audio_root: str | None) -> Path:
    where = f"{folder / 'wav.scp'}, recording {name}: "
    if entry.endswith("|") or entry.startswith("|"):
        raise LasasrError(
            f"{where}{entry[:80]!r} is a command, which is not run; write its output to a file and name that"
        )
    stem, _, offset = entry.rpartition(":")
    if offset.isdigit() and stem.endswith(".ark"):
        raise LasasrError(f"{where}{entry!r} lies in an archive of Kaldi; write it to a file (wav-copy) and name that")
    if not entry:
        raise LasasrError(f"{where}the path is empty")
    path = expanded(entry)
    if audio_root is not None:
        return expanded(audio_root) / path
    starts = [folder, *list(folder.parents)[:_ABOVE], Path.cwd()]
    found = next((start / path for start in starts if (start / path).is_file()), None)
    if found is None and not path.is_absolute():
        raise LasasrError(
            f"{where}{entry} is in none of {', '.join(map(str, starts))}; corpus.audio_root=DIR names the folder"
        )
    return found or path
