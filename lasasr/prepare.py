"""Corpus → manifests, tokenizer and feature statistics, each made once and found again by its fingerprint."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from lasasr import build, files, launch, special
from lasasr.audio.base import Frontend
from lasasr.audio.pauses import LEAST_S, Lengths
from lasasr.corpora.base import Progress, Source
from lasasr.data import content, digests
from lasasr.data.batch import Batch
from lasasr.data.content import Content
from lasasr.data.dataset import SpeechDataset
from lasasr.data.loader import Loader
from lasasr.data.manifest import Utterances, read_manifest
from lasasr.data.sampler import Batching, BucketBatches
from lasasr.errors import LasasrError
from lasasr.ranks import Ranks
from lasasr.text import transcript
from lasasr.text.base import Tokenizer
from lasasr.text.transcript import TranscriptRule

ALONE = Ranks()


@dataclass(frozen=True)
class Prepared:
    """What training and evaluation start from."""

    folder: Path  # where all of it lies
    manifests: Mapping[str, Path]  # split → Lhotse cut manifest
    fingerprint: str  # of the corpus as configured
    rule: TranscriptRule
    tokenizer: Tokenizer
    first_utterances: int | None  # a trial on the first so many of each split

    def utterances(self, split: str) -> Utterances:
        """The checked utterances of a split, transcripts normalised.

        Raises:
            LasasrError: there is no such split; the message names those there are.
        """
        utterances = read_manifest(self._manifest(split), self.rule)
        return utterances if self.first_utterances is None else utterances.first(self.first_utterances)

    def _manifest(self, split: str) -> Path:
        if split not in self.manifests:
            raise LasasrError(f"the corpus has no split {split!r}; it has {', '.join(sorted(self.manifests))}")
        return self.manifests[split]

    def content(self, split: str) -> str:
        """16 hexadecimal digits over what the utterances of a split hold, wherever they lie; see `data.content`.

        Raises:
            LasasrError: see `utterances`.
        """
        return self.contents(split).fingerprint

    def contents(self, split: str) -> Content:
        """The same with the number of utterances.

        Raises:
            LasasrError: see `utterances`.
        """
        manifest, ordered = self._manifest(split), content.is_ordered(split)
        if self.first_utterances is not None:
            return content.of_utterances(self.utterances(split), digests.recorded(manifest), ordered)
        return content.of_split(manifest, str(self.rule), ordered, lambda: self.utterances(split))

    def lengths(self) -> Lengths:
        """How long the utterances of training are."""
        durations_s = self.utterances("train").durations_s
        longest_s = max(LEAST_S, float(durations_s.max()))
        return Lengths(round(float(np.median(durations_s)), 3), round(longest_s, 3))

    def dataset(self, split: str, sample_rate_hz: int) -> SpeechDataset:
        """The unperturbed utterances of a split."""
        return SpeechDataset(self.utterances(split), self.tokenizer, sample_rate_hz)

    def batches(self, split: str, sample_rate_hz: int, batch_s: float, ranks: Ranks = ALONE) -> Loader:
        """Batches of a split, the longest first, at most `batch_s` seconds of padded audio each; every rank its share.

        The batches are the same for any number of ranks, so that what is decoded does not depend on it.
        """
        dataset = self.dataset(split, sample_rate_hz)
        batching = Batching(max_utterances=len(dataset), batch_seconds=batch_s)
        batches = BucketBatches(dataset.utterances.durations_s, batching, shuffle=False)
        return Loader(dataset, batches if ranks.world == 1 else list(batches)[ranks.rank :: ranks.world])

    def token_counts(self) -> torch.Tensor:
        """How often each token (V,) is a target in training; eos once per utterance."""
        texts = self.utterances("train").texts
        ids = torch.tensor([token for text in texts for token in self.tokenizer.encode(text)])
        counts = torch.bincount(ids, minlength=self.tokenizer.vocabulary_size)
        counts[special.EOS] = len(texts)
        return counts


def prepare(config: Mapping[str, Any], progress: Progress) -> Prepared:
    """Make what is missing below `prepared_dir`; reuse what is there.

    Raises:
        LasasrError: the corpus is missing or damaged.
    """
    corpus = build.corpus(config)
    rule = transcript.rule(corpus.transcript)
    with preparing(corpus, config):
        corpus.fetch(progress)
        folder = folder_of(corpus, config)
        manifests = corpus.prepare(folder, progress)
        _record_digests(manifests, rule, progress)
        tokenizer = tokenizer_in(folder, config, rule, lambda: read_manifest(manifests["train"], rule).texts)
    first = config["debug"]["overfit_utterances"]
    if first is not None:  # learn, validate and be tested on the same few
        manifests = dict.fromkeys(manifests, manifests["train"])
    return Prepared(folder, manifests, corpus.fingerprint(), rule, tokenizer, first)


@contextmanager
def preparing(corpus: Source, config: Mapping[str, Any]) -> Iterator[None]:
    """Let one process prepare a corpus; other ranks, and other runs, wait and find what it has made."""
    with files.locked(Path(config["prepared_dir"]) / f".{corpus.name}.lock", partial(_tell_waiting, corpus.name)):
        yield


def _tell_waiting(name: str) -> None:
    if launch.helper() is None:
        sys.stderr.write(f"another process prepares {name}: waiting for it\n")


def folder_of(corpus: Source, config: Mapping[str, Any]) -> Path:
    """Where what is made of a corpus lies."""
    return Path(config["prepared_dir"]) / f"{corpus.name}-{corpus.fingerprint()}"


def _record_digests(manifests: Mapping[str, Path], rule: TranscriptRule, progress: Progress) -> None:
    """Note what the audio files are, so that `lasasr doctor` sees when one has changed."""
    for manifest in manifests.values():
        if not digests.beside(manifest).exists():
            digests.record(manifest, read_manifest(manifest, rule).cuts, progress)


def tokenizer_in(
    folder: Path, config: Mapping[str, Any], rule: TranscriptRule, transcripts: Callable[[], Iterable[str]]
) -> Tokenizer:
    """The tokenizer that lies in `folder`, learnt from the normalised `transcripts` where it does not yet."""
    if not config["tokenizer"].get("_partial_"):
        return build.train_tokenizer(config, ())  # nothing to learn: it is another run's
    place = folder / f"tokenizer-{digest([config['tokenizer'], str(rule)])}"
    if not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        _save_whole(build.train_tokenizer(config, transcripts()), place)
    return build.load_tokenizer(place)


def digest(plain: Any) -> str:
    """Twelve hexadecimal digits over plain values."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]


def _save_whole(tokenizer: Tokenizer, place: Path) -> None:
    """Save into a folder beside `place` and rename it, so that a half-written tokenizer is never found."""
    temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    try:
        tokenizer.save(temporary)
        temporary.chmod(0o755)
        temporary.rename(place)
    except OSError:
        if not place.is_dir():  # else another process was faster and wrote the same
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def fit_frontend(frontend: Frontend, config: Mapping[str, Any], prepared: Prepared, progress: Progress) -> None:
    """Fit a front end that needs it to the training audio; what it learns is computed once and kept."""
    if frontend.ready:
        return
    path = prepared.folder / f"frontend-{digest([config['frontend'], prepared.first_utterances])}.safetensors"
    with preparing(build.corpus(config), config):
        if not path.exists():
            batches = prepared.batches("train", frontend.sample_rate_hz, config["evaluate"]["batch_s"])
            frontend.fit(_counted(batches, progress))
            with files.replacing(path) as temporary:
                save_file({name: value.contiguous() for name, value in frontend.state_dict().items()}, temporary)
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
