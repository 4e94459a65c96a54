"""The frozen part of an encoder, run once over each utterance (`loading.cache_encoded`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lasasr.artifacts import files, temporary
from lasasr.audio.perturb import UNCHANGED, FinitePerturbation
from lasasr.configuration.settings import Recognition
from lasasr.corpora.base import Progress
from lasasr.data import content, encodings
from lasasr.data.batch import Batch
from lasasr.data.dataset import SpeechDataset
from lasasr.data.digest_table import DigestTable
from lasasr.data.encodings import Encodings, Kept
from lasasr.data.loader import Loader, Loading
from lasasr.data.manifest import Utterances
from lasasr.data.sampler import Batching, BucketBatches
from lasasr.distributed import launch
from lasasr.errors import UsageError
from lasasr.listen.base import StagedEncoder
from lasasr.models import encoder_parts, factory
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import Prepared

FOLDER = "encoded"  # below prepared_dir


class Size(NamedTuple):
    """What keeping them takes."""

    utterances: int  # each counted as often as there are forms of it
    bytes: int
    folder: Path


def reason_against(settings: Recognition) -> str | None:
    """Why what an encoder gives is not the same in every epoch, or is not kept; None: it is.

    Raises:
        UsageError: `loading.cache_encoded` asks for it none the less.
    """
    loading: Loading = factory.build(settings.loading, "loading")
    against = None
    if not encoder_parts.keeps_frozen(settings.listen):
        against = "the encoder is trained (listen=pretrained with listen.freeze=all is not)"
        if settings.listen.get("thaw_after") is not None and settings.listen.get("freeze", "all") == "all":
            against = "layers that listen.thaw_after thaws read the silence of listen.window=full, which is not kept"
    elif settings.augment.waveform and not factory.draws_few_forms(settings.augment.waveform):
        against = "augment.waveform changes the audio in every epoch"
    if against is not None and loading.cache_encoded:
        raise UsageError(f"loading.cache_encoded=true, but {against}: leave one of them out")
    return against or ("loading.cache_encoded is false" if loading.cache_encoded is False else None)


def perturbation(settings: Recognition, split: str) -> FinitePerturbation | None:
    """What gives the utterances of a split, where their encodings are kept, one of several forms; None: they have one.

    Raises:
        UsageError: an option of it makes no sense.
    """
    if split not in content.TRAINING or not settings.augment.waveform:
        return None
    (part,) = settings.augment.waveform
    drawn = factory.build(part, "augment.waveform")
    assert isinstance(drawn, FinitePerturbation)
    return drawn


def feature_frames(utterances: Utterances, recognizer: Recognizer, stretch: float = 1.0) -> Tensor:
    """Frames of features (N,) of every utterance, from its duration.

    Args:
        stretch: how much longer the utterances are made.
    """
    durations_s = torch.from_numpy(utterances.durations_s * stretch)
    samples = (durations_s * recognizer.frontend.sample_rate_hz).ceil().long().clamp(min=1)
    return recognizer.frontend.output_lengths(samples)


def size(settings: Recognition, recognizer: Recognizer, splits: Mapping[str, Utterances]) -> Size:
    """What keeping the encodings of these splits takes, whether they are there or not."""
    encoder = recognizer.model.encoder
    assert isinstance(encoder, StagedEncoder)
    frames, utterances = 0, 0
    for split, of_split in splits.items():
        drawn = perturbation(settings, split)
        for variant in (UNCHANGED,) if drawn is None else drawn.variants:
            frames += int(encoder.fixed_lengths(feature_frames(of_split, recognizer, variant.stretch)).sum())
            utterances += len(of_split)
    bytes_each = encoder.fixed_dim * torch.finfo(encodings.DTYPE).bits // 8
    return Size(utterances, frames * bytes_each, folder_of(settings, recognizer))


def folder_of(settings: Recognition, recognizer: Recognizer) -> Path:
    """Where the encodings of this encoder lie."""
    encoder = recognizer.model.encoder
    assert isinstance(encoder, StagedEncoder)
    identity = {"encoder": encoder.identity(), "frontend": recognizer.parts.frontend}
    return Path(settings.prepared_dir) / FOLDER / encodings.digest(identity)


def keep(
    settings: Recognition, recognizer: Recognizer, prepared: Prepared, split: str, progress: Progress, device: str
) -> Kept | None:
    """The encodings of a split, computed where they are not there yet; None where the audio cannot be told apart.

    Args:
        device: to compute on.
    """
    utterances = prepared.utterances(split)
    named = content.audio_digests(utterances, DigestTable.of(utterances.path))
    digested = [name for name in named if name is not None]
    if len(digested) < len(named):  # no digest: fetched when it is read
        return None
    drawn = perturbation(settings, split)
    variants = (UNCHANGED,) if drawn is None else drawn.variants
    names = [[f"{name} {variant.name}".rstrip() for name in digested] for variant in variants]
    folder = folder_of(settings, recognizer)
    if any(_missing(folder, names)):  # a process that finds all of them waits for no other
        waiting = partial(launch.say, f"another process encodes {split}: waiting for it")
        with files.locked(folder.with_name(f".{folder.name}.lock"), waiting):
            missing = _missing(folder, names)
            if count := sum(map(len, missing)):
                temporary.remove_abandoned(folder)
                expected = size(settings, recognizer, {split: utterances})
                _say_encoding(split, count, len(variants), expected)
            done = 0
            for number, absent in enumerate(missing):
                if absent:
                    dataset = prepared.dataset(
                        split,
                        recognizer.frontend.sample_rate_hz,
                        perturbations=() if drawn is None else [drawn.always(number)],
                    )
                    encoded = _encoded(settings, recognizer, dataset, names[number], absent, device)
                    encodings.write(folder, _counted(encoded, split, done, count, progress))
                    done += len(absent)
    return Kept(Encodings(folder), names)


def _missing(folder: Path, names: Sequence[Sequence[str]]) -> list[list[int]]:
    """Of each form, the numbers of the utterances that the folder lacks; of the same audio, the first."""
    there = Encodings(folder)
    first = [{name: index for index, name in reversed(list(enumerate(of_form)))} for of_form in names]
    return [sorted(index for name, index in of_form.items() if name not in there) for of_form in first]


def _say_encoding(split: str, count: int, forms: int, expected: Size) -> None:
    share = expected.bytes * count / expected.utterances / 2**20
    what = f"{count} utterances{f' in {forms} forms' if forms > 1 else ''}, {share:.0f} MiB"
    launch.say(f"encoding {split} once: {what}, in {expected.folder}")


@torch.inference_mode()
def _encoded(
    settings: Recognition,
    recognizer: Recognizer,
    dataset: SpeechDataset,
    names: Sequence[str],
    missing: Sequence[int],
    device: str,
) -> Iterator[tuple[str, Tensor]]:
    """(name, frames (T', N)) of the missing utterances, the longest first."""
    encoder, frontend = recognizer.model.encoder, recognizer.frontend
    assert isinstance(encoder, StagedEncoder)
    before, training = next(recognizer.parameters()).device, recognizer.training
    recognizer.to(device).eval()
    for indices, batch in batches_of(dataset, missing, settings.evaluate.batch_s, device):
        fixed = encoder.fixed(*frontend(batch.waveforms, batch.waveform_lengths))
        frames = fixed.lengths.tolist()
        for row, index in enumerate(indices):
            yield names[index], fixed.encoded[row, : frames[row]]
    recognizer.to(before).train(training)


def batches_of(
    dataset: SpeechDataset, chosen: Sequence[int], batch_s: float, device: str
) -> Iterator[tuple[Sequence[int], Batch]]:
    """Batches of some utterances with their indices, the longest first.

    Args:
        chosen: indices of the utterances.
        batch_s: seconds of padded audio in a batch.
    """
    durations_s = dataset.utterances.durations_s[list(chosen)]
    batching = Batching(max_utterances=len(chosen), batch_seconds=batch_s)
    requests = [
        request._replace(indices=tuple(chosen[index] for index in request.indices))
        for request in BucketBatches(durations_s, batching, shuffle=False)
    ]
    for request, batch in zip(requests, Loader(dataset, requests), strict=True):
        yield request.indices, batch.to(device)


def _counted(
    encoded: Iterable[tuple[str, Tensor]], split: str, before: int, total: int, progress: Progress
) -> Iterator[tuple[str, Tensor]]:
    """Reports each, of `total` in all forms; `before` were encoded in earlier ones."""
    for number, each in enumerate(encoded, start=before + 1):
        yield each
        progress(f"encoding {split}", number, total)
