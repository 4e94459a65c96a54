"""Word and phone times against what the waveform itself shows."""

import numpy as np
import pytest

from lasasr.corpora.espeak import Mark, Spoken, Voice, speak
from lasasr.corpora.timing import Segment, segments
from lasasr.errors import LasasrError

pytest.importorskip("espeakng_loader", reason="needs the extra `synthetic`")

TEXTS = (
    "who carries these ten boxes today",
    "can he turn the heavy lamp off",
    "she will open seven books at two o'clock",
)
VOICES = (Voice("en-us", "m3", 150), Voice("en-gb-x-rp", "f2", 180), Voice("en-gb-scotland", "boris", 215))
STOP_FIRST = ("carries", "ten", "today", "turn", "two")
HOP_S = 0.005


def loudness_db(spoken):
    hop = int(HOP_S * spoken.sampling_rate)
    hops = spoken.samples[: len(spoken.samples) // hop * hop].astype(float).reshape(-1, hop)
    return 20 * np.log10(np.sqrt((hops**2).mean(axis=1)) + 1)


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.name)
@pytest.mark.parametrize("text", TEXTS)
def test_in_order_inside_and_complete(text, voice):
    spoken = speak(text, voice)
    words, phones = segments(text, spoken)
    assert [word.symbol for word in words] == text.split()
    for items in (words, phones):
        times = [time_s for segment in items for time_s in (segment.start_s, segment.end_s)]
        assert times == sorted(times)
        assert all(segment.end_s > segment.start_s for segment in items)
        assert 0 <= times[0] <= times[-1] <= len(spoken.samples) / spoken.sampling_rate
    for word in words:
        inside = [phone for phone in phones if word.start_s <= phone.start_s and phone.end_s <= word.end_s]
        assert inside[0].start_s == word.start_s
        assert inside[-1].end_s == word.end_s


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.name)
@pytest.mark.parametrize("text", TEXTS)
def test_voiceless_stops_begin_words_with_silence(text, voice):
    """The waveform falls by 30 dB within 15 ms of where such a word is said to begin, and not earlier in 25 ms."""
    spoken = speak(text, voice)
    loud = loudness_db(spoken) > loudness_db(spoken).max() - 30
    for word in segments(text, spoken)[0][1:]:
        if word.symbol in STOP_FIRST:
            begins = round(word.start_s / HOP_S)
            assert loud[begins - 8 : begins - 2].any(), word
            assert not loud[begins + 3 : begins + 5].any(), word


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.name)
def test_the_last_word_ends_with_the_sound(voice):
    spoken = speak("who sleeps in the garden now", voice)
    loudness = loudness_db(spoken)
    last = (np.flatnonzero(loudness > loudness.max() - 35)[-1] + 1) * HOP_S
    assert segments("who sleeps in the garden now", spoken)[0][-1].end_s == pytest.approx(last, abs=0.03)


def spoken(words, phones, seconds=1.0):
    return Spoken(np.full(int(seconds * 1000), 1000, np.int16), 1000, words, phones)


def test_a_vowel_after_a_nasal_begins_its_word():
    marks = [Mark(0.0, 0, ""), Mark(0.3, 3, "")]
    phones = [Mark(0.0, 0, "'I"), Mark(0.3, 0, "n"), Mark(0.4, 3, "'I"), Mark(0.6, 3, "t"), Mark(0.7, 3, "_:")]
    words, phone_segments = segments("in it", spoken(marks, phones))
    assert words == [Segment("in", 0.0, 0.4), Segment("it", 0.4, 0.7)]
    assert phone_segments[1] == Segment("n", 0.3, 0.4)


def test_a_liquid_without_duration_gets_the_end_of_its_vowel():
    marks = [Mark(0.0, 0, ""), Mark(0.4, 5, "")]
    phones = [Mark(0.1, 0, "'i:"), Mark(0.4, 0, "l"), Mark(0.5, 5, "k"), Mark(0.7, 5, "_")]
    _, phone_segments = segments("wheel can", spoken(marks, phones))
    assert phone_segments[0] == Segment("i:", 0.0, pytest.approx(0.4 * 2 / 3))
    assert phone_segments[1] == Segment("l", pytest.approx(0.4 * 2 / 3), 0.4)


def test_a_pause_belongs_to_no_word():
    marks = [Mark(0.0, 0, ""), Mark(0.5, 3, "")]
    phones = [Mark(0.0, 0, "oU"), Mark(0.3, 0, "_:"), Mark(0.5, 3, "oU")]
    assert segments("go go", spoken(marks, phones))[0] == [Segment("go", 0.0, 0.3), Segment("go", 0.5, 1.0)]


def test_unmarked_words_are_an_error():
    with pytest.raises(LasasrError, match="marks 1 words of 2 in 'in the'"):
        segments("in the", spoken([Mark(0.0, 0, "")], []))
