"""Long audio is what its pieces are, decoded alone; short audio is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from tiny_recognizer import greedy, parts
from torch import Tensor

from lasasr.audio.inputs import inputs
from lasasr.audio.pauses import Lengths, stretches
from lasasr.errors import LasasrError, UsageError
from lasasr.models import transcription
from lasasr.models.recognizer import Recognizer
from lasasr.search.hypothesis import Hypothesis, Word
from lasasr.text.character import CharacterTokenizer

RATE = 16_000


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    """An untrained one that always says something."""
    torch.manual_seed(0)
    made = Recognizer.build(parts(0.3, search=greedy(5, 9)), CharacterTokenizer.train(["ab c", "ba"]), "none/1").eval()
    made.trained_on = Lengths(usual_s=1.0, longest_s=2.0)
    return made


def speech(seconds: float, seed: int) -> Tensor:
    """Noise whose loudness goes up and down three times a second, as that of syllables does."""
    noise = torch.randn(int(seconds * RATE), generator=torch.Generator().manual_seed(seed)) * 0.1
    return noise * (1.3 + torch.cos(torch.arange(len(noise)) * (2 * torch.pi * 3.0 / RATE)))


def long_waveform(pause_s: float = 0.4) -> Tensor:
    parts = [part for i in range(7) for part in (speech(0.7 + 0.1 * i, i), torch.zeros(int(pause_s * RATE)))]
    return torch.cat(parts)


def test_text_and_times_are_those_of_the_pieces_decoded_alone(recognizer: Recognizer) -> None:
    waveform = long_waveform()
    (found,) = recognizer.transcribe([waveform])
    cut = list(stretches([waveform], RATE, recognizer.trained_on))
    alone = [recognizer.transcribe([one.waveform])[0] for one in cut]
    assert len(found.pieces) == len(cut) > 4
    assert not any(one.overlaps for one in found.pieces)
    assert not any(one.pieces for one in alone)
    assert found.text == " ".join(one.text for one in alone)
    assert [one.text for one in found.pieces] == [one.text for one in alone]
    assert found.score == pytest.approx(sum(one.score for one in alone), rel=1e-5)
    expected = [
        (word.word, one.begin / RATE + word.start_s)
        for one, hypothesis in zip(cut, alone, strict=True)
        for word in hypothesis.words
    ]
    assert [word.word for word in found.words] == [word for word, _ in expected] == found.text.split()
    assert [word.start_s for word in found.words] == pytest.approx([start for _, start in expected], abs=2e-3)


def test_a_file_is_its_waveform_and_stands_where_it_was_named(recognizer: Recognizer, tmp_path: Path) -> None:
    whole, short = long_waveform().mul(32768).round() / 32768, speech(1.5, 9)
    soundfile.write(tmp_path / "long.wav", whole.numpy(), RATE)
    first, second, third = recognizer.transcribe([short, tmp_path / "long.wav", short], timestamps=False)
    (of_waveform,) = recognizer.transcribe([whole])
    assert (second.text, second.pieces) == (of_waveform.text, of_waveform.pieces)
    assert second.words == ()
    assert (first.text, first.pieces) == (third.text, ()) == (recognizer.transcribe([short])[0].text, ())


def test_the_length_of_a_batch_changes_no_text(recognizer: Recognizer) -> None:
    (found,), (other,) = (recognizer.transcribe([long_waveform()], batch_s=batch_s) for batch_s in (1.0, 7.0))
    assert (found.text, found.pieces) == (other.text, other.pieces)


def test_what_is_short_enough_stays_whole(recognizer: Recognizer) -> None:
    waveform = torch.cat([long_waveform(), speech(0.5, 9)])
    (whole,) = recognizer.transcribe([waveform], max_piece_s=1000.0)
    sizes = torch.tensor([len(waveform)])
    ((alone, *_),) = recognizer.recognize(waveform[None], sizes, timestamps=True)
    assert whole.weights is not None
    assert alone.weights is not None
    assert torch.equal(whole.weights, alone.weights)
    assert replace(whole, weights=None) == replace(alone, weights=None)
    assert len(recognizer.transcribe([waveform], max_piece_s=1.2)[0].pieces) > 7


def test_digital_silence_at_the_ends_changes_nothing_but_times(recognizer: Recognizer) -> None:
    """Of waveforms with 0.3 s of zeros, or of one step of 16 bits, around them; 0.15 s stay."""
    draw = torch.Generator().manual_seed(0)
    (alone,) = recognizer.transcribe([speech(0.8, 3)])
    for level in (0.0, 1.0 / 32768):
        steps = [torch.randint(-1, 2, (round(0.3 * RATE),), generator=draw) * level for _ in range(2)]
        (found,) = recognizer.transcribe([torch.cat([steps[0], speech(0.8, 3), steps[1]])])
        assert (found.text, found.tokens, found.scores) == (alone.text, alone.tokens, alone.scores)
        assert [word.start_s for word in found.words] == pytest.approx([0.3 + one.start_s for one in alone.words])
        (piece,) = found.pieces
        assert (piece.start_s, piece.end_s, piece.text, piece.overlaps) == (0.3, 1.1, alone.text, False)
    assert recognizer.transcribe([torch.cat([speech(0.8, 3), torch.zeros(2400)])])[0].pieces == ()
    assert recognizer.transcribe([torch.cat([speech(0.8, 3), torch.zeros(4800)])], timestamps=False)[0].words == ()


def test_readings_of_a_beam_survive_the_silence_around_them() -> None:
    torch.manual_seed(0)
    search = {"_target_": "lasasr.search.beam.BeamSearch", "beam": 4, "nbest": 3}
    made = Recognizer.build(parts(0.3, search=search), CharacterTokenizer.train(["ab c"]), "none/1").eval()
    alone, within = made.transcribe([speech(0.8, 3), torch.cat([torch.zeros(4800), speech(0.8, 3)])])
    assert len(within.alternatives) == 2
    assert [one.text for one in within.alternatives] == [one.text for one in alone.alternatives]


def test_first_results_wait_for_one_batch_alone() -> None:
    """Windows grow: 1, 2, 4, 8, 8 batches of 10 s; results are in order, whatever the lengths."""
    batches: list[int] = []
    lengths = [1.0 + (7 * i) % 5 for i in range(100)]

    def recognize(waveforms: Sequence[Tensor], timestamps: bool) -> list[Hypothesis]:
        batches.append(len(waveforms))
        return [Hypothesis((), 0.0, text=str(len(waveform) // RATE)) for waveform in waveforms]

    audio = inputs([speech(seconds, 1) for seconds in lengths], RATE)
    results = transcription.stream(audio, RATE, Lengths(3.0, 9.0), 10.0, False, recognize)
    assert next(results).text == "1"  # type: ignore[union-attr]
    assert len(batches) <= 2
    texts = [result.text for result in results]  # type: ignore[union-attr]
    assert texts == [str(int(seconds)) for seconds in lengths[1:]]


def test_memory_is_that_of_one_batch() -> None:
    seen: list[int] = []

    def recognize(waveforms: Sequence[Tensor], timestamps: bool) -> list[Hypothesis]:
        seen.append(len(waveforms) * max(map(len, waveforms)))
        return [Hypothesis((4,), -1.0, weights=torch.zeros(2, 1, 99), text="a")] * len(waveforms)

    blocks = (speech(10.0, i) for i in range(60))  # a generator: nobody can hold them all
    found = transcription.in_pieces(blocks, RATE, Lengths(3.0, 5.0), 30.0, recognize)
    assert max(seen) <= 30 * RATE
    assert found.weights is None
    assert found.pieces[0].start_s == 0
    assert found.pieces[-1].end_s == 600
    assert all(0 < one.end_s - one.start_s <= 5 for one in found.pieces)


def test_a_cut_in_speech_says_each_word_once() -> None:
    """A recognizer that reads a number off every second of a waveform made of numbers."""
    said = [torch.full((RATE,), n / 100.0) for n in range(1, 12)]

    def recognize(waveforms: Sequence[Tensor], timestamps: bool) -> list[Hypothesis]:
        found = []
        for waveform in waveforms:
            values, counts = torch.unique_consecutive(waveform.mul(100).round(), return_counts=True)
            ends = counts.cumsum(0).div(RATE).tolist()
            words = [
                Word(f"n{int(value)}", start, end)
                for value, start, end in zip(values.tolist(), [0.0, *ends], ends, strict=False)
            ]
            text = " ".join(one.word for one in words)
            found.append(Hypothesis((), 0.0, text=text, timed={"ctc": tuple(words)}))
        return found

    found = transcription.in_pieces([torch.cat(said)], RATE, Lengths(3.0, 4.0), 8.0, recognize)
    assert sum(one.overlaps for one in found.pieces) >= 2
    assert found.text.split() == [f"n{n}" for n in range(1, 12)]


def test_silence_is_empty_and_mistakes_are_one_line(recognizer: Recognizer, tmp_path: Path) -> None:
    (found,) = recognizer.transcribe([torch.zeros(9 * RATE)])
    assert (found.text, found.flags, found.pieces, found.words) == ("", ("empty",), (), ())
    with pytest.raises(LasasrError, match=r"none\.wav is missing"):
        recognizer.transcribe([long_waveform(), tmp_path / "none.wav"])
    for seconds in (0.5, -3.0, float("nan")):
        with pytest.raises(UsageError, match="at least 1 s"):
            recognizer.transcribe([speech(1.0, 0)], max_piece_s=seconds)


def test_a_bundle_knows_how_long_utterances_were(recognizer: Recognizer, tmp_path: Path) -> None:
    recognizer.save(tmp_path)
    assert Recognizer.load(tmp_path).trained_on == recognizer.trained_on == recognizer.searching(None).trained_on
    config = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(config.replace("longest_s: 2.0", "longest_s: long"))
    with pytest.raises(LasasrError, match=r"config\.yaml: trained_on must hold"):
        Recognizer.load(tmp_path)
    old = {name: value for name, value in yaml.safe_load(config).items() if name != "trained_on"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(old))
    assert Recognizer.load(tmp_path).trained_on is None


def test_silence_and_steady_noise_have_no_text_whatever_their_length(recognizer: Recognizer) -> None:
    noise = torch.randn(9 * RATE, generator=torch.Generator().manual_seed(4)) * 0.05
    audio = [torch.zeros(RATE), torch.full((800,), 0.5), noise[:RATE], noise, speech(1.5, 3)]
    *nothing, something = recognizer.transcribe(audio)
    assert [(one.text, one.flags, one.words) for one in nothing] == [("", ("empty",), ())] * 4
    assert something.text


def test_digital_silence_has_no_text_in_evaluation_and_noise_is_decoded(recognizer: Recognizer) -> None:
    noise = torch.randn(RATE, generator=torch.Generator().manual_seed(4)) * 0.05
    waveforms, sizes = torch.stack([noise, torch.full((RATE,), 0.25)]), torch.tensor([RATE, RATE])
    waveforms[1, RATE // 2 :] = torch.nan  # padding may hold anything
    sizes[1] = RATE // 2
    of_noise, (of_silence,) = recognizer.recognize(waveforms, sizes, timestamps=True)
    assert of_noise[0].text
    assert (of_silence.text, of_silence.tokens, of_silence.flags, of_silence.words) == ("", (), ("empty",), ())
    assert of_silence.weights is not None
    assert len(of_silence.weights) == 1


def test_nan_in_the_midst_of_a_long_tensor_is_named(recognizer: Recognizer) -> None:
    """It vanished: no frame of it is louder than silence."""
    waveform = torch.cat([speech(20.0, 1), torch.full((19 * RATE,), torch.nan), speech(35.0, 2)])
    for audio in (waveform, waveform[None], waveform.numpy()):
        with pytest.raises(LasasrError, match=r"audio\[1\] holds NaN or infinite samples, the first at 20\.000 s"):
            recognizer.transcribe([speech(1.0, 0), audio])


def test_arrays_and_files_have_the_same_text(recognizer: Recognizer, tmp_path: Path) -> None:
    samples = (speech(1.4, 5).numpy() * 20_000).astype("int16")
    soundfile.write(tmp_path / "a.wav", samples, 8_000)
    expected = recognizer.transcribe(tmp_path / "a.wav")
    assert len(expected) == 1
    assert expected[0].text
    for audio in (samples, samples[None], torch.from_numpy(samples), samples / 32768.0):
        (found,) = recognizer.transcribe(audio, sample_rate_hz=8_000)
        assert (found.text, found.score) == (expected[0].text, expected[0].score)
    (found,) = recognizer.transcribe(str(tmp_path))
    assert found.text == expected[0].text


def test_the_others_are_transcribed_where_one_cannot_be(recognizer: Recognizer, tmp_path: Path) -> None:
    (tmp_path / "html.wav").write_text("<html>")
    audio = [speech(1.0, 0), tmp_path / "html.wav", long_waveform(), torch.zeros(2, 4), tmp_path / "none.wav"]
    results = recognizer.transcribe_inputs(inputs(audio, RATE))
    assert [isinstance(result, Hypothesis) for result in results] == [True, False, True, False, False]
    assert [str(result).split(" ")[0].split("/")[-1] for result in results[1::2]] == ["html.wav", "audio[3]"]
    assert results[0].text == recognizer.transcribe([audio[0]])[0].text


def test_a_text_of_spaces_alone_is_flagged_as_an_empty_one(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (worded,) = recognizer.transcribe([speech(1.0, 1)])
    assert worded.text.split()
    assert "empty" not in worded.flags
    monkeypatch.setattr(recognizer.tokenizer, "decode", lambda tokens: " ")
    (unsaid,) = recognizer.transcribe([speech(1.0, 1)])
    assert (unsaid.tokens, unsaid.flags.count("empty")) == (worded.tokens, 1)
