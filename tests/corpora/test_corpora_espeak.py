"""eSpeak as a function of its arguments, and what happens without it."""

import sys

import numpy as np
import pytest

from lasasr.corpora.espeak import MISSING, Voice, pronounce, speak
from lasasr.errors import LasasrError

espeakng_loader = pytest.importorskip("espeakng_loader", reason="needs the extra `synthetic`")

TEXT = "the dogs don't sleep in the kitchen"


@pytest.mark.parametrize("variant", ["f3", "grandpa", "klatt3", "croak"])
def test_what_was_said_before_changes_nothing(variant):
    voice = Voice("en-us", variant)
    alone = speak(TEXT, voice, seed=3)
    for other in ("m3", "f2", variant):
        speak("something else entirely", Voice("en-029", other, rate_wpm=200), seed=8)
    again = speak(TEXT, voice, seed=3)
    assert np.array_equal(alone.samples, again.samples)
    assert alone.phones == again.phones


def test_every_word_has_its_mark():
    """Also those that eSpeak would join ("in the"); the positions are those of the words in the text."""
    spoken = speak(TEXT, Voice("en", "m1"))
    assert [TEXT[mark.position :].split()[0] for mark in spoken.words] == TEXT.split()
    assert all(earlier.time_s < later.time_s for earlier, later in zip(spoken.words, spoken.words[1:], strict=False))


def test_rate_and_pitch_are_heard():
    slow, fast = (speak(TEXT, Voice("en-us", "m3", rate_wpm=rate)) for rate in (140, 220))
    assert len(slow.samples) > 1.3 * len(fast.samples)
    low, high = (_periodicity_hz(speak("a", Voice("en-us", "m3", pitch=pitch)).samples) for pitch in (20, 80))
    assert high > 1.2 * low


def _periodicity_hz(samples):
    middle = samples[len(samples) // 3 :][:2048].astype(float)
    correlation = np.correlate(middle, middle, "full")[2047:]
    shortest, longest = 22050 // 400, 22050 // 60
    return 22050 / (shortest + correlation[shortest:longest].argmax())


def test_accents_differ():
    american, british = (pronounce(["bath", "dog"], Voice(accent, "m3")) for accent in ("en-us", "en-gb-x-rp"))
    assert american != british


@pytest.mark.parametrize(("voice", "named"), [(Voice("xx-yy", "f3"), "xx-yy"), (Voice("en-us", "f333"), "f333")])
def test_an_unknown_voice_is_named(voice, named):
    with pytest.raises(LasasrError, match=named):
        speak(TEXT, voice)


def test_installed_below_a_long_path(tmp_path, monkeypatch):
    """eSpeak itself has no room for more than 160 bytes."""
    data = tmp_path / ("deep" * 50) / "espeak-ng-data"
    data.parent.mkdir()
    data.symlink_to(espeakng_loader.get_data_path(), target_is_directory=True)
    expected = speak(TEXT, Voice("en-us", "f3"))
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(data))
    assert np.array_equal(speak(TEXT, Voice("en-us", "f3")).samples, expected.samples)


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)  # what an import of it then raises is ImportError
    with pytest.raises(LasasrError, match=r"pip install 'lasasr\[synthetic\]'") as caught:
        speak(TEXT, Voice("en-us", "f3"))
    assert str(caught.value) == MISSING
    assert "\n" not in MISSING
