"""Each format is read back by another program, or by its definition, with the same words and times."""

from __future__ import annotations

import json
import shutil
import subprocess
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest
from transcript_examples import transcript

from lasasr.corpora.rows import rows
from lasasr.errors import LasasrError
from lasasr.search.hypothesis import Hypothesis, Word
from lasasr.transcription.formats import FORMATS
from lasasr.transcription.subtitles import cues
from lasasr.transcription.textgrid import partition
from lasasr.transcription.transcript import Transcript

SEEDS = range(8)


def written(folder: Path, name: str, *transcripts: Transcript) -> Path:
    form = FORMATS[name]
    path = folder / f"file{form.suffix}"
    path.write_text(form.header + "".join(map(form.render, transcripts)), encoding="utf-8")
    return path


@pytest.mark.parametrize("seed", SEEDS)
def test_pysrt_reads_srt(seed: int, tmp_path: Path) -> None:
    pysrt = pytest.importorskip("pysrt", reason="pysrt, of the extra dev, is not installed")
    said = transcript(seed)
    items = pysrt.open(str(written(tmp_path, "srt", said)), error_handling=pysrt.ERROR_RAISE)
    expected = cues(said.hypothesis.words)
    assert [item.index for item in items] == list(range(1, len(expected) + 1))
    assert [item.text for item in items] == ["\n".join(cue.lines) for cue in expected]
    assert [item.start.ordinal for item in items] == [round(cue.start_s * 1000) for cue in expected]
    assert [item.end.ordinal for item in items] == [round(cue.end_s * 1000) for cue in expected]


@pytest.mark.parametrize("seed", SEEDS)
def test_webvtt_reads_vtt(seed: int, tmp_path: Path) -> None:
    webvtt = pytest.importorskip("webvtt", reason="webvtt-py, of the extra dev, is not installed")
    said = transcript(seed)
    captions = webvtt.read(str(written(tmp_path, "vtt", said)))
    expected = cues(said.hypothesis.words)
    assert [unescape(caption.raw_text) for caption in captions] == ["\n".join(cue.lines) for cue in expected]
    assert [caption.start_in_seconds for caption in captions] == [int(round(cue.start_s, 3)) for cue in expected]
    assert all("<" not in caption.raw_text for caption in captions)


@pytest.mark.parametrize("pieces", [0, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_praatio_reads_textgrid(seed: int, pieces: int, tmp_path: Path) -> None:
    praatio = pytest.importorskip("praatio.textgrid", reason="praatio, of the extra dev, is not installed")
    said = transcript(seed, pieces=pieces)
    read = praatio.openTextgrid(
        str(written(tmp_path, "textgrid", said)), includeEmptyIntervals=True, reportingMode="error"
    )
    assert read.tierNames == (("words", "pieces") if pieces else ("words",))
    entries = read.getTier("words").entries
    texts = " ".join(entry.label for entry in entries if entry.label)
    assert texts == said.hypothesis.text
    assert entries[0].start == 0
    assert entries[-1].end == pytest.approx(said.duration_s, abs=1e-3)
    assert all(before.end == after.start for before, after in pairwise(entries))


def test_praatio_finds_the_end_of_a_textgrid_where_it_is_said(tmp_path: Path) -> None:
    """2.6675 and 1.3795 are rounded up by one rule and down by another: one rule holds for the whole file."""
    praatio = pytest.importorskip("praatio.textgrid", reason="praatio, of the extra dev, is not installed")
    for number, duration_s in enumerate((2.6675, 1.3795, 0.0005, 3.0015)):
        said = transcript(number, count=0)._replace(duration_s=duration_s)
        path = written(tmp_path, "textgrid", said)
        read = praatio.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")
        said_end_s = float(path.read_text().partition("xmax = ")[2].partition("\n")[0])
        assert read.getTier("words").entries[-1].end == read.maxTimestamp == said_end_s


def test_a_textgrid_keeps_words_of_no_length() -> None:
    spans = [(0.0, 0.5, "a"), (0.5, 0.5, "b"), (0.4, 0.5, "c"), (1.0, 1.0, "d")]
    found = partition(spans, 1.0)
    assert " ".join(text for _, _, text in found if text) == "a b c d"
    assert all(start < end for start, end, _ in found)
    assert partition([], 2.0) == [(0.0, 2.0, "")]


def test_sclite_scores_ctm(tmp_path: Path) -> None:
    sclite = shutil.which("sclite") or shutil.which("sctk")  # Debian has it as a command of sctk
    if sclite is None:
        pytest.skip("sclite (apt-get install sctk) is not installed")
    said = Transcript(
        "a b.wav",
        "a b",
        3.0,
        Hypothesis((), 0.0, text="one two", timed={"ctc": (Word("one", 0.1, 0.4), Word("two", 0.5, 0.9, 0.25))}),
    )
    hypothesis, reference = written(tmp_path, "ctm", said), tmp_path / "reference.stm"
    assert hypothesis.read_text() == "a_b 1 0.100 0.300 one\na_b 1 0.500 0.400 two 0.2500\n"
    reference.write_text("a_b 1 speaker 0.000 3.000 one two three\n")
    command = [sclite, *(["sclite"] if sclite.endswith("sctk") else [])]
    arguments = ["-r", str(reference), "stm", "-h", str(hypothesis), "ctm", "-o", "rsum", "stdout"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path)
    total = next(line for line in done.stdout.splitlines() if "Sum" in line)
    counts = [int(field) for field in total.replace("|", " ").split()[1:8]]
    assert counts == [1, 3, 2, 0, 1, 0, 1], done.stdout


def test_a_table_is_read_as_a_corpus_and_json_by_its_keys(tmp_path: Path) -> None:
    whole, cut = transcript(1, audio="/talks/a.wav"), transcript(2, audio="/talks/b.wav", pieces=2)
    silent = Transcript("/talks/c.wav", "c", 1.0, Hypothesis((), 0.0))
    found = list(rows(written(tmp_path, "tsv", whole, cut, silent)))
    assert [(row.id, str(row.audio), row.text) for row in found] == [
        ("a", "/talks/a.wav", whole.hypothesis.text),
        ("b-0", "/talks/b.wav", "piece 0"),
        ("b-1", "/talks/b.wav", "piece 1"),
    ]
    ended = transcript(2, audio="/talks/d.wav", pieces=1)
    (row,) = rows(written(tmp_path, "tsv", ended))
    assert (row.id, row.text) == ("d", "piece 0")
    assert found[2].start_s == pytest.approx(cut.hypothesis.pieces[1].start_s, abs=1e-3)
    lines = [json.loads(line) for line in written(tmp_path, "jsonl", whole, cut).read_text().splitlines()]
    assert [len(line["pieces"]) for line in lines] == [0, 2]
    first = whole.hypothesis.words[0]
    assert lines[0]["words"][0] == {"word": first.word, "start_s": first.start_s, "end_s": first.end_s}
    assert json.loads(written(tmp_path, "json", whole).read_text()) == lines[0]


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.timed and "json" not in name])
def test_words_without_times_are_refused(name: str) -> None:
    with pytest.raises(LasasrError, match=r"a\.wav: this search gives no word times"):
        FORMATS[name].render(Transcript("a.wav", "a", 1.0, Hypothesis((4,), 0.0, text="a")))
    assert isinstance(FORMATS[name].render(Transcript("a.wav", "a", 1.0, Hypothesis((), 0.0))), str)
