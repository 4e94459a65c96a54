"""Attention maps of several systems over the spectrograms of a few utterances, decoded again for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from lasasr.artifacts.runs import Run
from lasasr.comparison.entries import DecodedRun
from lasasr.comparison.grouping import SystemRuns
from lasasr.corpora.base import Progress
from lasasr.errors import LasasrError
from lasasr.models import encoder_parts, factory, language_model
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import folder_of, prepare
from lasasr.report.pictures import picture, sound
from lasasr.search.hypothesis import Hypothesis
from lasasr.text import transcript

MOST_BYTES: Final = 2_500_000  # of all pictures, and as much again of all sounds
DARKEST: Final = 0.2  # no lower weight is drawn darkest: uniform weights stay pale


@dataclass
class Drawn:
    """What the page shows beside the aligned text."""

    maps: dict[str, dict[str, Any]] = field(default_factory=dict)  # utterance id → spectrogram, maps, audio
    notes: list[str] = field(default_factory=list)  # why something is not there


@torch.inference_mode()
def draw(systems: Sequence[SystemRuns], split: str, ids: Sequence[str], audio: bool, progress: Progress) -> Drawn:
    """Draw what each system's first seed attends to in each utterance; `notes` say what could not be drawn.

    Nothing is prepared for it: where the corpus does not lie ready, there are no maps.

    Args:
        ids: the most important first; the rest are left out when MOST_BYTES are full.
        audio: also the waveforms, to be played.
    """
    drawn = Drawn()
    entries = {system.name: next((run for run in system.runs if run.folder), None) for system in systems}
    waveforms = _waveforms([entry for entry in entries.values() if entry], split, ids, drawn.notes, progress)
    if not waveforms:
        return drawn
    bytes_left = MOST_BYTES
    for place, (name, entry) in enumerate(entries.items(), start=1):
        progress("attention maps", place, len(entries))
        if entry is None or bytes_left <= 0:
            drawn.notes.append(
                f"No maps of {name}: {'only its results are here' if entry is None else 'the page is full'}."
            )
            continue
        try:
            bytes_left -= _add(drawn, entry, f"{name} {entry.seed}", waveforms)
        except LasasrError as error:
            drawn.notes.append(f"No maps of {name}: {error}.")
    if audio:
        _add_audio(drawn, waveforms)
    return drawn


@dataclass(frozen=True)
class Waveform:
    """One utterance (S,)."""

    samples: Tensor
    sample_rate_hz: int


def _waveforms(
    entries: Sequence[DecodedRun], split: str, ids: Sequence[str], notes: list[str], progress: Progress
) -> dict[str, Waveform]:
    """The audio of the utterances, as the first run's corpus holds it."""
    if not entries or not ids or entries[0].folder is None:
        return {}
    try:
        settings = Run(entries[0].folder).recognition()
        folder = folder_of(factory.corpus(settings.corpus), settings)
        if not (folder / f"{split}.jsonl.gz").exists():
            notes.append("No attention maps: the corpus is not prepared here (lasasr prepare RECIPE does it).")
            return {}
        prepared = prepare(settings, progress)
        decoded_on = entries[0].summary
        corpora = prepared.fingerprint, decoded_on.get("corpus")
        now, before = (prepared.content(split), decoded_on["data"]) if "data" in decoded_on else corpora
        if now != before:
            notes.append("No attention maps: the corpus has changed since it was decoded.")
            return {}
        frontend, _ = encoder_parts.resolved_parts(settings.frontend, settings.listen)
        rate = factory.frontend(frontend, settings.seed).sample_rate_hz
        dataset = prepared.dataset(split, rate)
        indices = {utterance_id: index for index, utterance_id in enumerate(dataset.utterances.ids)}
        return {
            utterance_id: Waveform(dataset.waveform(indices[utterance_id]), rate)
            for utterance_id in ids
            if utterance_id in indices
        }
    except LasasrError as error:
        notes.append(f"No attention maps: {error}.")
        return {}


def _add(drawn: Drawn, entry: DecodedRun, key: str, waveforms: dict[str, Waveform]) -> int:
    """Decode with one run and add its maps; the bytes they take."""
    recognizer = _recognizer(entry)
    decoded_as = {line["id"]: line["hypothesis"] for line in entry.lines}
    scored = transcript.from_name(recognizer.normalizer).scored
    used = other = 0
    for utterance_id, waveform in waveforms.items():
        if waveform.sample_rate_hz != recognizer.frontend.sample_rate_hz:
            raise LasasrError(f"it hears {recognizer.frontend.sample_rate_hz} Hz")
        lengths = torch.tensor([len(waveform.samples)])
        best = recognizer.recognize(waveform.samples[None], lengths, [utterance_id])[0][0]
        other += scored(best.text) != decoded_as[utterance_id]
        if best.weights is None or scored(best.text) != decoded_as[utterance_id]:
            continue
        if utterance_id not in drawn.maps:
            drawn.maps[utterance_id] = _spectrogram(recognizer, waveform.samples)
            used += len(drawn.maps[utterance_id]["spectrogram"])
        drawn.maps[utterance_id]["maps"][key] = _map(recognizer, best)
        used += len(drawn.maps[utterance_id]["maps"][key]["image"])
    if other:
        drawn.notes.append(f"{other} maps of {key} are left out: decoded again, the text is another.")
    return used


def _recognizer(entry: DecodedRun) -> Recognizer:
    """The recognizer of a run with the search it was scored with."""
    assert entry.folder is not None
    run = Run(entry.folder)
    loaded = Recognizer.load(run.bundle)
    search = entry.summary.get("search") or run.recognition().search
    return loaded.searching(language_model.search(search, loaded.tokenizer)).eval()


def _spectrogram(recognizer: Recognizer, waveform: Tensor) -> dict[str, Any]:
    spectrogram = recognizer.spectrogram(waveform)
    values = spectrogram.values.numpy()
    low, high = np.percentile(values, [2.0, 99.5])
    image = picture(values.T[::-1], "magma", float(low), float(high))
    seconds = len(values) * spectrogram.frame_s
    return {"spectrogram": image, "duration_s": seconds, "maps": {}}


def _map(recognizer: Recognizer, best: Hypothesis) -> dict[str, Any]:
    """Weights of all heads, averaged; time to the right, tokens downwards, from 0 (white) to `darkest`."""
    assert best.weights is not None
    weights = best.weights.float().mean(1).numpy()
    begin_s, darkest = recognizer.encoded_begin_s, max(float(weights.max()), DARKEST)
    return {
        "image": picture(weights, "Blues", 0.0, darkest),
        "darkest": round(darkest, 2),
        "begin_s": begin_s,
        "end_s": begin_s + weights.shape[1] * recognizer.encoded_frame_s,
        "tokens": len(best.tokens),
    }


def _add_audio(drawn: Drawn, waveforms: dict[str, Waveform]) -> None:
    bytes_left, silent = MOST_BYTES, 0
    for utterance_id, drawing in drawn.maps.items():
        played = sound(waveforms[utterance_id].samples.numpy(), waveforms[utterance_id].sample_rate_hz)
        bytes_left -= len(played)
        if bytes_left >= 0:
            drawing["audio"] = played
        silent += bytes_left < 0
    if silent:
        drawn.notes.append(f"{silent} utterances have no audio: the page is full.")
