"""What each recognizer makes of a recording."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from torch import Tensor

from lasasr.app.recording import Recording
from lasasr.app.systems import System
from lasasr.errors import LasasrError
from lasasr.metrics.alignment_reference import TimedLabel
from lasasr.models import attention_view, hot_word_search, language_model
from lasasr.models.recognizer import Recognizer
from lasasr.search.hotwords import phrases_of
from lasasr.transcription.transcript import Transcript

MOST_MAPS: Final = 4  # of the pieces of long audio


class Map(NamedTuple):
    """An attention map over the spectrogram, as PNG."""

    png: bytes
    start_s: float
    end_s: float


class Answer(NamedTuple):
    """What one recognizer makes of a recording; an error stands in the place of the transcript."""

    system: str
    transcript: Transcript | None
    maps: tuple[Map, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0  # that it took, pictures left out
    error: str = ""


def answers(systems: Sequence[System], recording: Recording, hot_words: str, nbest: int) -> list[Answer]:
    """What each makes of it, in order.

    Args:
        hot_words: a phrase per line, perhaps a tab and its boost.
        nbest: how many readings, of searches that find several.

    Raises:
        LasasrError: the recording, or a line of the hot words, cannot be used.
    """
    phrases = phrases_of(hot_words.splitlines(), "hot words")
    recording.audio().duration_s()  # what no recognizer can use is said once
    return [_answer(system, recording, phrases, nbest) for system in systems]


def _answer(system: System, recording: Recording, phrases: Mapping[str, float], nbest: int) -> Answer:
    try:
        recognizer = _searching(system.recognizer, phrases, nbest)
        start = time.perf_counter()
        (result,) = recognizer.transcribe_inputs([recording.audio()])
        seconds = time.perf_counter() - start
        if isinstance(result, LasasrError):
            raise result
        transcript = Transcript(recording.name, Path(recording.name).stem, recording.duration_s, result)
        maps, notes = _maps(recognizer, recording, transcript)
        return Answer(system.name, transcript, tuple(maps), tuple(notes), seconds)
    except (LasasrError, ValueError) as error:  # phrases that cannot be spelt are a breach of contract of a scorer
        return Answer(system.name, None, error=str(error))


def _searching(recognizer: Recognizer, phrases: Mapping[str, float], nbest: int) -> Recognizer:
    """The recognizer under its own search, which finds `nbest` readings and favours the phrases."""
    search = dict(recognizer.parts.search)
    if hot_word_search.is_beam(search):
        search["nbest"] = max(int(search.get("nbest", 1)), min(nbest, int(search.get("beam", nbest))))
    if phrases:
        hot_word_search.refuse_unfit(search, "the list of hot words")
        search = dict(hot_word_search.with_phrases(search, phrases, recognizer.normalizer))
    if search == recognizer.parts.search:
        return recognizer
    found = recognizer.searching(language_model.search(search, recognizer.tokenizer))
    found.parts = replace(recognizer.parts, search=search)
    return found


def _maps(recognizer: Recognizer, recording: Recording, transcript: Transcript) -> tuple[list[Map], list[str]]:
    """Of the recording, or of the first pieces that it was cut into; and why there are not more."""
    best = transcript.hypothesis
    if not best.tokens:
        return [], []
    if recognizer.model.decoder is None:
        return [], ["a CTC head alone has no attention to draw"]
    rate = recognizer.frontend.sample_rate_hz
    waveform = recording.audio().waveform(rate)
    if not best.pieces:
        figure = attention_view.attention_figure(
            recognizer, waveform, best.tokens, best.weights, boundaries=_labels(transcript, 0.0, recording.duration_s)
        )
        return [Map(attention_view.png(figure), 0.0, recording.duration_s)], []
    spoken = [piece for piece in best.pieces if piece.text]
    maps = []
    for piece in spoken[:MOST_MAPS]:
        part: Tensor = waveform[int(piece.start_s * rate) : int(piece.end_s * rate)]
        tokens = recognizer.tokenizer.encode(piece.text)
        labels = _labels(transcript, piece.start_s, piece.end_s)
        figure = attention_view.attention_figure(recognizer, part, tokens, boundaries=labels)
        maps.append(Map(attention_view.png(figure), piece.start_s, piece.end_s))
    notes = [f"cut at pauses into {len(best.pieces)} pieces, each recognized by itself"]
    if len(best.pieces) == 1:
        notes = ["silence at the ends left out"]
    if len(spoken) > MOST_MAPS:
        notes.append(f"attention maps of the first {MOST_MAPS}")
    return maps, notes


def _labels(transcript: Transcript, start_s: float, end_s: float) -> list[TimedLabel]:
    """The words of a stretch, with times from its beginning."""
    return [
        TimedLabel(word.word, word.start_s - start_s, word.end_s - start_s)
        for word in transcript.hypothesis.words
        if start_s <= 0.5 * (word.start_s + word.end_s) < end_s
    ]
