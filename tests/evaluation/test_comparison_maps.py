"""Maps of the page are those of what was scored: decoded again, or left out and said so."""

import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from PIL import Image

from lasasr.comparison.entries import DecodedRun, find
from lasasr.comparison.grouping import SystemRuns
from lasasr.evaluation.comparison_maps import Drawn, draw
from lasasr.models.recognizer import Recognizer
from lasasr.search.hypothesis import Hypothesis

pytestmark = pytest.mark.slow


@pytest.fixture
def entry(tiny_run: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> DecodedRun:
    monkeypatch.chdir(workplace)
    return find([tiny_run]).runs[0]


def drawn(entry: DecodedRun, audio: bool = False) -> Drawn:
    ids = [line["id"] for line in entry.lines][:2]
    return draw([SystemRuns("one", (entry,))], "test", ids, audio, lambda task, done, total: None)


def content(address: str) -> io.BytesIO:
    return io.BytesIO(base64.b64decode(address.partition(",")[2]))


def test_maps_and_sound_cover_the_utterance(entry: DecodedRun) -> None:
    found = drawn(entry, audio=True)
    assert found.notes == []
    for line in entry.lines[:2]:
        one = found.maps[line["id"]]
        assert one["duration_s"] == pytest.approx(line["duration_s"], abs=0.05)
        map_ = one["maps"]["one 1"]
        assert Image.open(content(map_["image"])).height == map_["tokens"] + 1  # and eos
        assert map_["begin_s"] < 0.1
        assert map_["end_s"] == pytest.approx(one["duration_s"], abs=0.1)
        assert soundfile.info(content(one["audio"])).duration == pytest.approx(line["duration_s"], abs=1e-3)


def test_uniform_weights_are_pale(entry: DecodedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    recognize = Recognizer.recognize

    def uniform(*arguments: Any) -> list[list[Hypothesis]]:
        (best, *_), *_ = recognize(*arguments)
        assert best.weights is not None
        return [[replace(best, weights=torch.full_like(best.weights, 0.02))]]

    monkeypatch.setattr(Recognizer, "recognize", uniform)
    found = drawn(entry)
    maps = [map_ for one in found.maps.values() for map_ in one["maps"].values()]
    assert maps
    for map_ in maps:
        assert map_["darkest"] == 0.2
        grey = Image.open(content(map_["image"])).convert("L")
        assert min(grey.get_flattened_data()) > 0.8 * 255


def test_another_text_than_was_scored_has_no_map(entry: DecodedRun) -> None:
    lines = [{**line, "hypothesis": "nobody would decode this"} for line in entry.lines]
    found = drawn(replace(entry, lines=lines))
    assert not any(one["maps"] for one in found.maps.values())
    assert found.notes == ["2 maps of one 1 are left out: decoded again, the text is another."]


def test_a_damaged_bundle_is_said(entry: DecodedRun, tmp_path: Path) -> None:
    assert entry.folder is not None
    copy = tmp_path / "run"
    copy.mkdir()
    for name in ("config.yaml", "card.json"):
        (copy / name).write_bytes((entry.folder / name).read_bytes())
    found = drawn(replace(entry, folder=copy))
    assert found.maps == {}
    (note,) = found.notes
    assert note.startswith("No maps of one: ")


def test_a_corpus_that_is_not_there_is_not_made(entry: DecodedRun, tmp_path: Path) -> None:
    assert entry.folder is not None
    copy = tmp_path / "run"
    copy.mkdir()
    config = (entry.folder / "config.yaml").read_text()
    moved = [one for one in config.split("\n") if not one.startswith("prepared_dir")]
    moved.append(f"prepared_dir: {tmp_path / 'none'}")
    (copy / "config.yaml").write_text("\n".join(moved))
    (copy / "card.json").write_bytes((entry.folder / "card.json").read_bytes())
    found = drawn(replace(entry, folder=copy))
    assert "the corpus is not prepared here" in found.notes[0]
    assert not (tmp_path / "none").exists()
