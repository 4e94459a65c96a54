"""Sentences of the synthetic corpus's grammar, for language models: any number, none of them in its dev or test."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, ClassVar

from lasasr.corpora.base import TextCorpus
from lasasr.corpora.grammar import FEWEST_WORDS
from lasasr.corpora.synthetic import SyntheticCorpus
from lasasr.errors import UsageError


class SyntheticText(TextCorpus):
    """Sentences that the synthetic corpus of the same options does not contain in dev and test.

    Args:
        grammar, random_order_share, fewest_words, seed, dev_utterances, test_utterances: of the synthetic corpus; with
            others its held-out sentences may occur here.
        train_sentences: drawn for train, with repetitions as the grammar makes them.
        dev_sentences: drawn for dev, none of them in train.

    Raises:
        UsageError: an option is out of its range.
    """

    name: ClassVar[str] = "synthetic_text"
    transcript = "english"

    def __init__(
        self,
        grammar: str = "demo",
        train_sentences: int = 30_000,
        dev_sentences: int = 500,
        random_order_share: float = 0.1,
        seed: int = 0,
        dev_utterances: int = 150,
        test_utterances: int = 300,
        fewest_words: int = FEWEST_WORDS,
    ) -> None:
        for key, value in (("train_sentences", train_sentences), ("dev_sentences", dev_sentences)):
            if value < 1:
                raise UsageError(f"corpus.{key} must be at least 1, got {value}")
        self.spoken = SyntheticCorpus(
            grammar=grammar,
            dev_utterances=dev_utterances,
            test_utterances=test_utterances,
            random_order_share=random_order_share,
            seed=seed,
            fewest_words=fewest_words,
        )
        self.sentences = {"dev": dev_sentences, "train": train_sentences}

    def split_names(self) -> Sequence[str]:
        """See `Source`."""
        return list(reversed(self.sentences))

    def identity(self) -> Mapping[str, Any]:
        spoken = {key: value for key, value in self.spoken.identity().items() if key not in ("hours", "snr_db")}
        return {"spoken": spoken, "sentences": self.sentences}

    def splits(self) -> Mapping[str, Callable[[], Iterator[str]]]:
        return {split: partial(self._drawn, split) for split in self.split_names()}

    def _drawn(self, split: str) -> Iterator[str]:
        """Test and dev of the spoken corpus are never drawn; train also avoids the sentences of dev here."""
        texts = self.spoken.texts()
        excluded = {text for held_out in ("test", "dev") for text in texts[held_out]}
        if split == "train":
            excluded |= set(self._drawn("dev"))
        rng = random.Random(f"{self.spoken.seed} text {split}")
        drawn = self.spoken.sentences(rng, excluded, repeat=split == "train")
        return islice(drawn, self.sentences[split])
