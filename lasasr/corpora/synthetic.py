"""The embedded corpus: sentences of a grammar, spoken by eSpeak NG in many voices, with light noise.

Train, dev and test share neither voices nor sentences. Word and phone times come from the synthesizer's events.
"""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Final

from lhotse import MonoCut
from lhotse.supervision import AlignmentItem

from lasasr.corpora.base import Corpus, Progress
from lasasr.corpora.grammar import FEWEST_WORDS, MOST_WORDS
from lasasr.corpora.manifest import recording, utterance, write_cuts
from lasasr.corpora.render import SAMPLING_RATE, Order, Rendered, rendered, rendering_pool
from lasasr.corpora.sentences import load_grammar, sentences
from lasasr.corpora.timing import Segment
from lasasr.corpora.voices import draw_shifted_voice, draw_voice
from lasasr.errors import UsageError

_RENDERING: Final = 1  # raised when the same options come to give other audio
_VOICES: Final = {"usual": draw_voice, "shifted": draw_shifted_voice}
_SPLITS: Final = ("test", "dev", "train")  # a split avoids the sentences of those before it
_LEVELS_DB, _MARGINS_S = (-30.0, -18.0), (0.05, 0.25)


class SyntheticCorpus(Corpus):
    """Speech rendered on the spot; see the module.

    Args:
        grammar: `demo` (about 120 words) or `large` (more than 400).
        hours: speech in train.
        dev_utterances, test_utterances: size of the other splits.
        random_order_share: share in [0, 1] of sentences whose words come in random order.
        seed: another one gives other sentences, voices and noise; nothing else decides them.
        snr_db: range of the signal-to-noise ratio, drawn per utterance.
        fewest_words: of a sentence, 2 to 12; more make longer sentences.
        voices: `usual`, or `shifted`: other rates and pitches, whispers and creaks, a synthetic shift.
        workers: processes that render; by default one per processor. It does not change what is rendered.

    Raises:
        UsageError: an option is out of its range.
    """

    name: ClassVar[str] = "synthetic"
    transcript = "english"

    def __init__(
        self,
        grammar: str = "demo",
        hours: float = 2.0,
        dev_utterances: int = 150,
        test_utterances: int = 300,
        random_order_share: float = 0.1,
        seed: int = 0,
        snr_db: Sequence[float] = (20.0, 40.0),
        fewest_words: int = FEWEST_WORDS,
        workers: int | None = None,
        voices: str = "usual",
    ) -> None:
        self.voices = voices
        self.grammar = grammar
        self.hours = hours
        self.utterances = {"dev": dev_utterances, "test": test_utterances}
        self.random_order_share = random_order_share
        self.seed = seed
        self.snr_db = list(snr_db)
        self.fewest_words = fewest_words
        self.workers = _processors() if workers is None else workers
        self._rules = load_grammar(grammar)
        self._check()

    def _check(self) -> None:
        wrong = {
            f"hours={self.hours} must be above 0": self.hours <= 0,
            f"dev_utterances={self.utterances['dev']} must be at least 1": self.utterances["dev"] < 1,
            f"test_utterances={self.utterances['test']} must be at least 1": self.utterances["test"] < 1,
            f"random_order_share={self.random_order_share} must be in [0, 1]": not 0 <= self.random_order_share <= 1,
            f"snr_db={self.snr_db} must be [lowest, highest]": len(self.snr_db) != 2
            or sorted(self.snr_db) != self.snr_db,
            f"fewest_words={self.fewest_words} must be in [{FEWEST_WORDS}, {MOST_WORDS}]": not FEWEST_WORDS
            <= self.fewest_words
            <= MOST_WORDS,
            f"voices={self.voices} must be {' or '.join(_VOICES)}": self.voices not in _VOICES,
            f"workers={self.workers} must be at least 1": self.workers < 1,
        }
        for message, applies in wrong.items():
            if applies:
                raise UsageError(f"corpus.{message}")

    def split_names(self) -> Sequence[str]:
        """See `Source`."""
        return _SPLITS[::-1]

    def identity(self) -> Mapping[str, Any]:
        # left out at their defaults, so that corpora rendered before there were these options stay what they are
        longer = {} if self.fewest_words == FEWEST_WORDS else {"fewest_words": self.fewest_words}
        return {
            **longer,
            **({} if self.voices == "usual" else {"voices": self.voices}),
            "rendering": _RENDERING,
            "grammar": self.grammar,
            "rules": self._rules.fingerprint(),
            "hours": float(self.hours),
            "utterances": self.utterances,
            "random_order_share": self.random_order_share,
            "seed": self.seed,
            "snr_db": [float(end) for end in self.snr_db],
        }

    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        """See `Corpus`."""
        return self.prepare_only(folder, _SPLITS, progress)

    def prepare_only(self, folder: Path, wanted: Collection[str], progress: Progress) -> dict[str, Path]:
        """See `Corpus`: what is rendered of a split does not depend on which others are."""
        manifests = {split: folder.resolve() / f"{split}.jsonl.gz" for split in self.split_names()}
        missing = [split for split in _SPLITS if split in wanted and not manifests[split].exists()]
        if missing:
            texts = self.texts()
            kept: set[str] = set()
            with rendering_pool(self.workers) as pool:
                for split in missing:
                    cuts = self._cuts(split, texts[split], folder.resolve(), pool, progress)
                    write_cuts(_collecting_ids(cuts, kept), manifests[split])
            _tidy([folder.resolve() / "audio" / split for split in missing], kept)
        return {split: path for split, path in manifests.items() if path.exists()}

    def texts(self) -> dict[str, Iterator[str]]:
        """Sentences of each split; those of train never end."""
        texts: dict[str, Iterator[str]] = {}
        excluded: set[str] = set()
        for split in _SPLITS:
            rng = random.Random(f"{self.seed} {split}")
            drawn = self.sentences(rng, excluded, repeat=split == "train")
            if split in self.utterances:
                kept = list(islice(drawn, self.utterances[split]))
                excluded = excluded.union(kept)
                drawn = iter(kept)
            texts[split] = drawn
        return texts

    def sentences(self, rng: random.Random, excluded: Collection[str], repeat: bool) -> Iterator[str]:
        """Endless sentences of this corpus; see `sentences.sentences`."""
        return sentences(self._rules, rng, self.random_order_share, excluded, repeat, self.fewest_words)

    def _cuts(
        self, split: str, texts: Iterator[str], folder: Path, pool: ProcessPoolExecutor | None, progress: Progress
    ) -> Iterator[MonoCut]:
        audio = folder / "audio" / split
        orders = (self._order(split, index, text, audio) for index, text in enumerate(texts))
        total = self.utterances.get(split, round(self.hours * 3600))
        unit = "utterances" if split in self.utterances else "seconds"
        done = 0.0
        with closing(rendered(orders, pool, ahead=4 * self.workers)) as ready:
            for rendering in ready:
                done += 1 if split in self.utterances else rendering.samples / SAMPLING_RATE
                progress(f"rendering {split} ({unit})", min(total, int(done)), total)
                yield _cut(rendering)
                if done >= total:
                    return

    def _order(self, split: str, index: int, text: str, audio: Path) -> Order:
        rng = random.Random(f"{self.seed} {split} {index}")
        voice = _VOICES[self.voices](split, rng)
        name = f"{voice.accent}-{voice.variant}-{split}-{index:06d}"
        return Order(
            id=name,
            text=text,
            voice=voice,
            seed=rng.getrandbits(31),
            level_db=rng.uniform(*_LEVELS_DB),
            snr_db=rng.uniform(self.snr_db[0], self.snr_db[1]),
            pink=rng.random() < 0.5,
            before_s=rng.uniform(*_MARGINS_S),
            after_s=rng.uniform(*_MARGINS_S),
            path=audio / f"{name}.flac",
        )


def _collecting_ids(cuts: Iterator[MonoCut], ids: set[str]) -> Iterator[MonoCut]:
    for cut in cuts:
        ids.add(cut.id)
        yield cut


def _tidy(folders: Sequence[Path], ids: Collection[str]) -> None:
    """Delete what was rendered ahead of the last utterance."""
    for audio in (audio for folder in folders for audio in folder.glob("*.flac")):
        if audio.stem not in ids:
            audio.unlink(missing_ok=True)


def _cut(rendering: Rendered) -> MonoCut:
    voice = rendering.order.voice
    alignment = {"word": _items(rendering.words), "phone": _items(rendering.phones)}
    whole = recording(rendering.order.id, rendering.order.path, SAMPLING_RATE, rendering.samples)
    return utterance(
        rendering.order.id, rendering.order.text, f"{voice.accent}-{voice.variant}", whole, alignment=alignment
    )


def _items(segments: Sequence[Segment]) -> list[AlignmentItem]:
    """Times to a tenth of a millisecond, so that an end is never after the next start."""
    ticks = [(s.symbol, round(s.start_s * 10_000), round(s.end_s * 10_000)) for s in segments]
    return [AlignmentItem(symbol, start / 10_000, (end - start) / 10_000) for symbol, start, end in ticks]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
