from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from data_corpus import cut, write_manifest
from lhotse.supervision import AlignmentItem

from lasasr.data.times import read_times
from lasasr.errors import LasasrError
from lasasr.text import transcript
from lasasr.text.timit import GLOTTAL_STOP


def spoken(folder: Path, name: str, text: str, kind: str = "word", **times: Any) -> Any:
    path = folder / f"{name}.wav"
    soundfile.write(path, np.zeros(16_000), 16_000)
    items = [AlignmentItem(label, start_s, end_s - start_s) for label, (start_s, end_s) in times.items()]
    return cut(path, name, text, alignment={kind: items} if items else None)


def test_what_the_cuts_know_comes_back_under_the_transcript_rule(tmp_path: Path) -> None:
    cuts = [
        spoken(tmp_path, "known", "Hello, World!", Hello=(0.1, 0.35), **{"World!": (0.4, 0.9)}),
        spoken(tmp_path, "unknown", "hello"),
        spoken(tmp_path, "of_another_text", "hello world", hello=(0.1, 0.3)),
        spoken(tmp_path, "late", "hello", hello=(0.8, 1.3)),
        spoken(tmp_path, "phones", "hello", "phone", h=(0.1, 0.2)),
    ]
    times = read_times(write_manifest(tmp_path, cuts), "word", transcript.rule("english"))
    assert set(times) == {"known"}
    assert times["known"] == (("hello", 0.1, pytest.approx(0.35)), ("world", 0.4, pytest.approx(0.9)))


def test_a_later_beginning_of_the_cut_moves_the_times_along(tmp_path: Path) -> None:
    whole = spoken(tmp_path, "whole", "hello world", hello=(0.5, 0.7), world=(0.7, 0.9))
    part = whole.truncate(offset=0.25, keep_excessive_supervisions=True)
    times = read_times(write_manifest(tmp_path, [part]), "word", transcript.rule("english"))
    assert next(iter(times.values()))[0][1:] == pytest.approx((0.25, 0.45))


def test_phones_are_folded_and_deleted_as_in_the_transcript(tmp_path: Path) -> None:
    labels = {"h#": (0.0, 0.1), GLOTTAL_STOP: (0.1, 0.2), "ix": (0.2, 0.3)}
    spoken_cut = spoken(tmp_path, "one", f"h# {GLOTTAL_STOP} ix", "phone", **labels)
    times = read_times(write_manifest(tmp_path, [spoken_cut]), "phone", transcript.rule("timit39"))["one"]
    assert [label for label, _, _ in times] == transcript.rule("timit39")(f"h# {GLOTTAL_STOP} ix").split()
    assert times[-1][1:] == pytest.approx((0.2, 0.3))


def test_labels_that_the_rule_refuses_are_no_truth(tmp_path: Path) -> None:
    spoken_cut = spoken(tmp_path, "one", "aa", "phone", nonsense=(0.0, 0.1))
    assert read_times(write_manifest(tmp_path, [spoken_cut]), "phone", transcript.rule("timit39")) == {}


def test_a_damaged_alignment_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cuts.jsonl"
    path.write_text(
        '{"type": "MonoCut", "id": "one", "duration": 1.0, "recording": {}, '
        '"supervisions": [{"text": "a", "alignment": {"word": [["a", "soon", 0.1]]}}]}\n'
    )
    with pytest.raises(LasasrError, match=r"cuts.jsonl: utterance one has an alignment"):
        read_times(path, "word", transcript.rule("english"))
