"""Recordings of the user's own, listed in any form: rows → cuts, and splits that are not given out of train."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lhotse import MonoCut

from lasasr.artifacts import files
from lasasr.corpora.audio_faults import skippable
from lasasr.corpora.audio_files import Size, check_audio, mixed, read, size, write_downmixed
from lasasr.corpora.base import Corpus, Progress
from lasasr.corpora.division import Division, described, divide
from lasasr.corpora.manifest import recording, utterance, write_cuts
from lasasr.corpora.rows import Row
from lasasr.distributed import launch
from lasasr.errors import LasasrError, UsageError
from lasasr.escaping import escaped

SCHEMA: Final = 1
_SLACK_S = 0.02  # an end_s so little behind the end of the file is rounding
_UNLIKE_S = 0.1  # so far from the length that a source says, the audio is another one
_EVERY = 100  # utterances between two reports of progress


class ListedCorpus(Corpus):
    """Utterances as a source lists them, one source per split; see the subclasses.

    Args:
        train, dev, test: the sources. Where dev is absent, it, and test where that is absent too, comes out of train.
        transcript: name of the transcript rule.
        skip_unreadable: leave out utterances whose audio cannot be used, instead of refusing them.
        division: how train is divided.
    """

    form: str  # of a source, as an example of what corpus.train takes

    def __init__(
        self,
        train: str | None,
        dev: str | None,
        test: str | None,
        transcript: str,
        skip_unreadable: bool,
        division: Division,
    ) -> None:
        self.given = {split: source for split, source in (("train", train), ("dev", dev), ("test", test)) if source}
        self.transcript = transcript
        self.skip_unreadable = skip_unreadable
        self.division = division

    @property
    def divided(self) -> list[str]:
        """The splits that come out of train."""
        return [] if "dev" in self.given else [split for split in ("test", "dev") if split not in self.given]

    def split_names(self) -> Sequence[str]:
        """See `Source`."""
        return [*self.given, *sorted(self.divided)]

    @abstractmethod
    def rows(self, split: str, folder: Path) -> Sequence[Row]:
        """The utterances of a split that is given.

        Args:
            folder: where audio may be written that lies in no file of its own.

        Raises:
            LasasrError: the source is missing or damaged; the message names it.
        """

    @abstractmethod
    def content(self, split: str) -> Mapping[str, Any]:
        """Everything that decides what `rows` gives, as plain values.

        Raises:
            LasasrError: the source is missing.
        """

    def identity(self) -> Mapping[str, Any]:
        """Includes what the sources hold, so that an edited one is another corpus."""
        self.check_given()
        skipping = {"skip_unreadable": True} if self.skip_unreadable else {}
        dividing = self.division.identity() if self.divided else {}
        return skipping | dividing | {split: self.content(split) for split in self.given}

    def check_given(self) -> None:
        """Refuse a corpus without a source for train.

        Raises:
            UsageError: says what it takes.
        """
        if "train" not in self.given:
            raise UsageError(f"corpus.train is not set: corpus={self.name} needs corpus.train={self.form}")

    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        self.check_given()
        folder = folder.resolve()
        splits = self.split_names()
        manifests = {split: folder / f"{split}.jsonl.gz" for split in splits}
        missing = [split for split in splits if not manifests[split].exists()]
        parts = self._divided(folder) if self.divided and {"train", *self.divided} & {*missing} else {}
        for split in missing:
            cuts = self._cuts(split, parts.get(split), manifests[split])
            write_cuts(_reported(cuts, split, progress), manifests[split])
        return manifests

    def _cuts(self, split: str, part: Sequence[Row] | None, manifest: Path) -> Iterator[MonoCut]:
        """The cuts of a split.

        Args:
            part: the rows of a split that was divided; None: they are the source's.
        """
        rows = self.rows(split, manifest.parent) if part is None else part
        return self.cuts_of(rows, manifest, manifest.parent / "audio" / split)

    def cuts_of(self, rows: Sequence[Row], manifest: Path, downmixed: Path) -> Iterator[MonoCut]:
        """The cuts of rows; several channels are averaged into files below `downmixed`."""
        sizes: dict[Path, Size | LasasrError] = {}

        def cut(numbered: tuple[int, Row]) -> MonoCut:
            number, row = numbered
            return _cut(row, _size(row, sizes), downmixed / f"{number:06d}.flac")

        yield from skippable(manifest, enumerate(rows), lambda item: item[1].id, cut, self.skip_unreadable)

    def _divided(self, folder: Path) -> dict[str, list[Row]]:
        """The rows of train by split; which speaker is where is written down and said."""
        subject = f"corpus.train={self.given['train']}"
        parts = divide(self.rows("train", folder), self.divided, self.division, subject)
        splits = {
            split: {"utterances": len(rows), "speakers": sorted({row.speaker for row in rows if row.speaker})}
            for split, rows in parts.items()
        }
        files.write_json(folder / "division.json", {"schema": SCHEMA, **self.division.identity(), "splits": splits})
        print_note(described(parts, self.division, subject))
        return parts


def print_note(line: str) -> None:
    """One line that a user should read; the first process says it."""
    if line:
        launch.say(escaped(f"note: {line}"))


def _reported(cuts: Iterator[MonoCut], split: str, progress: Progress) -> Iterator[MonoCut]:
    done = 0
    for done, cut in enumerate(cuts, start=1):
        if done % _EVERY == 0:
            progress(f"reading {split}", done, done)
        yield cut
    progress(f"reading {split}", done, done)


def _size(row: Row, sizes: dict[Path, Size | LasasrError]) -> Size:
    """Of the file of a row; each is looked at once, though several rows may be tried at once."""
    known = sizes.get(row.audio)
    if known is None:
        try:
            known = size(row.audio)
        except LasasrError as error:
            known = error
        sizes[row.audio] = known
    if isinstance(known, LasasrError):
        raise LasasrError(f"{row.where}{known}")
    return known


def _cut(row: Row, audio_size: Size, mono: Path) -> MonoCut:
    """The cut of a row, after its audio was decoded once: by then what is wrong with it costs no training."""
    end_s = _end(row, audio_size)
    rate = audio_size.sampling_rate
    if audio_size.channels == 1:
        whole = recording(f"{row.audio.stem}-{row.id}", row.audio.resolve(), rate, audio_size.samples)
        cut = utterance(row.id, row.text, row.speaker, whole, row.start_s, end_s)
        check_audio(row.where, cut)
        return cut
    channels = read(row.audio, round(row.start_s * rate), round(end_s * rate), row.where)
    samples = mixed(channels, rate, f"audio file {row.audio}", row.where)
    mono = write_downmixed(mono, samples, rate)
    return utterance(row.id, row.text, row.speaker, recording(row.id, mono, rate, len(samples)))


def _end(row: Row, audio_size: Size) -> float:
    if row.end_s is None and row.start_s >= audio_size.duration_s:
        raise LasasrError(f"{row.where}start_s {row.start_s:g} is behind the end of {row.audio}")
    if row.end_s is not None and row.end_s > audio_size.duration_s + _SLACK_S:
        raise LasasrError(
            f"{row.where}end_s {row.end_s:g} is behind the end of {row.audio} ({audio_size.duration_s:g} s)"
        )
    end_s = audio_size.duration_s if row.end_s is None else min(row.end_s, audio_size.duration_s)
    lasts_s = end_s - row.start_s
    if row.lasts_s is not None and abs(lasts_s - row.lasts_s) > _UNLIKE_S:
        raise LasasrError(
            f"{row.where}it lasts {lasts_s:.2f} s in {row.audio}, but {row.lasts_s:.2f} s are said: is it that audio?"
        )
    return end_s
