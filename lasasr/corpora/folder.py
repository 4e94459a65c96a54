"""A folder of recordings with their transcripts beside them: `anna/one.wav` and `anna/one.txt`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from lasasr.artifacts.files import expanded
from lasasr.corpora.division import Division
from lasasr.corpora.listed import ListedCorpus
from lasasr.corpora.names import check_id
from lasasr.corpora.rows import Row
from lasasr.errors import LasasrError, looked_up

AUDIO: Final = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".sph", ".w64")
_NAMED: Final = 3  # files that a message names


class FolderCorpus(ListedCorpus):
    """Folders of recordings, at any depth; the first folder below is the speaker.

    Args:
        train, dev, test: folders; without `dev` that of train is divided.
        speakers: whether the first folder below is the speaker; else speakers are unknown.
        transcript, skip_unreadable, split_by, split_seed, held_out: as of `TableCorpus`.
    """

    name: ClassVar[str] = "folder"
    form = "DIR (recordings with .txt beside them)"

    def __init__(
        self,
        train: str | None,
        dev: str | None = None,
        test: str | None = None,
        speakers: bool = True,
        transcript: str = "english",
        skip_unreadable: bool = False,
        split_by: str = "speaker",
        split_seed: int = 1,
        held_out: float = 0.1,
    ) -> None:
        super().__init__(train, dev, test, transcript, skip_unreadable, Division(split_by, split_seed, held_out))
        self.speakers = speakers

    def _root(self, split: str) -> Path:
        root = expanded(self.given[split])
        if not root.is_dir():
            table = "; corpus=table reads tables" if root.is_file() else ""
            raise LasasrError(f"corpus.{split}={root} is missing, or no folder{table or looked_up(root)}")
        return root.resolve()

    def content(self, split: str) -> Mapping[str, Any]:
        """The path of a folder, and a digest over the names of its files, the texts and the sizes of the audio."""
        root, digest = self._root(split), hashlib.sha256()
        for audio, text in _pairs(root):
            for part in (str(audio.relative_to(root)), str(audio.stat().st_size)):
                digest.update(f"{part}\n".encode())
            digest.update(text.read_bytes())
        return {"folder": str(root), "sha256": digest.hexdigest(), "speakers": self.speakers}

    def rows(self, split: str, folder: Path) -> Sequence[Row]:
        """The utterances of a folder."""
        return rows(self._root(split), self.speakers)


def rows(root: Path, speakers: bool = True) -> list[Row]:
    """The utterances of a folder in the order of their paths; the id is the path without its suffix.

    Raises:
        LasasrError: there is no audio, audio without a transcript or the other way round, or a transcript is empty.
    """
    listed = []
    for audio, text in _pairs(root):
        where, name = f"{text}: ", audio.relative_to(root).with_suffix("").as_posix()
        check_id(where, name)
        try:
            words = " ".join(text.read_text(encoding="utf-8-sig").split())
        except UnicodeDecodeError as error:
            raise LasasrError(f"{where}it is no UTF-8 text ({error.reason} at byte {error.start})") from None
        if not words:
            raise LasasrError(f"{where}the transcript is empty; write it, or remove it and the recording")
        speaker = name.partition("/")[0] if speakers and "/" in name else None
        listed.append(Row(where, name, audio, words, speaker, 0.0, None))
    return listed


def _pairs(root: Path) -> list[tuple[Path, Path]]:
    """(audio, transcript) of every recording below a folder."""
    paths = sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))
    audio = [path for path in paths if path.suffix.lower() in AUDIO]
    if not audio:
        raise LasasrError(f"{root} holds no audio ({', '.join(AUDIO)})")
    texts = {path for path in paths if path.suffix == ".txt"}
    _refuse(root, [path for path in audio if path.with_suffix(".txt") not in texts], "no .txt beside it")
    uses = Counter(path.with_suffix("") for path in audio)
    _refuse(root, [path for path in audio if uses[path.with_suffix("")] > 1], "two recordings of one name")
    _refuse(root, sorted(texts - {path.with_suffix(".txt") for path in audio}), "no recording beside it")
    return [(path, path.with_suffix(".txt")) for path in audio]


def _refuse(root: Path, paths: Sequence[Path], fault: str) -> None:
    if paths:
        named = ", ".join(str(path.relative_to(root)) for path in paths[:_NAMED])
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        raise LasasrError(
            f"{root}: {named}{more}: {fault}. Each recording has its transcript beside it, as one.wav and one.txt; "
            f"other layouts: write a table (corpus=table)"
        )
