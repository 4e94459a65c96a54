"""What is sent to the page: read or refused by its name, and in any case not left on disk."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from app_examples import noise

from lasasr.app.recording import MOST_BYTES, taken
from lasasr.errors import LasasrError


def uploaded(folder: Path, name: str) -> Path:
    """Where a browser's file of this name lies: in a folder of its own."""
    place = folder / "0123abcd"
    place.mkdir(parents=True)
    return place / name


def test_a_recording_is_in_memory_and_its_file_is_gone(tmp_path: Path) -> None:
    path = noise(uploaded(tmp_path, "voice.wav"), 1.5)
    expected, rate = soundfile.read(path, dtype="float32")
    recording = taken(path, tmp_path, 0.0)
    assert list(tmp_path.iterdir()) == []
    assert (recording.name, recording.duration_s) == ("voice.wav", 1.5)
    np.testing.assert_array_equal(recording.audio().waveform(rate).numpy(), expected)


def long(path: Path) -> None:
    soundfile.write(path, np.zeros(31 * 60 * 1000, dtype=np.int16), 1000)


def large(path: Path) -> None:
    path.touch()
    os.truncate(path, MOST_BYTES + 100_000)  # a hole: it takes no place


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (long, "talk.wav lasts 31.0 minutes, more than 30 (lasasr transcribe takes audio of any length)"),
        (large, "talk.wav has 100.1 MB, more than 100 (lasasr transcribe takes audio of any length)"),
        (lambda path: path.touch(), "talk.wav is empty"),
        (lambda path: path.write_text("this is no audio"), "talk.wav cannot be read as audio"),
        (lambda path: None, "talk.wav is not here any more; record or drop it again"),
    ],
)
def test_what_cannot_be_used_is_named_without_its_folder_and_removed(write, message: str, tmp_path: Path) -> None:
    path = uploaded(tmp_path, "talk.wav")
    write(path)
    with pytest.raises(LasasrError) as caught:
        taken(path, tmp_path, 0.0)
    assert str(caught.value).startswith(message)
    assert str(tmp_path) not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_outside_the_folder_of_uploads_is_removed(tmp_path: Path) -> None:
    own = noise(tmp_path / "own.wav")
    (tmp_path / "uploads").mkdir()
    assert taken(own, tmp_path / "uploads", 0.0).duration_s == 1.0
    assert own.exists()


def test_a_file_stays_until_the_player_has_it_and_one_that_was_sent_again_is_another(tmp_path: Path) -> None:
    path = noise(uploaded(tmp_path, "voice.wav"))
    taken(path, tmp_path, 0.2)
    assert path.exists()
    again = noise(tmp_path / "again.wav")
    again.replace(path)
    time.sleep(0.4)
    assert path.exists()
    taken(path, tmp_path, 0.1)
    time.sleep(0.3)
    assert not path.parent.exists()
