"""The interface to eSpeak NG: text to samples, word times and phone times.

eSpeak NG is a program of its own under the GPL v3 (see NOTICE). It comes with the optional extra `lasasr[synthetic]`
(the wheel `espeakng-loader`) and is loaded here only when something is to be rendered. The functions, structures and
numbers below are those of its public header `speak_lib.h`.
"""

from __future__ import annotations

import _ctypes
import ctypes
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasasr.errors import LasasrError

MISSING: Final = (
    "the synthetic corpus speaks through eSpeak NG, which is not installed: pip install 'lasasr[synthetic]'"
)

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: espeak_Synth returns when every sample went through the callback
_PHONEME_EVENTS, _DONT_EXIT = 0x0001, 0x8000
_FROM_CHARACTER, _UTF8, _IPA = 1, 1, 0x02
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4  # espeak_PARAMETER
_HALF_VOLUME = 50  # percent: at full volume some voices clip
_END_OF_LIST, _WORD, _PHONEME = 0, 1, 7  # espeak_EVENT_TYPE

_LONGEST_PATH = 140  # bytes
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"

_one_at_a_time = threading.Lock()  # the library keeps its state in globals


class _Name(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Mark(NamedTuple):
    """At `time_s` begins the word at character `position` of the text, or the phone `name` of that word."""

    time_s: float
    position: int
    name: str


@dataclass(frozen=True)
class Spoken:
    """A rendered text."""

    samples: NDArray[np.int16]  # (S,)
    sampling_rate: int  # Hz
    words: Sequence[Mark]
    phones: Sequence[Mark]  # names of eSpeak; a leading ' or , is stress, names that begin with _ are pauses


@dataclass(frozen=True)
class Voice:
    """The settings of a voice."""

    accent: str  # language code, as en-us
    variant: str  # a file below eSpeak's voices/!v, as f3
    rate_wpm: int = 175  # words per minute, 80 to 450
    pitch: int = 50  # 0 to 100
    pitch_range: int = 50  # 0 (monotone) to 100

    @property
    def name(self) -> str:
        return f"{self.accent}+{self.variant}"


def speak(text: str, voice: Voice, seed: int = 0) -> Spoken:
    """Render `text`.

    The library is loaded anew each time (about 4 ms): flutter, breath and echo depend on what it rendered before, and
    only a fresh one makes the result a function of the arguments alone. Words reach it with no-break spaces between
    them, since it renders phrases such as "in the" as one word otherwise, with one mark for two.

    Raises:
        LasasrError: eSpeak NG is not installed or does not have the voice.
    """
    collector = _Collector()
    with _one_at_a_time, _library(voice, collector.callback) as (library, sampling_rate):
        library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        encoded = text.replace(" ", _NO_BREAK_SPACE).encode()
        size = ctypes.c_size_t(len(encoded) + 1)
        status = library.espeak_Synth(encoded, size, 0, _FROM_CHARACTER, 0, _UTF8, None, None)
        if status != 0 or not collector.chunks:
            raise LasasrError(f"eSpeak NG (voice {voice.name}) cannot speak {text!r}: status {status}")
    return Spoken(np.concatenate(collector.chunks), sampling_rate, collector.words, collector.phones)


def pronounce(texts: Sequence[str], voice: Voice) -> list[str]:
    """Pronunciation of each text in the International Phonetic Alphabet.

    Raises:
        LasasrError: eSpeak NG is not installed or does not have the voice.
    """
    with _one_at_a_time, _library(voice, _Collector().callback) as (library, _):
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        pronunciations = []
        for text in texts:
            rest = ctypes.c_char_p(text.encode())
            pronunciations.append(library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA).decode())
    return pronunciations


class _Collector:
    """Collects the samples and events that the library reports while it renders."""

    def __init__(self) -> None:
        self.chunks: list[NDArray[np.int16]] = []
        self.words: list[Mark] = []
        self.phones: list[Mark] = []
        self.callback = _Callback(self._receive)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while (event := events[i]).type != _END_OF_LIST:
            time_s = event.audio_position / 1000
            if event.type == _WORD:
                self.words.append(Mark(time_s, event.text_position - 1, ""))
            elif event.type == _PHONEME:
                self.phones.append(Mark(time_s, event.text_position - 1, event.id.string.decode("utf-8", "replace")))
            i += 1
        return 0


@contextmanager
def _library(voice: Voice, callback: Any) -> Iterator[tuple[Any, int]]:
    """A freshly loaded library that renders with `voice`, and its sampling rate in Hz; unloaded at the end."""
    try:
        import espeakng_loader
    except ImportError:
        raise LasasrError(MISSING) from None
    data = Path(espeakng_loader.get_data_path())
    if not (data / "voices" / "!v" / voice.variant).is_file():  # the library would use its plain voice without an error
        raise LasasrError(f"eSpeak NG has no voice variant {voice.variant}")
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError as error:
        raise LasasrError(f"eSpeak NG cannot be loaded on this system: {error}") from None
    try:
        with _short(data) as path:
            rate = library.espeak_Initialize(_SYNCHRONOUS, 0, str(path).encode(), _PHONEME_EVENTS | _DONT_EXIT)
            if rate <= 0:
                raise LasasrError(f"eSpeak NG does not start with its data in {data}: reinstall espeakng-loader")
            library.espeak_SetSynthCallback(callback)
            _use(library, voice)
            yield library, rate
            library.espeak_Terminate()
    finally:
        unload = getattr(_ctypes, "dlclose", None) or getattr(_ctypes, "FreeLibrary")  # noqa: B009
        unload(library._handle)


def _use(library: Any, voice: Voice) -> None:
    if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
        raise LasasrError(f"eSpeak NG has no voice {voice.name}")
    library.espeak_SetParameter(_VOLUME, _HALF_VOLUME, 0)
    for parameter, value in ((_RATE, voice.rate_wpm), (_PITCH, voice.pitch), (_RANGE, voice.pitch_range)):
        library.espeak_SetParameter(parameter, value, 0)


@contextmanager
def _short(data: Path) -> Iterator[Path]:
    """A path of `data` that fits into the 160 bytes that eSpeak has for it."""
    if len(str(data).encode()) <= _LONGEST_PATH:
        yield data
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "data"
        link.symlink_to(data, target_is_directory=True)
        yield link
