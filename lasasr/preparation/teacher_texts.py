"""The n best texts of each utterance of a split: of teachers, asked once and kept, or of a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from lasasr.artifacts import files, temporary
from lasasr.configuration.settings import Recognition
from lasasr.corpora.base import Progress
from lasasr.data.taught import ScoredText, TaughtTexts
from lasasr.errors import LasasrError, UsageError
from lasasr.losses.base import TextTeaching
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.encodings import batches_of
from lasasr.preparation.speech import Prepared
from lasasr.preparation.teachers import audio_names, identities, kept_folder, loaded, say_asking, say_waiting
from lasasr.preparation.texts_table import read_texts, weighted

SHARD_UTTERANCES = 1000  # of a file: what an interruption can cost
Kept = dict[str, list[ScoredText]]  # what the audio holds → texts, the best first


def texts_of_table(table: str, prepared: Prepared, split: str, nbest: int) -> TaughtTexts:
    """The texts of a table.

    Raises:
        LasasrError: it has no text of an utterance, or one with what is outside the vocabulary; names both.
    """
    utterances, by_id = prepared.utterances(split), read_texts(files.expanded(table))
    if missing := [name for name in utterances.ids if name not in by_id]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise LasasrError(f"loss.texts={table} has no text of {split} utterance {missing[0]}{more}")
    return _encoded(prepared, split, [[by_id[name][:nbest]] for name in utterances.ids], f"loss.texts={table}")


def taught_texts(
    teaching: TextTeaching, settings: Recognition, prepared: Prepared, split: str, progress: Progress, device: str
) -> TaughtTexts:
    """The texts of teachers, asked where they are not known yet.

    Raises:
        UsageError: a teacher's search does not find so many.
        LasasrError: a text holds what is outside the vocabulary; names teacher and utterance.
    """
    names = audio_names(prepared, split)
    of_teachers: list[Kept] = []
    for teacher, identity in identities(teaching).items():
        folder = kept_folder(settings, {"teacher": identity, "nbest": teaching.nbest})
        with files.locked(folder.with_name(f".{folder.name}.lock"), partial(say_waiting, split)):
            kept = _read(folder)
            missing = {name: index for index, name in enumerate(names) if name not in kept}
            if missing:
                temporary.remove_abandoned(folder)
                recognizer = _with_nbest(teacher, teaching.nbest, device)
                say_asking([teacher], split, len(missing), folder)
                asked = _asked(recognizer, settings, prepared, split, missing, progress, device)
                kept |= _written(folder, asked)
        of_teachers.append(kept)
    lists = [[kept[name] for kept in of_teachers] for name in names]
    return _encoded(prepared, split, lists, f"loss.teachers={list(teaching.teachers)}")


def _with_nbest(teacher: str, nbest: int, device: str) -> Recognizer:
    recognizer = loaded(teacher, device)
    if nbest == 1:
        return recognizer
    try:
        return recognizer.with_search(nbest=nbest)
    except UsageError as error:
        raise UsageError(f"loss.nbest={nbest} needs a beam search that finds so many, but {teacher}: {error}") from None


def _asked(
    recognizer: Recognizer,
    settings: Recognition,
    prepared: Prepared,
    split: str,
    missing: Mapping[str, int],
    progress: Progress,
    device: str,
) -> Iterator[tuple[str, list[ScoredText]]]:
    """The n best of the missing utterances (what the audio holds → index), by their names."""
    names = {index: name for name, index in missing.items()}
    rate_hz, asked = recognizer.frontend.sample_rate_hz, 0
    for indices, batch in batches_of(prepared.dataset(split, rate_hz), list(names), settings.evaluate.batch_s, device):
        nbests = recognizer.recognize(batch.waveforms, batch.waveform_lengths, batch.ids)
        for index, nbest in zip(indices, nbests, strict=True):
            yield names[index], [ScoredText(hypothesis.text, float(hypothesis.score)) for hypothesis in nbest]
        asked += len(indices)
        progress(f"teacher on {split}", asked, len(names))


def _written(folder: Path, asked: Iterator[tuple[str, list[ScoredText]]]) -> Kept:
    """All that was asked, once it stands in files of the folder."""
    kept: Kept = {}
    while shard := dict(islice(asked, SHARD_UTTERANCES)):
        digest = hashlib.sha256("".join(sorted(shard)).encode()).hexdigest()[:16]
        lines = (json.dumps({"schema": 1, "audio": name, "texts": texts}) for name, texts in shard.items())
        files.write_text(folder / f"{digest}.jsonl", "".join(f"{line}\n" for line in lines))
        kept |= shard
    return kept


def _read(folder: Path) -> Kept:
    kept: Kept = {}
    for path in sorted(folder.glob("*.jsonl")):
        try:
            for line in files.lines(path):
                entry = files.parse_json(line)
                kept[entry["audio"]] = [ScoredText(str(text), float(score)) for text, score in entry["texts"]]
        except (LasasrError, ValueError, TypeError, KeyError) as error:
            raise LasasrError(f"{path} is damaged ({error}); delete it, and the teacher is asked again") from None
    return kept


def _encoded(
    prepared: Prepared, split: str, lists: Sequence[Sequence[Sequence[ScoredText]]], origin: str
) -> TaughtTexts:
    """The texts of each utterance, a list of each teacher, as tokens of the student."""
    ids, encoded = prepared.utterances(split).ids, []
    for utterance_id, of_utterance in zip(ids, lists, strict=True):
        ruled = [[text._replace(text=prepared.rule(text.text)) for text in texts] for texts in of_utterance]
        try:
            encoded.append([(prepared.tokenizer.encode(text), weight) for text, weight in weighted(ruled)])
        except LasasrError as error:
            raise LasasrError(f"{origin}, utterance {utterance_id} of {split}: {error}") from None
    return TaughtTexts(encoded)
