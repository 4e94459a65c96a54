"""Batches from files: what is in them, on what they depend, and how broken audio is refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from data_corpus import Letters, cut, write_corpus, write_manifest
from lhotse import CutSet, MonoCut, MultiCut

from lasasr.audio.perturb import AdditiveNoise, SpeedPerturb
from lasasr.audio.read import read
from lasasr.data.dataset import SpeechDataset
from lasasr.data.manifest import read_manifest
from lasasr.data.sampler import Request
from lasasr.errors import LasasrError
from lasasr.text import special
from lasasr.text.character import CharacterTokenizer

NOISY = (SpeedPerturb(), AdditiveNoise(colour="pink"))


def dataset(manifest: Path, **options: object) -> SpeechDataset:
    return SpeechDataset(read_manifest(manifest, str), Letters(), **options)


def test_batch_holds_what_was_written(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 1600, 3200, 800)
    batch = dataset(manifest)[Request(7, (2, 0))]
    assert batch.ids == ("u2", "u0")
    assert batch.speakers == ("speaker u2", "speaker u0")
    assert batch.texts == ("a b c", "a")
    assert batch.epoch == 7
    assert batch.waveforms.shape == (2, 1600)
    assert batch.waveform_lengths.tolist() == [800, 1600]
    for row, count, name in zip(batch.waveforms, (800, 1600), batch.ids, strict=True):
        assert torch.equal(
            row[:count], torch.from_numpy(soundfile.read(manifest.parent / f"{name}.wav", dtype="float32")[0])
        )
        assert bool((row[count:] == 0).all())
    letters = Letters()
    assert batch.tokens.tolist() == [letters.encode("a b c"), [*letters.encode("a"), *[special.PAD] * 4]]
    assert batch.token_lengths.tolist() == [5, 1]
    assert batch.tokens.dtype == batch.token_lengths.dtype == batch.waveform_lengths.dtype == torch.int64


def test_other_rate_and_stereo_sound_as_transcribe_hears_them(tmp_path: Path) -> None:
    time = np.arange(8000) / 8000
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([np.sin(2 * np.pi * 440 * time), np.zeros_like(time)], 1) * 0.5, 8000)
    stereo = cut(path, "a", "a")
    both = MultiCut(
        stereo.id, 0.0, stereo.duration, [0, 1], supervisions=stereo.supervisions, recording=stereo.recording
    )
    waveform = dataset(write_manifest(tmp_path, [both])).waveform(0)
    torch.testing.assert_close(waveform, read(path, 16_000))


def test_perturbations_depend_on_seed_epoch_and_id_alone(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 4000, 4400, 5000)
    noisy = dataset(manifest, perturbations=NOISY, seed=1)
    alone, together = noisy[Request(2, (1,))], noisy[Request(2, (2, 1, 0))]
    count = int(alone.waveform_lengths)
    assert int(together.waveform_lengths[1]) == count
    assert torch.equal(together.waveforms[1, :count], alone.waveforms[0])
    others = (
        dataset(manifest, perturbations=NOISY, seed=2)[Request(2, (1,))],
        noisy[Request(3, (1,))],
    )
    for other in others:
        assert not torch.equal(other.waveforms[:, :3000], alone.waveforms[:, :3000])


def test_unperturbed_epochs_are_equal(tmp_path: Path) -> None:
    plain = dataset(write_corpus(tmp_path, 1600, 3200))
    assert torch.equal(plain[Request(0, (0, 1))].waveforms, plain[Request(5, (0, 1))].waveforms)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("rate_hz", [16_000, 11_025])
def test_cache_changes_nothing_but_the_reading(tmp_path: Path, suffix: str, rate_hz: int) -> None:
    manifest = write_corpus(tmp_path, 1601, 3200, 2400, suffix=suffix, rate_hz=rate_hz)
    fresh, cached = dataset(manifest), dataset(manifest, cache_audio_mb=1)
    first = cached[Request(0, (0, 1, 2))]
    for path in manifest.parent.glob(f"*.{suffix}"):
        path.rename(path.with_suffix(".gone"))
    again = cached[Request(1, (0, 1, 2))]
    again.waveforms[0] = 9.0  # a batch is the reader's own
    for batch in (first, cached[Request(2, (0, 1, 2))]):
        assert torch.equal(batch.waveform_lengths, again.waveform_lengths)
        assert torch.equal(batch.waveforms[1:], again.waveforms[1:])
        assert float(batch.waveforms.abs().max()) < 1.0
    with pytest.raises(LasasrError, match="is missing"):
        fresh[Request(1, (0,))]


def test_cache_keeps_to_its_budget(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 16_000, 16_000, 16_000)
    cached = dataset(manifest, cache_audio_mb=2 * 16_001 * 4 / 2**20)
    cached[Request(0, (0, 1, 2))]
    for path in manifest.parent.glob("*.wav"):
        path.unlink()
    assert cached[Request(0, (0, 1))].ids == ("u0", "u1")
    with pytest.raises(LasasrError, match="u2"):
        cached[Request(0, (2,))]


def test_character_outside_the_vocabulary_is_named_with_its_utterance(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 16_000)
    manifest = write_manifest(tmp_path, [cut(tmp_path / "a.wav", "fine", "a b"), cut(tmp_path / "a.wav", "odd", "a ß")])
    with pytest.raises(LasasrError, match=r"train\.jsonl\.gz: utterance odd: character 'ß' is outside the vocabulary"):
        dataset(manifest)


def test_what_is_only_scored_keeps_its_text_and_the_tokens_of_the_rest(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 16_000)
    texts = ("a b", "a \u00dfb", "\u00df")
    manifest = write_manifest(tmp_path, [cut(tmp_path / "a.wav", f"u{n}", text) for n, text in enumerate(texts)])
    tokenizer = CharacterTokenizer.train(["a b"])
    batch = SpeechDataset(read_manifest(manifest, str), tokenizer, trained_on=False)[Request(0, (0, 1, 2))]
    assert batch.texts == texts
    assert batch.token_lengths.tolist() == [3, 3, 0]
    assert batch.tokens[0].tolist() == batch.tokens[1].tolist() == tokenizer.encode("a b")


def broken(manifest: Path) -> str:
    with pytest.raises(LasasrError) as caught:
        dataset(manifest)[Request(0, (0, 1))]
    message = str(caught.value)
    assert message.startswith(f"utterance u1: {manifest.parent}/u1.wav ")
    assert "\n" not in message
    return message


def test_broken_audio_is_named_with_its_utterance(tmp_path: Path) -> None:
    manifest, path = write_corpus(tmp_path, 1600, 1600), tmp_path / "u1.wav"
    samples = np.zeros(1600, dtype=np.float32)
    samples[800] = np.nan
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    assert "NaN or infinite samples, the first at 0.050 s" in broken(manifest)
    soundfile.write(path, samples[:0], 16_000)
    assert "holds no audio" in broken(manifest)
    path.write_text("this is no audio")
    assert "cannot be read" in broken(manifest)
    path.unlink()
    assert "is missing" in broken(manifest)


def test_audio_that_does_not_match_its_manifest_is_refused(tmp_path: Path) -> None:
    manifest, path = write_corpus(tmp_path, 1600, 1600), tmp_path / "u1.wav"
    soundfile.write(path, np.zeros(1008), 16_000)
    assert "ends 0.037 s before its manifest says" in broken(manifest)
    soundfile.write(path, np.zeros(1600), 8000)
    assert "1 channels at 8000 Hz, its manifest says 1 at 16000 Hz" in broken(manifest)
    soundfile.write(path, np.zeros((1600, 2)), 16_000)
    assert "2 channels" in broken(manifest)
    soundfile.write(path, np.zeros(1590), 16_000)  # a rounded time
    assert dataset(manifest)[Request(0, (1,))].waveform_lengths.tolist() == [1590]


def test_part_of_a_file_and_one_channel_of_two(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "long.wav"
    soundfile.write(path, random.uniform(-0.5, 0.5, (16_000, 2)), 16_000)
    whole = cut(path, "long", "a")
    part = MonoCut("part", 0.25, 0.5, 1, supervisions=whole.supervisions, recording=whole.recording)
    expected = soundfile.read(path, dtype="float32")[0][4000:12_000, 1]
    waveform = dataset(write_manifest(tmp_path, [part])).waveform(0)
    assert torch.equal(waveform, torch.from_numpy(np.ascontiguousarray(expected)))


def test_what_only_lhotse_can_read_is_read_by_lhotse(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path, 1600, 2400)
    first, second = CutSet.from_file(manifest)
    joined = first.append(second).with_id("joined")
    joined.tracks[1].cut.supervisions = []
    waveform = dataset(write_manifest(tmp_path, [joined])).waveform(0)
    expected = [soundfile.read(tmp_path / f"u{number}.wav", dtype="float32")[0] for number in (0, 1)]
    np.testing.assert_allclose(waveform, np.concatenate(expected), atol=1e-6)
    for path in tmp_path.glob("*.wav"):
        path.unlink()
    with pytest.raises(LasasrError, match=r"utterance joined: .*u0\.wav is missing; put it back, or delete") as caught:
        dataset(write_manifest(tmp_path, [joined])).waveform(0)
    assert "\n" not in str(caught.value)


def test_threads_change_nothing(tmp_path: Path) -> None:
    noisy = dataset(write_corpus(tmp_path, 1600, 900), perturbations=(SpeedPerturb([0.9]),))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        waveforms = noisy[Request(0, (0, 1))].waveforms
        torch.set_num_threads(4)
        assert torch.equal(noisy[Request(0, (0, 1))].waveforms, waveforms)
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(threads)
