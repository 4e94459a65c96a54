"""speechocean762 (Zhang et al. 2021; www.openslr.org/101): English read by Mandarin speakers, half of them children.

<root>/train/{wav.scp,text,utt2spk,spk2age,spk2gender}     Kaldi's folders; also test/, as distributed, or dev/
<root>/WAVE/SPEAKER0001/000010011.WAV                      what wav.scp names, in any format that libsndfile reads
<root>/train/text-phone or <root>/resource/text-phone      phones of the words as the dictionary has them
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from lasasr.artifacts.files import expanded
from lasasr.corpora.base import Corpus, Progress
from lasasr.corpora.lines import Line, cuts
from lasasr.corpora.manifest import write_cuts
from lasasr.errors import LasasrError, UsageError, looked_up
from lasasr.text.cmu import plain

log = logging.getLogger(__name__)

_TRANSCRIPTS: Final = {"words": "english", "phones": "phones"}  # what is transcribed → its rule
_ADULT_FROM: Final = 18  # years
_AGES: Final = ("all", "adults", "children")
_WORD_BOUNDARY: Final = "|"


class Speechocean762Corpus(Corpus):
    """Train and dev from its train folder, test from its test folder.

    Dev speakers are taken out of train, so that the test folder stays unseen. They are spread evenly: with the
    speakers ordered by (child or adult, gender, number), the i-th of n dev speakers is at the middle of the i-th
    of n equal parts. So each group gives in proportion to its size.

    Args:
        root: the folder speechocean762.
        text: "words", or "phones": the dictionary's 39 phones without stress.
        dev_speakers: so many speakers of train are dev.
        test: name of the folder to evaluate; None: test or, where there is none, dev, with a warning.
        ages: whose speech it is, in all splits: "all", "adults" (of 18 years and more) or "children".

    Raises:
        UsageError: an option is out of its range.
    """

    name: ClassVar[str] = "speechocean762"

    def __init__(
        self, root: str, text: str = "words", dev_speakers: int = 10, test: str | None = None, ages: str = "all"
    ) -> None:
        if text not in _TRANSCRIPTS:
            raise UsageError(f"corpus.text={text} must be words or phones")
        if dev_speakers < 1:
            raise UsageError(f"corpus.dev_speakers={dev_speakers} must be at least 1")
        if test == "train":
            raise UsageError("corpus.test=train would evaluate what is trained on; name another folder")
        if ages not in _AGES:
            raise UsageError(f"corpus.ages={ages} must be one of {', '.join(_AGES)}")
        self.root = expanded(root)
        self.text, self.ages = text, ages
        self.dev_speakers = dev_speakers
        self.test = test
        self.transcript = _TRANSCRIPTS[text]

    def split_names(self) -> Sequence[str]:
        """See `Source`."""
        return ("train", "dev", "test")

    def identity(self) -> Mapping[str, Any]:
        """Includes what the lists of both folders hold; `ages` only where it leaves speakers out."""
        folders = [self._folder("train"), self._folder(self._test())]
        listed = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
        listed += [path for path in [self.root / "resource" / "text-phone"] if path.is_file()]
        held = "".join(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in listed)
        return {
            "root": str(self.root.resolve()),
            "text": self.text,
            "dev_speakers": self.dev_speakers,
            "test": self._test(),
            "lists": hashlib.sha256(held.encode()).hexdigest()[:12],
            **({} if self.ages == "all" else {"ages": self.ages}),
        }

    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        manifests = {split: folder.resolve() / f"{split}.jsonl.gz" for split in self.split_names()}
        missing = [split for split, manifest in manifests.items() if not manifest.exists()]
        if missing:
            splits = self._lines()
            for split in missing:
                write_cuts(cuts(split, splits[split], progress), manifests[split])
            if self.test is None and self._test() != "test":
                log.warning("%s has no folder test: its folder %s is the test split", self.root, self._test())
        return manifests

    def _test(self) -> str:
        if self.test is not None:
            return self.test
        return "test" if (self.root / "test").is_dir() else "dev"

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        if not (folder / "wav.scp").is_file():
            raise LasasrError(
                f"there is no {name}/wav.scp in {self.root}: set corpus.root, or LASASR_DATA to the folder that holds "
                f"speechocean762{looked_up(self.root)}"
            )
        return folder

    def _lines(self) -> dict[str, list[Line]]:
        train = self._read(self._folder("train"))
        held_out = self._held_out(sorted({line.speaker for line in train}))
        test = self._read(self._folder(self._test()))
        shared = {line.speaker for line in train} & {line.speaker for line in test}
        if shared:
            raise LasasrError(f"{self.root}: speaker {min(shared)} is in train and in {self._test()}")
        return {
            "train": [line for line in train if line.speaker not in held_out],
            "dev": [line for line in train if line.speaker in held_out],
            "test": test,
        }

    def _held_out(self, speakers: Sequence[str]) -> set[str]:
        count = self.dev_speakers
        if count >= len(speakers):
            raise LasasrError(f"corpus.dev_speakers={count} leaves nothing of the {len(speakers)} speakers in train")
        ages, genders = (_optional(self._folder("train") / name) for name in ("spk2age", "spk2gender"))
        ordered = sorted(
            speakers, key=lambda speaker: (_is_adult(ages.get(speaker)), genders.get(speaker, ""), speaker)
        )
        return {ordered[(2 * part + 1) * len(ordered) // (2 * count)] for part in range(count)}

    def _read(self, folder: Path) -> list[Line]:
        """The utterances of a folder, in the order of wav.scp.

        Raises:
            LasasrError: one has no transcript or speaker.
        """
        speakers, texts = pairs(folder / "utt2spk"), pairs(folder / "text")
        if self.text == "phones":
            texts = self._phones(folder)
        lines = []
        for name, audio in pairs(folder / "wav.scp").items():
            for path, values in (("utt2spk", speakers), ("text-phone" if self.text == "phones" else "text", texts)):
                if name not in values:
                    raise LasasrError(f"{folder / path} has no line for {name}, which {folder / 'wav.scp'} has")
            lines.append(Line(name, texts[name], speakers[name], (self.root / audio).resolve()))
        return self._of_ages(folder, lines)

    def _of_ages(self, folder: Path, lines: list[Line]) -> list[Line]:
        """The lines of speakers of the chosen ages.

        Raises:
            LasasrError: the age of a speaker is not listed, or there is no such speaker.
        """
        if self.ages == "all":
            return lines
        ages = pairs(folder / "spk2age")
        for line in lines:
            if not ages.get(line.speaker, "").isdecimal():
                raise LasasrError(f"{folder / 'spk2age'} does not say the age of {line.speaker}: use corpus.ages=all")
        adults = self.ages == "adults"
        if not (chosen := [line for line in lines if _is_adult(ages[line.speaker]) == adults]):
            raise LasasrError(f"{folder} has no {self.ages}: use corpus.ages=all")
        return chosen

    def _phones(self, folder: Path) -> dict[str, str]:
        """Utterance → its phones without stress and position, from one line per utterance or per word (`name.0`)."""
        path = next((parent for parent in (folder, self.root / "resource") if (parent / "text-phone").is_file()), None)
        if path is None:
            raise LasasrError(f"neither {folder} nor {self.root / 'resource'} has a text-phone; use corpus.text=words")
        words: dict[str, list[tuple[int, str]]] = {}
        for key, marked in pairs(path / "text-phone").items():
            name, _, word = key.partition(".")
            words.setdefault(name, []).append((int(word) if word.isdecimal() else 0, marked))
        return {name: _plain(path, name, sorted(parts)) for name, parts in words.items()}


def pairs(path: Path) -> dict[str, str]:
    """A list of Kaldi's: first field → the rest of the line.

    Raises:
        LasasrError: it is missing, no text, a line has one field only, or a first field occurs twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise LasasrError(f"{path} is missing; copy the folder {path.parent} again, whole") from None
    except UnicodeDecodeError as error:
        raise LasasrError(f"{path} is no UTF-8 text ({error.reason} at byte {error.start})") from None
    fields: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        key, *rest = line.split(maxsplit=1) or [""]
        if not key:
            continue
        if not rest:
            raise LasasrError(f"{path}, line {number}: {key} has nothing after it")
        if key in fields:
            raise LasasrError(f"{path}, line {number}: {key} stands twice")
        fields[key] = rest[0].strip()
    return fields


def _optional(path: Path) -> dict[str, str]:
    return pairs(path) if path.is_file() else {}


def _is_adult(age: str | None) -> bool:
    return age is not None and age.isdecimal() and int(age) >= _ADULT_FROM


def _plain(path: Path, name: str, words: Sequence[tuple[int, str]]) -> str:
    try:
        return " ".join(plain(phone) for _, word in words for phone in word.split() if phone != _WORD_BOUNDARY)
    except LasasrError as error:
        raise LasasrError(f"{path / 'text-phone'}, {name}: {error}") from None
