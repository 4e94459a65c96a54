"""The collection of odd files beside the project, where it is there: each is read, or refused in a line."""

from pathlib import Path

import pytest

from lasasr.audio.blocks import duration_s
from lasasr.audio.inputs import FileInput
from lasasr.audio.silence import holds_nothing
from lasasr.errors import LasasrError

CASES = next((path for path in (Path("../shared/cases"), Path("/work/shared/cases")) if path.is_dir()), Path("absent"))
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="no collection of odd files")
REFUSED = {
    "empty.wav": "holds no audio",
    "html.wav": "cannot be read as audio",
    "m4a.m4a": "cannot be read as audio",
    "webm.webm": "cannot be read as audio",
    "zero_bytes.wav": "is empty",
    "mp3_cut.mp3": "cut off",
    "ogg_cut.ogg": "cut off",
    "mp3_twice.mp3": "second recording",
    "ogg_twice.ogg": "second recording",
    "odd_rate_96001.wav": "cut off",
    "antiphase.wav": "cancel each other out",
    "nan.wav": "NaN or infinite samples, the first at",
}


@pytest.mark.parametrize("path", sorted((CASES / "audio").glob("*")), ids=lambda path: path.name)
def test_each_is_read_or_refused_by_name(path: Path) -> None:
    entry = FileInput(path)
    if path.name in REFUSED:
        with pytest.raises(LasasrError, match=REFUSED[path.name]) as caught:
            assert entry.duration_s() < 0.0 or entry.waveform(16_000) is None
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    waveform = entry.waveform(16_000)
    assert abs(len(waveform) / 16_000 - duration_s(path)) < 1e-3
    assert holds_nothing(waveform, 16_000) == (path.name in ("silence.wav", "one_sample.wav"))
