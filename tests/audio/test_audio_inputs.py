"""Arrays, tensors, file objects, paths and folders: the same waveform, or the same refusal, as of the file."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from lasasr.audio.inputs import inputs
from lasasr.audio.read import read
from lasasr.errors import LasasrError, UsageError

RATE = 16_000
SAMPLES = np.random.default_rng(0).integers(-20_000, 20_000, 8_000, dtype=np.int16)
FLOATS = (SAMPLES / np.float32(32768)).astype(np.float32)


@pytest.mark.parametrize(
    "audio",
    [
        SAMPLES,
        FLOATS,
        FLOATS.astype(np.float64),
        FLOATS[None],
        FLOATS[:, None],
        SAMPLES.astype(np.int32) << 16,
        torch.from_numpy(FLOATS),
        torch.from_numpy(FLOATS)[None],
        torch.from_numpy(FLOATS).double().requires_grad_(),
        torch.from_numpy(SAMPLES),
    ],
)
def test_samples_are_those_of_the_file(audio: np.ndarray | torch.Tensor, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", SAMPLES, RATE)
    for rate in (RATE, 8_000):
        (entry,) = inputs(audio, RATE)
        assert entry.duration_s() == 0.5
        assert torch.equal(entry.waveform(rate), read(tmp_path / "a.flac", rate))
        assert torch.equal(torch.cat(list(entry.blocks(rate))), entry.waveform(rate))


def test_eight_bits_are_unsigned_and_half_precision_is_taken() -> None:
    (entry,) = inputs(np.array([0, 128, 255], dtype=np.uint8), RATE)
    assert entry.waveform(RATE).tolist() == [-1.0, 0.0, 127 / 128]
    (entry,) = inputs(torch.tensor([0.5, -0.25], dtype=torch.bfloat16), RATE)
    assert entry.waveform(RATE).tolist() == [0.5, -0.25]


def test_a_rate_is_that_of_samples_and_files_have_their_own(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", SAMPLES, 8_000)
    of_array, of_file = inputs([SAMPLES, tmp_path / "a.wav"], RATE, sample_rate_hz=8_000)
    assert torch.equal(of_array.waveform(RATE), of_file.waveform(RATE))
    with pytest.raises(UsageError, match="sample_rate_hz=8000 is for arrays and tensors"):
        inputs(tmp_path / "a.wav", RATE, sample_rate_hz=8_000)
    for wrong in (0, -1, 16_000.5, True, "16000", 1 << 31):
        with pytest.raises(UsageError, match="sample_rate_hz must be a whole number from 1,000 to 384,000"):
            inputs(SAMPLES, RATE, sample_rate_hz=wrong)  # type: ignore[arg-type]


def test_paths_folders_and_file_objects(tmp_path: Path) -> None:
    for name in ("b.wav", "a.flac", "c/d.ogg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, SAMPLES, RATE)
    (tmp_path / "notes.txt").write_text("not audio")
    names = [entry.name for entry in inputs(tmp_path, RATE)]
    assert names == [str(tmp_path / name) for name in ("a.flac", "b.wav", "c/d.ogg")]
    with (tmp_path / "b.wav").open("rb") as file:
        of_file, of_bytes, of_text = inputs(
            (entry for entry in (file, io.BytesIO((tmp_path / "a.flac").read_bytes()), str(tmp_path / "b.wav"))), RATE
        )
    assert of_file.name == of_text.name
    expected = read(tmp_path / "b.wav", RATE)
    for entry in (of_file, of_bytes, of_text):
        assert torch.equal(entry.waveform(RATE), expected)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LasasrError, match="empty holds no audio file"):
        inputs(tmp_path / "empty", RATE)


def with_nan(at: int) -> np.ndarray:
    samples = FLOATS.copy()
    samples[at] = np.nan
    return samples


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (with_nan(4_000), r"audio\[1\] holds NaN or infinite samples, the first at 0\.250 s"),
        (torch.from_numpy(with_nan(6_000)), r"audio\[1\] holds NaN or infinite samples, the first at 0\.375 s"),
        (np.full(100, 1e300), r"audio\[1\] holds NaN or infinite samples, the first at 0\.000 s"),
        (np.zeros(0), r"audio\[1\] holds no audio"),
        (np.zeros((2, 8_000)), r"audio\[1\] has shape \(2, 8000\): give \(S,\) or \(1, S\)"),
        (np.zeros((1, 1, 8)), r"audio\[1\] has shape \(1, 1, 8\)"),
        (np.float32(0.5), r"audio\[1\] is a float32"),
        (torch.tensor(0.5), r"audio\[1\] has shape \(\)"),
        (np.zeros(8, dtype=np.int64), r"audio\[1\] holds int64, not floating point"),
        (np.zeros(8, dtype=bool), r"audio\[1\] holds bool"),
        (np.zeros(8, dtype=complex), r"audio\[1\] holds complex128"),
        (np.array(["a", "b"]), r"audio\[1\] holds <U1"),
        (torch.zeros(8, device="meta"), r"audio\[1\] is no tensor of samples"),
        (17, r"audio\[1\] is a int, not a path"),
        (None, r"audio\[1\] is a NoneType"),
        (io.StringIO("text"), r"audio\[1\] is a file of text"),
        (io.BytesIO(b"text"), r"audio\[1\] cannot be read as audio"),
        (io.BytesIO(b""), r"audio\[1\] is empty"),
        (b"RIFF", r"audio\[1\] is a bytes, .*; give io\.BytesIO"),
    ],
)
def test_what_is_wrong_is_named_and_the_others_are_usable(audio: object, message: str) -> None:
    good, bad = inputs([FLOATS, audio], RATE)  # type: ignore[list-item]
    assert len(good.waveform(RATE)) == 8_000
    for use in (bad.duration_s, lambda: bad.waveform(RATE), lambda: list(bad.blocks(RATE))):
        with pytest.raises(LasasrError, match=message) as caught:
            use()
        assert "\n" not in str(caught.value)


def test_bytes_are_one_thing_and_no_list_of_numbers() -> None:
    (bad,) = inputs(b"RIFF", RATE)  # type: ignore[arg-type]
    with pytest.raises(LasasrError, match=r"audio\[0\] is a bytes"):
        bad.duration_s()


def test_a_part_of_a_file_object_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.ogg", SAMPLES, RATE)
    content = (tmp_path / "a.ogg").read_bytes()
    for part, message in ((content[: len(content) // 2], "cut off"), (2 * content, "second recording")):
        (entry,) = inputs(io.BytesIO(part), RATE)
        with pytest.raises(LasasrError, match=message):
            entry.waveform(RATE)
