"""Where `lasasr transcribe` writes: to standard output, or a file per recording and format."""

from __future__ import annotations

import json
import os
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from lasasr.artifacts.files import write_text
from lasasr.errors import UsageError, nearest
from lasasr.escaping import escaped, takes_unicode
from lasasr.transcription.formats import FORMATS, Format
from lasasr.transcription.recordings import Recording
from lasasr.transcription.transcript import Transcript


def formats_of(names: str) -> dict[str, Format]:
    """The formats that are named, with commas between them.

    Raises:
        UsageError: there is no such format.
    """
    for name in names.split(","):
        if name not in FORMATS:
            raise UsageError(f"--format {name}: no such format; {nearest(name, FORMATS)}")
    return {name: FORMATS[name] for name in names.split(",")}


class Sink(ABC):
    """Takes transcripts in order."""

    @abstractmethod
    def write(self, recording: Recording, transcript: Transcript) -> None:
        """Write one.

        Raises:
            LasasrError: it lacks what a format needs.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End what was begun, which nothing needs but a document of several."""
        return


class Stream(Sink):
    """Prints one format.

    Args:
        timestamps: text has lines with the times of words.

    Raises:
        UsageError: there are several formats, or several recordings in one that holds a single one.
    """

    def __init__(self, formats: Mapping[str, Format], listed: Sequence[Recording], timestamps: bool) -> None:
        if len(formats) > 1:
            raise UsageError(f"--format {','.join(formats)} writes files: name a folder with --out")
        ((self.name, self.format),) = formats.items()
        self.timestamps, self.begun = timestamps, False
        if not self.format.joinable and self.name != "json" and len(listed) > 1:
            raise UsageError(f"--format {self.name} holds one recording, and {len(listed)} are named: add --out DIR")

    def write(self, recording: Recording, transcript: Transcript) -> None:
        """Print it."""
        if self.name == "text":
            rendered = f"{escaped(transcript.audio)}\t{_text(transcript, self.timestamps)}"
        elif self.name == "json":
            rendered = (
                ("," if self.begun else "[")
                + "\n"
                + json.dumps(transcript.plain(), ensure_ascii=not takes_unicode(sys.stdout))
            )
        else:
            rendered = ("" if self.begun else self.format.header) + self.format.render(transcript)
            if self.name == "jsonl" and not takes_unicode(sys.stdout):
                rendered = json.dumps(transcript.plain()) + "\n"
        _print(rendered)
        self.begun = True

    def __exit__(self, *error: object) -> None:
        if self.name == "json":
            _print("\n]\n" if self.begun else "[]\n")


class Files(Sink):
    """Writes a file per recording and format below a folder, whole or not at all.

    Args:
        timestamps: text has lines with the times of words.
        overwrite: files that are there are replaced.

    Raises:
        UsageError: a file is there already, two recordings would have the same, or the folder has a file's name.
    """

    def __init__(
        self,
        folder: Path,
        formats: Mapping[str, Format],
        listed: Sequence[Recording],
        timestamps: bool,
        overwrite: bool,
    ) -> None:
        if folder.suffix in {form.suffix for form in FORMATS.values()} and not folder.is_dir():
            raise UsageError(f"--out names a folder, in which each recording has its files; {folder} is a file's name")
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            raise UsageError(f"--out {folder}: {there} is a file, not a folder; name a new folder")
        if not os.access(there, os.W_OK):
            raise UsageError(f"--out {folder}: {there} cannot be written; name another folder")
        self.folder, self.formats, self.timestamps = folder, formats, timestamps
        self.stems = stems_of(listed)
        for recording in listed:
            for form in formats.values():
                path = self._path(recording, form)
                if path.exists() and not overwrite:
                    raise UsageError(f"{path} is there already; name another folder, or add --overwrite")

    def write(self, recording: Recording, transcript: Transcript) -> None:
        """Write its files."""
        rendered = {
            name: _text(transcript, self.timestamps) if name == "text" else form.header + form.render(transcript)
            for name, form in self.formats.items()
        }
        for name, content in rendered.items():
            path = self._path(recording, self.formats[name])
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, content)

    def _path(self, recording: Recording, form: Format) -> Path:
        stem = self.stems[id(recording.audio)]
        return self.folder / stem.with_name(stem.name + form.suffix)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()  # results are there as soon as they are made, in a pipe too


def stems_of(listed: Sequence[Recording]) -> dict[int, Path]:
    """The files of each recording (by the id of its audio), without suffix: two of one name keep that of their audio.

    Raises:
        UsageError: two would still have the same.
    """
    counts = Counter(recording.place for recording in listed)
    stems: dict[int, Path] = {}
    taken: dict[Path, str] = {}
    for recording in listed:
        place = recording.place
        if counts[place] > 1:
            place = place.with_name(place.name + Path(recording.audio.name).suffix)
        if place in taken:
            names = f"{taken[place]} and {recording.audio.name}"
            raise UsageError(f"{names} would be written to the same files; name the folder above them, or use a table")
        taken[place], stems[id(recording.audio)] = recording.audio.name, place
    return stems


def _text(transcript: Transcript, timestamps: bool) -> str:
    """The text; below it other readings with their scores, and the words with their times."""
    best = transcript.hypothesis
    lines = [best.text]
    for rank, reading in enumerate(best.alternatives, start=2):
        lines.append(f"{rank:9d}{reading.score:9.3f}  {reading.text}")
    if timestamps:
        lines += [f"{word.start_s:9.3f}{word.end_s:9.3f}  {word.word}" for word in transcript.timed_words()]
    return "\n".join(lines) + "\n"
