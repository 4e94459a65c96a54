"""Corpus → tokenizer and encoded sentences, for language models; made once and found again by fingerprints."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lasasr.artifacts import temporary
from lasasr.configuration.settings import Language
from lasasr.corpora.base import Corpus, Progress, TextCorpus
from lasasr.data.manifest_cache import MANIFESTS
from lasasr.data.sentences import Sentences, encode_split, load_split
from lasasr.data.splits import Texts, TextSplits
from lasasr.models import factory
from lasasr.preparation.speech import digest, folder_of, preparing, tokenizer_in
from lasasr.text import storage, transcript
from lasasr.text.base import Tokenizer
from lasasr.text.transcript import TranscriptRule

_EVERY = 10_000  # sentences between two reports of progress


@dataclass(frozen=True)
class PreparedText(TextSplits):
    """What the training of a language model starts from."""

    splits: Mapping[str, Path]  # split → where `load_split` finds it
    tokenizer: Tokenizer

    def sentences(self, split: str) -> Sentences:
        """The encoded sentences of a split.

        Raises:
            LasasrError: there is no such split; the message names those there are.
        """
        self.check(split)
        return load_split(self.splits[split])


def prepare_text(
    settings: Language,
    progress: Progress,
    splits: Iterable[str] | None = None,
    tokenizer: Tokenizer | None = None,
) -> PreparedText:
    """Make what is missing below `prepared_dir`; reuse what is there.

    The corpus may be one of text, or one of speech whose transcripts are the text.

    Args:
        splits: those that are needed; None: all there are.
        tokenizer: of a trained model, in place of the configured one.

    Raises:
        LasasrError: the corpus is missing or damaged, or the tokenizer does not fit it.
    """
    corpus = factory.any_corpus(settings.corpus)
    with preparing(corpus, settings):
        if not isinstance(corpus, TextCorpus):
            corpus.fetch(progress)
        current = _splits(corpus, settings, progress)
        if tokenizer is None:
            sample = partial(_sampled, current.texts["train"], settings.tokenizer_sentences)
            tokenizer = tokenizer_in(current.folder, settings.tokenizer, current.rule, sample)
        made_by = [storage.type_name(type(tokenizer)), list(tokenizer.tokens), str(current.rule)]
        encoded_folder = current.folder / f"tokens-{digest(made_by)}"
        temporary.remove_abandoned(encoded_folder)
        wanted = set(current.texts) if splits is None else set(splits)
        for split, source in current.texts.items():
            if split in wanted and not (encoded_folder / f"{split}.json").exists():
                encode_split(_reported(source(), f"encoding {split}", progress), tokenizer, encoded_folder / split)
    MANIFESTS.clear()  # the sentences lie encoded in files: training needs no cuts
    encoded = {split: encoded_folder / split for split in current.texts}
    return PreparedText(**vars(current), splits=encoded, tokenizer=tokenizer)


def prepare_text_splits(settings: Language, progress: Progress) -> TextSplits:
    """The splits as the corpus is now; nothing is downloaded for it, and no tokenizer learnt.

    Raises:
        LasasrError: the corpus is missing or damaged.
    """
    corpus = factory.any_corpus(settings.corpus)
    with preparing(corpus, settings):
        return _splits(corpus, settings, progress)


def _splits(corpus: Corpus | TextCorpus, settings: Language, progress: Progress) -> TextSplits:
    rule, folder = transcript.rule(corpus.transcript), folder_of(corpus, settings)
    temporary.remove_abandoned(folder)
    if isinstance(corpus, TextCorpus):
        manifests: Mapping[str, Path] = {}
        texts: Texts = {split: partial(_normalised, raw, rule) for split, raw in corpus.splits().items()}
    else:
        manifests = corpus.prepare(folder, progress)
        texts = {split: partial(MANIFESTS.texts, path, rule) for split, path in manifests.items()}
    return TextSplits(folder, corpus.fingerprint(), rule, texts, manifests)


def _normalised(raw: Callable[[], Iterator[str]], rule: TranscriptRule) -> Iterator[str]:
    """Sentences after the transcript rule; those of which nothing is left are none."""
    return (text for text in map(rule, raw()) if text.strip())


def _sampled(texts: Callable[[], Iterable[str]], most: int) -> list[str]:
    """At most so many of the sentences, each equally likely, the same every time (Vitter 1985, algorithm R)."""
    rng = random.Random(0)
    kept: list[str] = []
    for number, text in enumerate(texts()):
        if number < most:
            kept.append(text)
        elif (index := rng.randrange(number + 1)) < most:
            kept[index] = text
    return kept


def _reported(texts: Iterable[str], task: str, progress: Progress) -> Iterator[str]:
    done = 0
    for done, text in enumerate(texts, start=1):
        yield text
        if done % _EVERY == 0:
            progress(task, done, done + 1)
    progress(task, done, done)
