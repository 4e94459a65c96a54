"""Files that end before their end or hold two recordings; streams whose headers were never completed."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lasasr.audio import containers
from lasasr.audio.blocks import blocks, duration_s
from lasasr.audio.read import read
from lasasr.corpora.audio_files import size
from lasasr.errors import LasasrError

RATE = 16_000


def tone(seconds: float = 2.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 220 * np.arange(int(seconds * RATE)) / RATE)


def written(folder: Path, name: str) -> bytes:
    subtype = {"opus": "OPUS", "float.wav": "FLOAT"}.get(name.split(".", 1)[1])
    path = folder / f"whole-{name}"
    kind = "OGG" if name.endswith(("ogg", "opus")) else None
    soundfile.write(path, tone(), RATE, subtype, format=kind)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["a.ogg", "a.opus", "a.mp3", "a.flac", "a.wav", "a.aiff"])
def test_whole_files_pass(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(written(tmp_path, name))
    containers.check(path, str(path))
    containers.check(path.read_bytes(), str(path))
    assert abs(len(read(path, RATE)) - 2 * RATE) < 2_500  # MP3 adds some


@pytest.mark.parametrize("name", ["a.ogg", "a.opus", "a.mp3", "a.flac"])
@pytest.mark.parametrize("share", [0.5, 0.73])
def test_a_part_of_a_file_is_refused_by_name(tmp_path: Path, name: str, share: float) -> None:
    content = written(tmp_path, name)
    path = tmp_path / name
    path.write_bytes(content[: int(share * len(content))])
    for use in (lambda: duration_s(path) and read(path, RATE), lambda: duration_s(path) and list(blocks(path, RATE))):
        with pytest.raises(LasasrError, match=name) as caught:
            use()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.ogg", "a.opus", "a.mp3", "a.flac", "a.wav"])
def test_a_second_recording_behind_the_first_is_said(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(2 * written(tmp_path, name))
    for use in (duration_s, size):
        with pytest.raises(LasasrError, match=rf"{name} holds a second recording behind the first"):
            use(path)


def wav(riff: int, data: int, samples: np.ndarray, before: bytes = b"") -> bytes:
    form = struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    content = (samples * 32767).astype("<i2").tobytes()
    head = b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + form + before
    return head + b"data" + struct.pack("<I", data) + content


@pytest.mark.parametrize("riff", [0, 8, 36, 0x7FFFF024, 0xFFFFFFFF])
@pytest.mark.parametrize("data", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_streams_are_as_long_as_they_are(tmp_path: Path, riff: int, data: int) -> None:
    path = tmp_path / "stream.wav"
    listed = b"LIST" + struct.pack("<I", 4) + b"INFO" if riff == 36 else b""
    path.write_bytes(wav(riff, data, tone(), listed))
    expected = (tone() * 32767).astype(np.int16) / np.float32(32768)
    np.testing.assert_array_equal(read(path, RATE), expected.astype(np.float32))
    assert size(path).samples == 2 * RATE
    assert duration_s(path) == 2.0


def test_a_file_that_says_that_it_is_empty_is(tmp_path: Path) -> None:
    path = tmp_path / "closed.wav"
    content = wav(0, 0, tone(0))
    more = b"LIST" + struct.pack("<I", 4) + b"INFO"
    whole = content + more
    path.write_bytes(whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:])
    with pytest.raises(LasasrError, match="holds no audio"):
        read(path, RATE)


def unknown_length(folder: Path) -> Path:
    """FLAC as an encoder writes it into a pipe: its header says 0 samples, which means unknown."""
    content = bytearray(written(folder, "a.flac"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    (folder / "stream.flac").write_bytes(content)
    return folder / "stream.flac"


def test_flac_of_unknown_length_is_counted(tmp_path: Path) -> None:
    path = unknown_length(tmp_path)
    assert soundfile.info(path).frames > 1 << 62
    assert duration_s(path) == 2.0
    assert size(path).samples == 2 * RATE
    expected = soundfile.read(tmp_path / "whole-a.flac", dtype="float32")[0]
    np.testing.assert_array_equal(read(path, RATE), expected)
    np.testing.assert_array_equal(np.concatenate(list(blocks(path, RATE, 2))), expected)


def test_a_flac_header_that_promises_a_month_is_refused(tmp_path: Path) -> None:
    content = bytearray(written(tmp_path, "a.flac"))
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    path = tmp_path / "month.flac"
    path.write_bytes(content)
    with pytest.raises(LasasrError, match=r"month\.flac claims 4,294,967 s of audio; lasasr reads .* up to 7 days"):
        read(path, RATE)


@pytest.mark.parametrize("rate", [1, 999, 384_001, 2_000_000_000])
def test_rates_beyond_the_limits_are_refused(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    content = bytearray(written(tmp_path, "a.wav"))
    content[24:28] = struct.pack("<I", rate)
    path.write_bytes(content)
    for use in (lambda: read(path, RATE), lambda: size(path), lambda: list(blocks(path, RATE))):
        with pytest.raises(LasasrError, match=rf"a\.wav has a sampling rate of {rate:,} Hz; lasasr reads 1,000 to"):
            use()


def test_what_cannot_be_sought_in_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "gsm.wav"
    soundfile.write(path, tone(), 8_000, "GSM610")
    whole = read(path, 8_000)
    assert len(whole) > 3 * 8_000
    from lasasr.audio.read import decoded, opened

    with opened(path) as file:
        file.go_to(1_000)
        np.testing.assert_array_equal(decoded(file, 500)[0], whole[1_000:1_500])


def test_a_wav_file_that_was_not_copied_whole_is_refused(tmp_path: Path) -> None:
    content = wav(36 + 4 * RATE, 4 * RATE, tone())
    path = tmp_path / "copied.wav"
    for share in (0.3, 0.95):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(LasasrError, match=r"copied\.wav is cut off: .* of 64,000 bytes of samples are there"):
            duration_s(path)
    path.write_bytes(content[:-1])  # a last sample that is not whole
    assert size(path).samples == 2 * RATE - 1
