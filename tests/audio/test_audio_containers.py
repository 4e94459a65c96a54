"""Files that end before their end or hold two recordings; streams whose headers were never completed."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lasasr.audio import chunks, containers, mpeg_frames
from lasasr.audio.blocks import blocks, duration_s
from lasasr.audio.inputs import inputs
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


SIZED = {"aiff": "AIFF", "caf": "CAF", "w64": "W64", "rf64": "RF64", "au": "AU"}


@pytest.mark.parametrize("suffix", SIZED)
def test_other_formats_that_were_not_copied_whole_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"copied.{suffix}"
    soundfile.write(path, tone(), RATE, "PCM_16", format=SIZED[suffix])
    content = path.read_bytes()
    assert size(path).samples == 2 * RATE
    assert duration_s(path) == 2.0
    for share in (0.3, 0.5, 0.97):
        path.write_bytes(content[: int(share * len(content))])
        for use in (duration_s, size, lambda path: inputs(path.open("rb"), RATE)[0].duration_s()):
            with pytest.raises(LasasrError, match=rf"copied\.{suffix} "):
                use(path)


@pytest.mark.parametrize("suffix", SIZED)
@pytest.mark.parametrize("width", ["PCM_24", "FLOAT"])
def test_samples_begin_where_a_header_says(tmp_path: Path, suffix: str, width: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(), RATE, width, format=SIZED[suffix])
    with path.open("rb") as file:
        found = chunks.samples(file)
    assert found is not None
    assert found.length_known
    assert 0 <= found.promised - 2 * RATE * (3 if width == "PCM_24" else 4) <= 8  # AIFF and CAF begin with an offset
    assert found.begin + found.promised <= path.stat().st_size


def test_a_damaged_page_of_ogg_is_said(tmp_path: Path) -> None:
    """A decoder leaves the page out: half of the recording would be gone."""
    path = tmp_path / "a.ogg"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE), RATE)
    assert duration_s(path) == 2.0
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert soundfile.info(path).duration < 1.5
    for use in (duration_s, size):
        with pytest.raises(LasasrError, match=r"a\.ogg is damaged: the checksum of the page before byte [\d,]+ is"):
            use(path)


def mp3(folder: Path) -> tuple[bytes, int]:
    """Noise, which makes a variable bit rate vary; and where its first frame tells the length."""
    random, path = np.random.default_rng(0), folder / "whole.mp3"
    loudness = np.repeat([0.001, 0.5, 0.001], RATE)
    soundfile.write(path, random.uniform(-1, 1, 3 * RATE) * loudness, RATE, format="MP3", bitrate_mode="VARIABLE")
    content = path.read_bytes()
    return content, max(content.find(b"Xing"), content.find(b"Info"))


def test_an_mp3_header_that_tells_less_than_there_is_is_refused(tmp_path: Path) -> None:
    content, at = mp3(tmp_path)
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    count = struct.unpack_from(">I", content, at + 8)[0]
    with path.open("rb") as file:
        assert mpeg_frames.frames(file, 0)[:2] == (count + 1, len(content))
    assert abs(size(path).samples - 3 * RATE) < 2_500
    path.write_bytes(content[: at + 8] + struct.pack(">I", count // 2) + content[at + 12 :])
    with pytest.raises(LasasrError, match=rf"a\.mp3 holds {count} frames, its header says {count // 2}"):
        size(path)


def test_mp3_of_variable_bit_rate_without_a_header_is_refused(tmp_path: Path) -> None:
    content, at = mp3(tmp_path)
    path = tmp_path / "a.mp3"
    path.write_bytes(content[content.find(content[:2], at) :])
    assert abs(soundfile.info(path).duration - 3) > 0.5  # what would be read of it
    with pytest.raises(LasasrError, match=r"a\.mp3 has a variable bit rate and no header that tells its length"):
        size(path)


def test_mp3_of_constant_bit_rate_needs_no_header(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mp3"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE)
    soundfile.write(whole, noise, RATE, format="MP3", compression_level=0.5, bitrate_mode="CONSTANT")
    content = whole.read_bytes()
    at = max(content.find(b"Xing"), content.find(b"Info"))
    (tmp_path / "a.mp3").write_bytes(content[content.find(content[:2], at) :])
    assert abs(size(tmp_path / "a.mp3").samples - 3 * RATE) < 2_500


def test_what_stands_behind_the_samples_of_flac_is_not_decoded(tmp_path: Path) -> None:
    """Some programs write tags of MP3 there."""
    path = tmp_path / "a.flac"
    path.write_bytes(written(tmp_path, "a.flac") + b"TAG" + bytes(range(125)))
    expected = soundfile.read(tmp_path / "whole-a.flac", dtype="float32")[0]
    np.testing.assert_array_equal(read(path, RATE), expected)
    np.testing.assert_array_equal(np.concatenate(list(blocks(path, RATE, 2))), expected)
    assert size(path).samples == 2 * RATE


def sphere_file(coding: str = "pcm", samples: int = 2 * RATE) -> bytes:
    """A SPHERE file of that many samples."""
    fields = ["channel_count -i 1", f"sample_rate -i {RATE}", "sample_n_bytes -i 2", "sample_byte_format -s2 01"]
    fields += [f"sample_count -i {2 * RATE}", f"sample_coding -s{len(coding)} {coding}", "sample_sig_bits -i 16"]
    header = "\n".join(["NIST_1A", "   1024", *fields, "end_head", ""]).encode().ljust(1024)
    return header + np.round(tone() * 32767).astype("<i2").tobytes()[: 2 * samples]


def test_sphere_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.sph"
    path.write_bytes(sphere_file())
    assert (size(path).samples, duration_s(path)) == (2 * RATE, 2.0)
    np.testing.assert_allclose(read(path, RATE), tone(), atol=1e-4)


@pytest.mark.parametrize("coding", ["pcm,embedded-shorten-v2.00", "ulaw,embedded-shorten-v2.00", "pcm,wavpack"])
def test_compressed_sphere_is_refused_with_the_way_out(tmp_path: Path, coding: str) -> None:
    path = tmp_path / "a.sph"
    path.write_bytes(sphere_file(coding, samples=RATE // 2))
    for use in (
        duration_s,
        size,
        lambda path: read(path, RATE),
        lambda path: inputs(path.open("rb"), RATE)[0].duration_s(),
    ):
        with pytest.raises(
            LasasrError, match=rf"a\.sph is SPHERE compressed as {coding.partition(',')[2]}, .*sph2pipe -f wav"
        ):
            use(path)


def test_sphere_that_was_not_copied_whole_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sph"
    path.write_bytes(sphere_file(samples=RATE))
    for use in (duration_s, size):
        with pytest.raises(LasasrError, match=r"a\.sph is cut off: 32,000 of 64,000 bytes of samples are there"):
            use(path)
    path.write_bytes(b"NIST_1A\n   1024\nno fields")
    with pytest.raises(LasasrError, match=r"a\.sph is unreadable"):
        size(path)
