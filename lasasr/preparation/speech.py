"""Corpus → manifests, tokenizer and feature statistics, each made once and found again by its fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from lasasr.artifacts import files, temporary
from lasasr.artifacts.bundle import write_tensors
from lasasr.audio.base import Frontend
from lasasr.audio.pauses import LEAST_S, Lengths
from lasasr.audio.perturb import Perturbation
from lasasr.configuration.sections import Part
from lasasr.configuration.settings import Recognition, Settings
from lasasr.corpora.audio_faults import skipped
from lasasr.corpora.base import Corpus, Progress, Source
from lasasr.data import content, digests, moved_audio
from lasasr.data.batch import Batch
from lasasr.data.dataset import SpeechDataset
from lasasr.data.encodings import Kept
from lasasr.data.loader import Loader, Loading
from lasasr.data.manifest_cache import MANIFESTS
from lasasr.data.sampler import Batching, BucketBatches
from lasasr.data.splits import Splits
from lasasr.data.tokens import Tokens, encode
from lasasr.distributed import launch
from lasasr.distributed.ranks import Ranks
from lasasr.errors import LasasrError, UsageError
from lasasr.models import factory
from lasasr.preparation import tokens
from lasasr.preparation.same_texts import refuse_other_texts
from lasasr.text import special, transcript
from lasasr.text.base import Tokenizer
from lasasr.text.transcript import TranscriptRule

ALONE = Ranks()


@dataclass(frozen=True)
class Prepared(Splits):
    """What training and evaluation start from."""

    tokenizer: Tokenizer
    verify: bool  # audio is compared with its digest when it is first read

    def lengths(self) -> Lengths:
        """How long the utterances of training are."""
        durations_s = self.utterances("train").durations_s
        longest_s = max(LEAST_S, float(durations_s.max()))
        return Lengths(round(float(np.median(durations_s)), 3), round(longest_s, 3))

    def dataset(
        self, split: str, sample_rate_hz: int, kept: Kept | None = None, perturbations: Sequence[Perturbation] = ()
    ) -> SpeechDataset:
        """The utterances of a split, to be decoded: their texts may hold what the vocabulary does not.

        Args:
            kept: what a frozen encoder gives of them, where that is kept.
            perturbations: of the waveforms.
        """
        utterances = self.utterances(split)
        return SpeechDataset(
            utterances,
            self.tokenizer,
            sample_rate_hz,
            perturbations,
            verify=self.verify,
            trained_on=False,
            kept=kept,
            tokens=self.tokens(split),
        )

    def batches(
        self, split: str, sample_rate_hz: int, batch_s: float, ranks: Ranks = ALONE, kept: Kept | None = None
    ) -> Loader:
        """Batches of a split, the longest first, at most `batch_s` seconds of padded audio each; every rank its share.

        The batches are the same for any number of ranks, so that what is decoded does not depend on it.
        """
        dataset = self.dataset(split, sample_rate_hz, kept)
        batching = Batching(max_utterances=len(dataset), batch_seconds=batch_s)
        batches = BucketBatches(dataset.utterances.durations_s, batching, shuffle=False)
        return Loader(dataset, batches if ranks.world == 1 else list(batches)[ranks.rank :: ranks.world])

    def tokens(self, split: str) -> Tokens:
        """The token ids of the utterances of a split.

        Raises:
            LasasrError: see `utterances`.
        """
        utterances = self.utterances(split)
        if self.first_utterances is not None:
            return encode(utterances.texts, self.tokenizer)
        return tokens.of_split(utterances, self.tokenizer, self.rule)

    def token_counts(self) -> torch.Tensor:
        """How often each token (V,) is a target in training; eos once per utterance."""
        of_train = self.tokens("train")
        counts = torch.from_numpy(of_train.histogram(self.tokenizer.vocabulary_size))
        counts[special.EOS] = len(of_train)
        return counts


def prepare(
    settings: Recognition, progress: Progress, again: bool = False, only: Collection[str] | None = None
) -> Prepared:
    """Make what is missing below `prepared_dir`; reuse what is there.

    Args:
        again: look whether audio has changed since it was prepared, and prepare the splits of what has anew.
        only: the splits that are read; None: all, and the second corpus of `adapt=replay`.

    Raises:
        LasasrError: the corpus is missing or damaged.
    """
    corpus = factory.corpus(settings.corpus)
    loading: Loading = factory.build(settings.loading, "loading")
    with preparing(corpus, settings):
        corpus.fetch(progress)
        if again:
            _discard_changed(folder_of(corpus, settings), progress)
        learns = settings.tokenizer.get("_partial_")  # a tokenizer, from the texts of train
        splits = _splits(corpus, settings, progress, None if learns else only)

        def transcripts() -> Iterable[str]:
            return MANIFESTS.texts(splits.manifests["train"], splits.rule)

        tokenizer = tokenizer_in(splits.folder, settings.tokenizer, splits.rule, transcripts)
    if only is None:
        splits = _with_replayed(splits, settings, progress, again)
    return Prepared(**vars(splits), tokenizer=tokenizer, verify=loading.verifies)


def prepare_splits(settings: Recognition, progress: Progress, only: Collection[str] | None = None) -> Splits:
    """The splits as the corpus is now; nothing is downloaded for it, and no tokenizer learnt.

    Args:
        only: see `prepare`.

    Raises:
        LasasrError: the corpus is missing or damaged.
    """
    corpus = factory.corpus(settings.corpus)
    with preparing(corpus, settings):
        splits = _splits(corpus, settings, progress, only)
    return splits if only is not None else _with_replayed(splits, settings, progress)


def _with_replayed(splits: Splits, settings: Recognition, progress: Progress, again: bool = False) -> Splits:
    """The splits and, with `adapt=replay`, the train split of the second corpus.

    Raises:
        UsageError: none is named, the first corpus's rule makes other texts of its transcripts, or the first corpus
            has a split of that name.
        LasasrError: it is missing or damaged.
    """
    if settings.adapt.replay is None:
        return splits
    corpus = replayed_corpus(settings)
    if content.REPLAY in splits.manifests:
        raise UsageError(f"adapt=replay: the corpus has a split {content.REPLAY} of its own: call it something else")
    with preparing(corpus, settings):
        if again:
            corpus.fetch(progress)
            _discard_changed(folder_of(corpus, settings), progress)
        manifest = corpus.prepare(folder_of(corpus, settings), progress)["train"]
        refuse_other_texts(manifest, transcript.rule(corpus.transcript), splits.rule)
        both = replace(
            splits,
            manifests={**splits.manifests, content.REPLAY: manifest},
            others={content.REPLAY: corpus.fingerprint()},
        )
        _note_content(both, content.REPLAY, progress)
    return both


def replayed_corpus(settings: Recognition) -> Corpus:
    """The second corpus of `adapt=replay`.

    Raises:
        UsageError: none is named.
    """
    part = settings.adapt.replay
    if part is None or not part.get("corpus"):
        raise UsageError("adapt=replay has no second corpus: name it, as +corpus@adapt.replay.corpus=librispeech")
    return factory.corpus(part["corpus"])


def _splits(corpus: Corpus, settings: Recognition, progress: Progress, only: Collection[str] | None) -> Splits:
    folder, rule = folder_of(corpus, settings), transcript.rule(corpus.transcript)
    temporary.remove_abandoned(folder)
    first = settings.debug.overfit_utterances
    if only is None or first is not None:
        manifests = corpus.prepare(folder, progress)
    else:
        manifests = corpus.prepare_only(folder, only, progress)
    splits = Splits(folder, manifests, corpus.fingerprint(), rule, None)
    for split in manifests:
        _note_content(splits, split, progress)
    if first is None:
        return splits
    # learn, validate and be tested on the same few
    return replace(splits, manifests=dict.fromkeys(manifests, manifests["train"]), first_utterances=first)


def _note_content(splits: Splits, split: str, progress: Progress) -> None:
    """Note what the audio files of a split are, and what it holds, so that it is seen when either has changed."""
    manifest = splits.manifests[split]
    if not digests.beside(manifest).exists() or splits.contents(split).without_digest:
        digests.record(manifest, splits.utterances(split).cuts, progress)
    splits.contents(split)


def _discard_changed(folder: Path, progress: Progress) -> None:
    """Delete what was made of audio that is not any more what, or where, it was."""
    for manifest in sorted(folder.glob("*.jsonl.gz")):
        before = moved_audio.moved_from(manifest)
        changed = [] if before else digests.changed(manifest, progress)
        if not before and not changed:
            if skipped(manifest):
                manifest.unlink()  # what was left out is tried again
            continue
        split, more = digests.split_of(manifest), f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        now = "has" if len(changed) == 1 else "have"
        why = (
            f"{folder} was moved from {before}" if before else f"{changed[0]}{more} {now} changed since it was prepared"
        )
        launch.say(f"{split}: {why}: it is prepared anew")
        made_of_it = [manifest, digests.beside(manifest), *folder.glob(f"{split}.content-*")]
        for path in [*made_of_it, *(folder.glob("cmvn-*.json") if split == "train" else ())]:
            path.unlink(missing_ok=True)


@contextmanager
def preparing(corpus: Source, settings: Settings) -> Iterator[None]:
    """Let one process prepare a corpus; other ranks, and other runs, wait and find what it has made."""
    waiting = partial(launch.say, f"another process prepares {corpus.name}: waiting for it")
    with files.locked(Path(settings.prepared_dir) / f".{corpus.name}.lock", waiting):
        yield


def folder_of(corpus: Source, settings: Settings) -> Path:
    """Where what is made of a corpus lies."""
    return Path(settings.prepared_dir) / f"{corpus.name}-{corpus.fingerprint()}"


def tokenizer_in(folder: Path, part: Part, rule: TranscriptRule, transcripts: Callable[[], Iterable[str]]) -> Tokenizer:
    """The tokenizer that lies in `folder`, learnt from the normalised `transcripts` where it does not yet."""
    if not part.get("_partial_"):
        return factory.train_tokenizer(part, ())  # nothing to learn: it is another run's
    saved = folder / f"tokenizer-{digest([part, str(rule)])}"
    if not saved.is_dir():
        _save_whole(factory.train_tokenizer(part, transcripts()), saved)
    return factory.load_tokenizer(saved)


def digest(plain: Any) -> str:
    """Twelve hexadecimal digits over plain values."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]


def _save_whole(tokenizer: Tokenizer, saved: Path) -> None:
    """Save into a folder beside `saved` and rename it, so that a half-written tokenizer is never found."""
    try:
        with files.replacing_folder(saved) as folder:
            tokenizer.save(folder)
    except OSError:
        if not saved.is_dir():  # else another process was faster and wrote the same
            raise


def fit_frontend(frontend: Frontend, settings: Recognition, prepared: Prepared, progress: Progress) -> None:
    """Fit a front end that needs it to the training audio; what it learns is computed once and kept."""
    if frontend.ready:
        return
    path = prepared.folder / f"frontend-{digest([settings.frontend, prepared.first_utterances])}.safetensors"
    with preparing(factory.corpus(settings.corpus), settings):
        if not path.exists():
            batches = prepared.batches("train", frontend.sample_rate_hz, settings.evaluate.batch_s)
            frontend.fit(_counted(batches, progress))
            write_tensors(path, {name: value.contiguous() for name, value in frontend.state_dict().items()})
    try:
        frontend.load_state_dict(load_file(path))
    except Exception as error:  # of another size, or whatever a reader of damaged bytes stumbles over
        reason = " ".join(str(error).split())[:200]
        raise LasasrError(f"{path} is damaged ({reason}); delete it and run the command again") from None


def _counted(batches: Loader, progress: Progress) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    batch: Batch
    for done, batch in enumerate(batches, start=1):
        yield batch.waveforms, batch.waveform_lengths
        progress("feature statistics", done, len(batches))
