"""The recordings of one speaker of another corpus, divided anew: `adapt.speaker=ID adapt.minutes=M`.

Whichever split of that corpus they are in, they are put together by what is said, so that no sentence of test or dev is
trained on, and divided in an order that nothing but the sentences decides: test, then dev, then train. So test and dev
are the same for all M, and what is trained on with fewer minutes is a part of what is trained on with more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

from lhotse import MonoCut, MultiCut

from lasasr.artifacts import files
from lasasr.corpora.base import Corpus, Progress
from lasasr.corpora.manifest import read_cuts, write_cuts
from lasasr.distributed import launch
from lasasr.errors import LasasrError, UsageError, nearest

Cut: TypeAlias = MonoCut | MultiCut
_SHARES: Final = {"test": 0.3, "dev": 0.1}  # of the speaker's recordings, by duration; train is the rest


class OwnSpeechCorpus(Corpus):
    """Train, dev and test of one speaker.

    Args:
        corpus: that holds the recordings, in any of its splits.
        speaker: whose they are.
        minutes: of them that are trained on; None: all that are left.

    Raises:
        UsageError: the minutes are not positive.
    """

    name: ClassVar[str] = "own_speech"

    def __init__(self, corpus: Corpus, speaker: str, minutes: float | None = None) -> None:
        if minutes is not None and not minutes > 0.0:
            raise UsageError(f"adapt.minutes={minutes} must be above 0")
        self.corpus, self.speaker, self.minutes = corpus, speaker, minutes
        self.transcript = corpus.transcript

    def split_names(self) -> Sequence[str]:
        """See `Source`."""
        return ("train", "dev", "test")

    def identity(self) -> Mapping[str, Any]:
        """That of the corpus, with the speaker and the minutes."""
        minutes = None if self.minutes is None else float(self.minutes)
        return {"of": self.corpus.name, "speaker": self.speaker, "minutes": minutes, "in": self.corpus.identity()}

    def fetch(self, progress: Progress) -> None:
        """That of the corpus."""
        self.corpus.fetch(progress)

    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        manifests = {split: folder.resolve() / f"{split}.jsonl.gz" for split in self.split_names()}
        if not all(manifest.exists() for manifest in manifests.values()):
            splits = self._divided(self._recordings(folder.resolve().parent, progress))
            for split, manifest in manifests.items():
                write_cuts(splits[split], manifest)
        return manifests

    def _recordings(self, prepared: Path, progress: Progress) -> list[Cut]:
        """The speaker's cuts, each once.

        Raises:
            LasasrError: there is no such speaker; names the nearest.
        """
        waiting = partial(launch.say, f"another process prepares {self.corpus.name}: waiting for it")
        with files.locked(prepared / f".{self.corpus.name}.lock", waiting):
            whole = self.corpus.prepare(prepared / f"{self.corpus.name}-{self.corpus.fingerprint()}", progress)
        own: dict[str, Cut] = {}
        speakers: set[str] = set()
        for manifest in whole.values():
            for cut in read_cuts(manifest):
                speakers.add(str(cut.supervisions[0].speaker))
                if str(cut.supervisions[0].speaker) == self.speaker:
                    own.setdefault(cut.id, cut)
        if not own:
            raise LasasrError(f"adapt.speaker={self.speaker} is in no split; {nearest(self.speaker, sorted(speakers))}")
        return list(own.values())

    def _divided(self, cuts: Sequence[Cut]) -> dict[str, list[Cut]]:
        """Split → its cuts.

        Raises:
            LasasrError: there are too few sentences to divide, or fewer minutes than are wanted.
        """
        sentences, total_s = list(_by_sentence(cuts)), sum(cut.duration for cut in cuts)
        splits: dict[str, list[Cut]] = {}
        for split, share in _SHARES.items():
            splits[split] = []
            while sentences and _seconds(splits[split]) < share * total_s:
                splits[split] += sentences.pop(0)
        splits["train"] = [cut for sentence in sentences for cut in sentence]
        if not all(splits.values()):
            raise LasasrError(
                f"adapt.speaker={self.speaker} has {len(cuts)} utterances, too few sentences to divide into train, dev "
                "and test"
            )
        splits["train"] = self._first_minutes(splits["train"])
        return splits

    def _first_minutes(self, cuts: Sequence[Cut]) -> list[Cut]:
        """The first of them that together have the minutes."""
        if self.minutes is None:
            return list(cuts)
        taken: list[Cut] = []
        for cut in cuts:
            if _seconds(taken) >= 60.0 * self.minutes:
                break
            taken.append(cut)
        if _seconds(taken) < 60.0 * self.minutes:
            raise LasasrError(
                f"adapt.minutes={self.minutes:g}: beside dev and test there are {_seconds(cuts) / 60.0:.2f} minutes of "
                f"speaker {self.speaker}; take fewer, or leave adapt.minutes out for all"
            )
        return taken


def _by_sentence(cuts: Sequence[Cut]) -> Iterator[list[Cut]]:
    """The cuts of one text after another, in an order that the texts alone decide."""
    texts: dict[str, list[Cut]] = {}
    for cut in sorted(cuts, key=lambda cut: cut.id):
        texts.setdefault(" ".join(str(cut.supervisions[0].text).lower().split()), []).append(cut)
    for text in sorted(texts, key=lambda text: hashlib.sha256(text.encode()).hexdigest()):
        yield texts[text]


def _seconds(cuts: Sequence[Cut]) -> float:
    return float(sum(cut.duration for cut in cuts))
