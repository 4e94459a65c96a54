"""The distribution that teachers give to each token of the references of a split, asked once and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from lasasr.artifacts import files, temporary
from lasasr.configuration.settings import Recognition
from lasasr.corpora.base import Progress
from lasasr.data import encodings
from lasasr.data.encodings import Encodings
from lasasr.data.taught import TaughtTokens
from lasasr.errors import UsageError
from lasasr.losses.base import TokenTeaching
from lasasr.losses.distillation import packed
from lasasr.models.language_model import same
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.encodings import batches_of
from lasasr.preparation.speech import Prepared
from lasasr.preparation.teachers import audio_names, identities, kept_folder, loaded, say_asking, say_waiting


def taught_tokens(
    teaching: TokenTeaching, settings: Recognition, prepared: Prepared, split: str, progress: Progress, device: str
) -> TaughtTokens:
    """What the teachers say of a split, asked where it is not known yet.

    Raises:
        UsageError: a teacher has other tokens, or no decoder.
    """
    utterances, tokenizer = prepared.utterances(split), prepared.tokenizer
    read = [hashlib.sha256(json.dumps(tokenizer.encode_inside(text)).encode()) for text in utterances.texts]
    names = [f"{audio}-{text.hexdigest()[:16]}" for audio, text in zip(audio_names(prepared, split), read, strict=True)]
    teachers = list(identities(teaching).values())
    folder = kept_folder(settings, {"teachers": teachers, "temperature": teaching.temperature, "most": teaching.most})
    with files.locked(folder.with_name(f".{folder.name}.lock"), partial(say_waiting, split)):
        there = Encodings(folder)
        missing = [index for index, name in enumerate(names) if name not in there]
        if missing:
            temporary.remove_abandoned(folder)
            recognizers = [_with_same_tokens(teacher, prepared, device) for teacher in teaching.teachers]
            say_asking(teaching.teachers, split, len(missing), folder)
            asked = _asked_tokens(teaching, recognizers, settings, prepared, split, missing, progress, device)
            encodings.write_tensors(folder, ((names[index], stored) for index, stored in _once(asked, names)))
    return TaughtTokens(Encodings(folder), names)


def _once(asked: Iterator[tuple[int, Tensor]], names: Sequence[str]) -> Iterator[tuple[int, Tensor]]:
    """Those of one name, the same text of the same audio, once."""
    done: set[str] = set()
    for index, stored in asked:
        if names[index] not in done:
            done.add(names[index])
            yield index, stored


def _with_same_tokens(teacher: str, prepared: Prepared, device: str) -> Recognizer:
    recognizer = loaded(teacher, device)
    if recognizer.model.decoder is None:
        raise UsageError(
            f"loss.teachers: {teacher} has no decoder (its ctc_weight is 1): loss=distillation_texts asks for texts"
        )
    if not same(recognizer.tokenizer, prepared.tokenizer):
        raise UsageError(
            f"loss.teachers: {teacher} has other tokens: take its tokens (tokenizer=of_run "
            f"tokenizer.run={teacher}), or learn from its texts (loss=distillation_texts)"
        )
    return recognizer


@torch.inference_mode()
def _asked_tokens(
    teaching: TokenTeaching,
    recognizers: Sequence[Recognizer],
    settings: Recognition,
    prepared: Prepared,
    split: str,
    missing: Sequence[int],
    progress: Progress,
    device: str,
) -> Iterator[tuple[int, Tensor]]:
    """(index, packed (U + 1, 2k)) of the missing utterances; every teacher hears the audio at its own rate."""
    batches = [
        batches_of(
            prepared.dataset(split, recognizer.frontend.sample_rate_hz), missing, settings.evaluate.batch_s, device
        )
        for recognizer in recognizers
    ]
    asked = 0
    for of_teachers in zip(*batches, strict=True):
        shares: Tensor | None = None
        for recognizer, (_, batch) in zip(recognizers, of_teachers, strict=True):
            acoustics = recognizer.encode_waveforms(batch.waveforms, batch.waveform_lengths)
            logits = recognizer.model.forced(acoustics.encoded, acoustics.lengths, batch.tokens, batch.token_lengths)
            spoken = (logits.logits.float() / teaching.temperature).softmax(-1) / len(recognizers)
            shares = spoken if shares is None else shares + spoken
        assert shares is not None
        indices, batch = of_teachers[0]
        stored = packed(shares.log(), teaching.most).cpu()
        for row, (index, size) in enumerate(zip(indices, batch.token_lengths.tolist(), strict=True)):
            yield index, stored[row, : size + 1].contiguous()
        asked += len(indices)
        progress(f"teacher on {split}", asked, len(missing))
