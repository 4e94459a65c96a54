"""What the page answers: what `transcribe` says, of every run, with nothing to be fetched and no markup of others."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from app_examples import noise, recognizer
from PIL import Image

from lasasr.app import systems
from lasasr.app.desk import Desk
from lasasr.app.systems import System
from lasasr.errors import UsageError
from lasasr.metrics.confidence import Logistic
from lasasr.search.confidence import FEATURES


class Page(HTMLParser):
    """Text, tags and attributes of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def pictures(self) -> list[Image.Image]:
        sources = [str(attributes["src"]) for attributes in self.named("img")]
        assert all(source.startswith("data:image/png;base64,") for source in sources)
        return [Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) for source in sources]


def desk(folder: Path, shown: Sequence[System], **options) -> Desk:
    (folder / "uploads").mkdir()
    return Desk(shown, folder / "uploads", 3, 0.0, **options)


def upload(desk: Desk, seconds: float = 1.0, name: str = "voice.wav") -> str:
    place = desk.uploads / "0123"
    place.mkdir()
    return str(noise(place / name, seconds))


def test_runs_side_by_side_say_what_transcribe_says(tmp_path: Path) -> None:
    shown = [System("a", recognizer()), System("b", recognizer(beam=True)), System("c", recognizer(ctc_weight=1.0))]
    at = desk(tmp_path, shown)
    expected = [system.recognizer.transcribe(noise(tmp_path / "same.wav"))[0] for system in shown]
    html, recording = at.receive(upload(at), "")
    page = Page(html)
    assert recording is not None
    assert len(page.named("section")) == 3
    for best in expected:
        assert best.text in page.texts
        assert all(f"{word.start_s:.2f}" in page.texts for word in best.words)
    assert len(page.pictures()) == 2
    assert any("a CTC head alone has no attention to draw" in text for text in page.texts)
    assert "the 3 best, with their scores" in page.texts
    assert at.answer(recording, "").count("<section>") == 3  # its file is gone, and the session has it
    assert list(at.uploads.iterdir()) == []


def test_words_are_shaded_by_their_confidence(tmp_path: Path) -> None:
    calibrated = recognizer()
    calibrated.calibration = Logistic(-1.0, dict.fromkeys(FEATURES, 0.0))  # 0.27 of every word
    at = desk(tmp_path, [System("a", calibrated)])
    marks = Page(at.receive(upload(at), "")[0]).named("mark")
    (best,) = calibrated.transcribe(noise(tmp_path / "same.wav"))
    assert len(marks) == len(best.words) > 0
    assert all(mark["style"] == "--doubt:73%" and mark["class"] == "unsure" for mark in marks)


def test_long_audio_is_drawn_piece_by_piece(tmp_path: Path) -> None:
    at = desk(tmp_path, [System("a", recognizer(longest_s=1.0))])
    page = Page(at.receive(upload(at, 7.0), "")[0])
    assert len(page.pictures()) == 4
    assert any("attention maps of the first 4" in text for text in page.texts)


def test_silence_around_speech_is_left_out_and_said(tmp_path: Path) -> None:
    samples, rate = soundfile.read(noise(tmp_path / "voice.wav"), dtype="float32")
    at = desk(tmp_path, [System("a", recognizer())])
    alone = Page(at.receive(upload(at), "")[0])
    muted = np.zeros(rate // 2, np.float32)
    soundfile.write(tmp_path / "uploads" / "muted.wav", np.concatenate([muted, samples, muted]), rate)
    page = Page(at.receive(str(tmp_path / "uploads" / "muted.wav"), "")[0])
    assert any("silence at the ends left out" in text for text in page.texts)
    assert any("0.5 to 1.5 s" in text for text in page.texts)
    assert len(page.pictures()) == 1
    assert page.texts[2] == alone.texts[2] != ""


def test_hot_words_are_scored_or_refused_run_by_run(tmp_path: Path) -> None:
    at = desk(tmp_path, [System("greedy", recognizer()), System("beam", recognizer(beam=True))])
    _, recording = at.receive(upload(at), "")
    page = Page(at.answer(recording, "AB\t30"))
    assert "the list of hot words needs a beam search: add search=beam or search=beam_ctc" in page.texts
    assert any(" ab " in f" {text} " for text in page.texts)
    odd = Page(at.answer(recording, "zebra"))
    assert any("'zebra'" in text and "no token has 'z'" in text for text in odd.texts), odd.texts
    assert any("boost 'x' of 'ab' is not a number" in text for text in Page(at.answer(recording, "ab\tx")).texts)
    assert any("nothing is left of it" in text for text in Page(at.answer(recording, "?!")).texts)


def test_there_is_nothing_without_a_recording(tmp_path: Path) -> None:
    at = desk(tmp_path, [System("a", recognizer())])
    assert at.receive(None, "") == ("", None)
    assert "there is no recording yet" in at.answer(None, "")


def test_names_are_no_markup(tmp_path: Path) -> None:
    at = desk(tmp_path, [System("<script>x</script>", recognizer())])
    page = Page(at.receive(upload(at, name="<img onerror=x>\u202e.wav"), "")[0])
    assert page.named("script") == []
    assert {tag for tag, attributes in page.tags if "onerror" in attributes} == set()
    assert "<script>x</script>" in page.texts
    assert "\u202e" not in "".join(page.texts)


def test_what_is_to_be_kept_is(tmp_path: Path) -> None:
    at = desk(tmp_path, [System("a", recognizer()), System("b", recognizer(beam=True))], keep=tmp_path / "kept")
    sent = upload(at)
    content = Path(sent).read_bytes()
    at.receive(sent, "")
    (audio,) = (tmp_path / "kept").glob("*-voice.wav")
    assert audio.read_bytes() == content
    lines = [json.loads(line) for line in audio.with_name(f"{audio.name}.jsonl").read_text().splitlines()]
    assert [line["run"] for line in lines] == ["a", "b"]
    assert all(line["id"] == "voice" and line["text"] and line["words"] for line in lines)


def test_runs_are_called_by_what_tells_them_apart(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("x/runs/dot-s1/bundle", "y/runs/dot-s1/bundle", "exported")]
    assert systems.names(folders) == ["x/runs/dot-s1", "y/runs/dot-s1", "exported"]
    recognizer().save(tmp_path / "exported")
    with pytest.raises(UsageError, match="is named twice"):
        systems.load([str(tmp_path / "exported"), f"{tmp_path}/./exported"], "cpu")
    with pytest.raises(UsageError, match="7 runs are named, and the page has place for 6"):
        systems.load(["x"] * 7, "cpu")
