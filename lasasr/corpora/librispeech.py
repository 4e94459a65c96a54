"""LibriSpeech (Panayotov et al. 2015) in its original layout, any part of it.

LibriSpeech/<split>/<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac
LibriSpeech/<split>/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt     one line each: name, transcript in capitals
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lasasr.artifacts.files import expanded
from lasasr.corpora.base import Corpus, Progress
from lasasr.corpora.librispeech_parts import OPENSLR, download_librispeech
from lasasr.corpora.lines import Line, cuts
from lasasr.corpora.manifest import write_cuts
from lasasr.errors import LasasrError, UsageError, looked_up


class LibriSpeechCorpus(Corpus):
    """The named original splits as train, dev and test.

    Args:
        root: the folder `LibriSpeech`, or the one that holds it.
        train: original splits that make up "train", as [train-clean-100, train-clean-360].
        dev: original splits that make up "dev"; empty with `hold_out_speakers`.
        test: original splits to evaluate: a single one becomes "test", several keep their names.
        hold_out_speakers: so many speakers of train, those with the highest numbers, become "dev".
        download: fetch the named splits that are not in `root`.
        source: where from; OpenSLR's mirrors have other addresses.

    Raises:
        UsageError: the lists contradict each other.
    """

    name: ClassVar[str] = "librispeech"
    transcript = "librispeech"

    def __init__(
        self,
        root: str,
        train: Sequence[str] = ("train-clean-100",),
        dev: Sequence[str] = ("dev-clean",),
        test: Sequence[str] = ("test-clean", "test-other"),
        hold_out_speakers: int = 0,
        download: bool = False,
        source: str = OPENSLR,
    ) -> None:
        self.root = expanded(root)
        self.download, self.source = download, source
        tests = {"test" if len(test) == 1 else split: [split] for split in test}
        self.originals: dict[str, list[str]] = {"train": list(train), "dev": list(dev), **tests}
        self.hold_out_speakers = hold_out_speakers
        self._check()

    def _check(self) -> None:
        named = [original for originals in self.originals.values() for original in originals]
        twice = sorted({original for original in named if named.count(original) > 1})
        if twice:
            raise UsageError(f"{', '.join(twice)} is named twice in corpus.train, corpus.dev and corpus.test")
        if not self.originals["train"]:
            raise UsageError("corpus.train names no split")
        if bool(self.originals["dev"]) == bool(self.hold_out_speakers):
            raise UsageError("either corpus.dev names a split or corpus.hold_out_speakers is above 0, not both")

    def fetch(self, progress: Progress) -> None:
        if self.download:
            parts = [original for originals in self.originals.values() for original in originals]
            download_librispeech(parts, folder_above(self.root), progress, self.source)

    def split_names(self) -> Sequence[str]:
        """See `Source`."""
        return list(self.originals)

    def identity(self) -> Mapping[str, Any]:
        """Includes which transcripts are there: a corpus that grew is another one."""
        root = self._splits_folder()
        return {
            "root": str(root.resolve()),
            "originals": self.originals,
            "hold_out_speakers": self.hold_out_speakers,
            "transcripts": listing(
                path
                for originals in self.originals.values()
                for name in originals
                for path in original_transcripts(root / name)
            ),
        }

    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        root = self._splits_folder()
        manifests = {split: folder.resolve() / f"{split}.jsonl.gz" for split in self.originals}
        for split, manifest in manifests.items():
            if not manifest.exists():
                write_cuts(cuts(split, self._lines(root, split), progress), manifest)
        return manifests

    def _splits_folder(self) -> Path:
        """The folder that holds the splits.

        Raises:
            LasasrError: it is not there, or a named split is not.
        """
        folder = splits_folder(self.root)
        splits = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        splits = [name for name in splits if next((folder / name).glob("*/*/*.trans.txt"), None)]
        if not splits:
            way_out = "set corpus.root or LASASR_DATA to its folder, or add corpus.download=true"
            raise LasasrError(f"there is no LibriSpeech in {self.root}: {way_out}{looked_up(self.root)}")
        absent = [name for names in self.originals.values() for name in names if name not in splits]
        if absent:
            raise LasasrError(
                f"{folder} does not hold {', '.join(absent)}; it holds {', '.join(splits)} "
                "(corpus.download=true fetches)"
            )
        return folder

    def _lines(self, folder: Path, split: str) -> list[Line]:
        originals = self.originals[split] or self.originals["train"]
        lines = [
            line for name in originals for path in original_transcripts(folder / name) for line in chapter_lines(path)
        ]
        if not self.hold_out_speakers or split not in ("train", "dev"):
            return lines
        speakers = sorted({line.speaker for line in lines}, key=_by_number)
        if len(speakers) <= self.hold_out_speakers:
            raise LasasrError(
                f"corpus.hold_out_speakers={self.hold_out_speakers} leaves nothing of the {len(speakers)} speakers in "
                f"{', '.join(originals)}"
            )
        held_out = set(speakers[-self.hold_out_speakers :])
        return [line for line in lines if (line.speaker in held_out) == (split == "dev")]


def original_transcripts(folder: Path) -> list[Path]:
    """The files with transcripts of an original split, one per chapter; none where it is no such folder."""
    return sorted(folder.glob("*/*/*.trans.txt"))


def splits_folder(root: Path) -> Path:
    """The folder that holds the original splits, where `root` is it or the one above."""
    return root / "LibriSpeech" if (root / "LibriSpeech").is_dir() else root


def folder_above(root: Path) -> Path:
    """The folder that holds `LibriSpeech`, where `root` is it or `LibriSpeech` itself."""
    return root.parent if root.name == "LibriSpeech" else root


def _by_number(speaker: str) -> tuple[int, str]:
    return (int(speaker) if speaker.isdecimal() else 0, speaker)


def listing(transcripts: Iterable[Path]) -> str:
    """Twelve digits over names and sizes of files with transcripts."""
    names = "\n".join(f"{path.name} {path.stat().st_size}" for path in transcripts)
    return hashlib.sha256(names.encode()).hexdigest()[:12]


def chapter_lines(transcripts: Path) -> list[Line]:
    """Utterances of one chapter.

    Raises:
        LasasrError: a line has no audio or no text, or an audio file has no line.
    """
    lines = []
    for number, line in enumerate(transcripts.read_text(encoding="utf-8").splitlines(), start=1):
        name, _, text = line.strip().partition(" ")
        audio = transcripts.parent / f"{name}.flac"
        if not text.strip():
            raise LasasrError(f"{transcripts}, line {number}: {name or 'an empty line'} has no text")
        if not audio.is_file():
            raise LasasrError(f"{transcripts}, line {number}: {audio.name} is missing; restore it or delete the line")
        lines.append(Line(name, text.strip(), transcripts.parent.parent.name, audio.resolve()))
    unnamed = {path.stem for path in transcripts.parent.glob("*.flac")} - {line.id for line in lines}
    if unnamed:
        raise LasasrError(f"{transcripts} has no line for {min(unnamed)}.flac ({len(unnamed)} such files beside it)")
    return lines
