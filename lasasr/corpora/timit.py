"""TIMIT (Garofolo et al. 1993, LDC93S1) as the LDC distributes it, names in capitals or not.

<root>/TRAIN/DR1/FCJF0/SX37.WAV     NIST SPHERE (RIFF is read too)
                       SX37.PHN     first sample, last sample, one of the 61 labels
                       SX37.WRD     the same of words
                       SX37.TXT     first sample, last sample, the sentence

The protocol: the two SA sentences, which every speaker read, are left out everywhere; train is what is left of TRAIN
(3,696 utterances of 462 speakers), dev the 400 of 50 speakers of TEST, test the core test set, 192 of 24 others.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from lasasr.artifacts.files import expanded
from lasasr.corpora.base import Corpus, Progress
from lasasr.corpora.lines import Line, Span, cuts
from lasasr.corpora.manifest import write_cuts
from lasasr.corpora.timit_speakers import CORE_TEST, DEV
from lasasr.errors import LasasrError, UsageError, looked_up
from lasasr.text.timit import PHONES_61

log = logging.getLogger(__name__)

UTTERANCES: Final = {"train": 3696, "dev": 400, "test": 192}
_OF_A_SPEAKER: Final = {"SA": 2, "SI": 3, "SX": 5}
_PARTS: Final = {"train": "TRAIN", "dev": "TEST", "test": "TEST"}
_SENTENCE = re.compile(r"(SA|SI|SX)(\d+)\.WAV", re.IGNORECASE)
_SPEAKER = re.compile(r"[FM][A-Z]{3}\d", re.IGNORECASE)
_REGION = re.compile(r"DR[1-8]", re.IGNORECASE)


class _Sentence(NamedTuple):
    speaker: str  # in capitals, as FCJF0
    name: str  # in capitals, as SX37
    wav: Path

    @property
    def dialect_sentence(self) -> bool:
        return self.name.startswith("SA")

    def beside(self, suffix: str) -> Path:
        """The file of the same sentence with another suffix, in the case that the recording's name is in."""
        return self.wav.with_suffix(suffix.lower() if self.wav.suffix.islower() else suffix)


class TIMITCorpus(Corpus):
    """Train, dev and core test set by the protocol; see the module.

    Transcripts are the 61 labels; the transcript rule folds them to what is modelled, and errors are counted on 39
    phones in any case (`lasasr.text.timit.PROTOCOL`).

    Args:
        root: the folder that holds TRAIN and TEST, or a folder TIMIT or data in it that does.
        phones: that are modelled: 61, 48 or 39.

    Raises:
        UsageError: `phones` is none of the three.
    """

    name: ClassVar[str] = "timit"

    def __init__(self, root: str, phones: int = 39) -> None:
        if phones not in (61, 48, 39):
            raise UsageError(f"corpus.phones={phones} must be 61, 48 or 39")
        self.root = expanded(root)
        self.transcript = f"timit{phones}"

    def split_names(self) -> Sequence[str]:
        """See `Source`."""
        return list(UTTERANCES)

    def identity(self) -> Mapping[str, Any]:
        """Includes which files are there; not how many phones are modelled, which changes no manifest."""
        folder = self._root_folder()
        sizes = (
            f"{path.relative_to(folder)} {path.stat().st_size}\n"
            for part in ("TRAIN", "TEST")
            for path in sorted(_named(folder, part).rglob("*"))
            if path.is_file()
        )
        return {"root": str(folder.resolve()), "files": hashlib.sha256("".join(sizes).encode()).hexdigest()[:12]}

    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        manifests = {split: folder.resolve() / f"{split}.jsonl.gz" for split in UTTERANCES}
        if all(manifest.exists() for manifest in manifests.values()):
            return manifests
        root = self._root_folder()
        splits = _splits({part: _sentences(_named(root, part)) for part in ("TRAIN", "TEST")}, root)
        for split, manifest in manifests.items():
            if not manifest.exists():
                write_cuts(cuts(split, [_line(sentence) for sentence in splits[split]], progress), manifest)
        return manifests

    def _root_folder(self) -> Path:
        """The folder of TRAIN and TEST.

        Raises:
            LasasrError: there is none.
        """
        for folder in (
            self.root,
            *(self.root / name for name in ("TIMIT", "timit", "data", "TIMIT/TIMIT", "timit/timit")),
        ):
            if folder.is_dir() and all(_child(folder, part) for part in ("TRAIN", "TEST")):
                return folder
        raise LasasrError(
            f"there is no TIMIT in {self.root} (a folder with TRAIN and TEST): set corpus.root, or LASASR_DATA to the "
            f"folder that holds TIMIT; it is licensed by the LDC as LDC93S1{looked_up(self.root)}"
        )


def _child(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / name.lower()) if path.is_dir()), None)


def _named(folder: Path, name: str) -> Path:
    child = _child(folder, name)
    assert child is not None
    return child


def _sentences(part: Path) -> list[_Sentence]:
    """Every recording below TRAIN or TEST, ordered by speaker and name.

    Raises:
        LasasrError: a recording is not where TIMIT has them, or occurs twice.
    """
    sentences: dict[tuple[str, str], _Sentence] = {}
    for wav in sorted(path for path in part.rglob("*") if path.suffix.upper() == ".WAV" and path.is_file()):
        if wav.name.upper().endswith(".WAV.WAV"):
            continue  # a converted copy beside the original, as some redistributions have it
        match = _SENTENCE.fullmatch(wav.name)
        region, speaker = wav.parent.parent.name, wav.parent.name
        if not match or not _SPEAKER.fullmatch(speaker) or not _REGION.fullmatch(region):
            raise LasasrError(
                f"{wav} is not named as in TIMIT: {part.name}/DR1..DR8/SPEAKER/SA, SI or SX, number, .WAV"
            )
        sentence = _Sentence(speaker.upper(), f"{match[1]}{match[2]}".upper(), wav)
        if (sentence.speaker, sentence.name) in sentences:
            raise LasasrError(f"{wav} stands twice: also as {sentences[sentence.speaker, sentence.name].wav}")
        sentences[sentence.speaker, sentence.name] = sentence
    return [sentences[key] for key in sorted(sentences)]


def _splits(parts: Mapping[str, Sequence[_Sentence]], folder: Path) -> dict[str, list[_Sentence]]:
    """The sentences of each split.

    Raises:
        LasasrError: a speaker is in both parts, a split would be empty, or a corpus with all speakers lacks sentences.
    """
    shared = {sentence.speaker for sentence in parts["TRAIN"]} & {sentence.speaker for sentence in parts["TEST"]}
    if shared:
        raise LasasrError(f"{folder}: speaker {min(shared)} is in TRAIN and in TEST; restore the LDC's folders")
    wanted: dict[str, frozenset[str] | None] = {"train": None, "dev": DEV, "test": CORE_TEST}
    splits = {
        split: [
            sentence
            for sentence in parts[_PARTS[split]]
            if not sentence.dialect_sentence and (speakers is None or sentence.speaker in speakers)
        ]
        for split, speakers in wanted.items()
    }
    for split, sentences in splits.items():
        if not sentences:
            speakers = wanted[split]
            whose = "" if speakers is None else f" of the {len(speakers)} {split} speakers"
            raise LasasrError(f"{folder}: {_PARTS[split]} has no SI or SX sentence{whose}, so {split} would be empty")
    _check_counts(splits, parts, folder)
    return splits


def _check_counts(
    splits: Mapping[str, Sequence[_Sentence]], parts: Mapping[str, Sequence[_Sentence]], folder: Path
) -> None:
    """A whole TIMIT passes without a message, a part of it is logged as such.

    Raises:
        LasasrError: all speakers of a split are there, but not all of their sentences.
    """
    short = {split: len(sentences) for split, sentences in splits.items() if len(sentences) != UTTERANCES[split]}
    for split in short:
        counts = Counter((sentence.speaker, sentence.name[:2]) for sentence in parts[_PARTS[split]])
        speakers = {sentence.speaker for sentence in splits[split]}
        if len(speakers) * 8 == UTTERANCES[split]:
            wrong = [
                f"{speaker} has {counts[speaker, kind]} {kind} sentences, not {count}"
                for speaker in sorted(speakers)
                for kind, count in _OF_A_SPEAKER.items()
                if kind != "SA" and counts[speaker, kind] != count
            ]
            raise LasasrError(f"{folder}: {_PARTS[split]} is damaged: {wrong[0]}; copy it again from the LDC's disc")
    if short:
        counted = ", ".join(
            f"{split} has {count:,} of {UTTERANCES[split]:,} utterances" for split, count in short.items()
        )
        log.warning("%s is a part of TIMIT (%s): its error rates compare with no published ones", folder, counted)


def _line(sentence: _Sentence) -> Line:
    """The utterance with its times.

    Raises:
        LasasrError: a file beside the recording is missing or damaged; names file and line.
    """
    phones, words = list(_spans(sentence.beside(".PHN"))), list(_spans(sentence.beside(".WRD")))
    for number, phone in enumerate(phones, start=1):
        if phone.symbol not in PHONES_61:
            raise LasasrError(
                f"{sentence.beside('.PHN')}, line {number}: {phone.symbol!r} is none of TIMIT's 61 labels"
            )
    if not phones:
        raise LasasrError(f"{sentence.beside('.PHN')} is empty")
    text = " ".join(phone.symbol for phone in phones)
    return Line(
        f"{sentence.speaker}_{sentence.name}",
        text,
        sentence.speaker,
        sentence.wav.resolve(),
        {"word": words, "phone": phones},
    )


def _spans(path: Path) -> Iterator[Span]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise LasasrError(f"{path} is missing; copy it again from the LDC's disc") from None
    except UnicodeDecodeError:
        raise LasasrError(f"{path} is no text; copy it again from the LDC's disc") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = line.split()
        if len(fields) != 3 or not all(field.isdecimal() for field in fields[:2]) or int(fields[0]) > int(fields[1]):
            raise LasasrError(f"{path}, line {number}: {line!r} is not first sample, last sample, symbol")
        yield Span(fields[2], int(fields[0]), int(fields[1]))
