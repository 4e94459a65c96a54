"""Every format gives back what was written in it; what is damaged is refused with file and line."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from text_files import (
    recognised,
    references,
    write_csv,
    write_espnet,
    write_kaldi,
    write_manifest,
    write_speechbrain,
    write_trn,
)

from lasasr.errors import LasasrError, UsageError
from lasasr.transcripts.formats import FORMATS, format_of, read
from lasasr.transcripts.nist import by_segment

REFERENCES = references()
HYPOTHESES = recognised(REFERENCES, 0.3, 1) | {"s0-u0": ""}
SPEAKERS = {key: key[:2] for key in REFERENCES}
SCLITE = shutil.which("sclite") or "/usr/lib/sctk/bin/sclite"


@pytest.mark.parametrize("name", ["hyp.trn", "renamed"])
def test_trn(tmp_path: Path, name: str) -> None:
    path = write_trn(tmp_path / name, HYPOTHESES)
    assert format_of(path) == "trn"
    assert read(path).as_hypotheses() == HYPOTHESES


def test_kaldi_takes_the_speakers_beside_it(tmp_path: Path) -> None:
    path = write_kaldi(tmp_path / "text", HYPOTHESES)
    assert read(path).speakers == {}
    write_kaldi(tmp_path / "utt2spk", SPEAKERS)
    for place in (path, tmp_path):
        transcripts = read(place)
        assert transcripts.as_references() == HYPOTHESES
        assert transcripts.speakers == SPEAKERS


def test_an_espnet_folder_gives_both_sides_and_the_speakers(tmp_path: Path) -> None:
    transcripts = read(write_espnet(tmp_path / "test", REFERENCES, HYPOTHESES, SPEAKERS))
    assert transcripts.references == REFERENCES
    assert transcripts.hypotheses == HYPOTHESES
    assert transcripts.speakers == SPEAKERS


def test_an_espnet_folder_without_its_text_keeps_the_ids_of_sclite(tmp_path: Path) -> None:
    folder = write_espnet(tmp_path / "test", REFERENCES, HYPOTHESES, SPEAKERS)
    (folder / "text").unlink()
    assert read(folder).references == {f"{key[:2]}-{key}": text for key, text in REFERENCES.items()}


def test_speechbrain(tmp_path: Path) -> None:
    transcripts = read(write_speechbrain(tmp_path / "wer_test.txt", REFERENCES, HYPOTHESES))
    assert transcripts.references == REFERENCES
    assert transcripts.hypotheses == HYPOTHESES


def test_a_manifest(tmp_path: Path) -> None:
    transcripts = read(write_manifest(tmp_path / "out.json", REFERENCES, HYPOTHESES))
    assert transcripts.references == REFERENCES
    assert transcripts.hypotheses == HYPOTHESES
    assert set(transcripts.durations_s.values()) == {1.5}


def test_a_list_of_objects_is_as_good_as_lines(tmp_path: Path) -> None:
    rows = [{"id": key, "text": text, "gender": "f"} for key, text in REFERENCES.items()]
    (tmp_path / "ref.json").write_text(json.dumps(rows, indent=1))
    transcripts = read(tmp_path / "ref.json")
    assert transcripts.as_references() == REFERENCES
    assert transcripts.columns["gender"] == dict.fromkeys(REFERENCES, "f")


def test_a_table_by_usual_and_by_chosen_names(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "out.csv", REFERENCES, HYPOTHESES)
    transcripts = read(path)
    assert (transcripts.references, transcripts.hypotheses) == (REFERENCES, HYPOTHESES)
    assert transcripts.speakers == SPEAKERS
    tabs = tmp_path / "out.tsv"
    tabs.write_text(path.read_text().replace(",", "\t").replace("hypothesis", "asr", 1))
    with pytest.raises(LasasrError, match=r"out.tsv has no column of hypotheses; --columns hypothesis=NAME"):
        read(tabs).as_hypotheses()
    assert read(tabs, columns={"hypothesis": "asr"}).as_hypotheses() == HYPOTHESES


STM = """;; comment
f1 1 spkA 0.0 2.0 <o,f0,male> hello world
f1 1 spkB 2.0 3.0 <o,f0,male> ignore_time_segment_in_scoring
f1 1 spkB 5.0 7.0 <o,f0,male> good bye now
f2 1 spkB 0.0 3.0 <o,f0,male> alpha beta
"""
CTM = """f1 1 0.1 0.4 hello 0.9
f1 1 1.0 0.4 word
f1 1 2.2 0.2 noise
f1 1 3.5 0.2 gap
f1 1 5.1 0.2 good
f1 1 5.5 0.2 bye
f1 1 6.0 0.2 now
f1 1 8.0 0.2 after
f2 1 0.1 0.2 alpha
f2 1 0.5 0.2 beta
"""


def test_ctm_words_go_to_the_segments_that_sclite_gives_them(tmp_path: Path) -> None:
    """The expected texts are what sclite 2.4.10 prints for these two files."""
    (tmp_path / "ref.stm").write_text(STM)
    (tmp_path / "hyp.ctm").write_text(CTM)
    reference, hypothesis = read(tmp_path / "ref.stm"), read(tmp_path / "hyp.ctm")
    assert reference.as_references() == {
        "f1-1-0.0-2.0": "hello world",
        "f1-1-5.0-7.0": "good bye now",
        "f2-1-0.0-3.0": "alpha beta",
    }
    assert by_segment(hypothesis.path, hypothesis.words, reference.segments) == {
        "f1-1-0.0-2.0": "hello word",
        "f1-1-5.0-7.0": "gap good bye now after",
        "f2-1-0.0-3.0": "alpha beta",
    }


def test_a_recording_without_words_is_missing_and_a_segment_without_words_is_silence(tmp_path: Path) -> None:
    (tmp_path / "ref.stm").write_text(STM)
    (tmp_path / "hyp.ctm").write_text("f1 1 0.2 0.4 hello\n")
    hypothesis = read(tmp_path / "hyp.ctm")
    assert by_segment(hypothesis.path, hypothesis.words, read(tmp_path / "ref.stm").segments) == {
        "f1-1-0.0-2.0": "hello",
        "f1-1-5.0-7.0": "",
    }


@pytest.mark.skipif(not Path(SCLITE).exists(), reason="apt install sctk")
def test_the_segments_are_sclites(tmp_path: Path) -> None:
    (tmp_path / "ref.stm").write_text(STM)
    (tmp_path / "hyp.ctm").write_text(CTM)
    words = ["-s", "-r", "ref.stm", "stm", "-h", "hyp.ctm", "ctm", "-o", "pra", "stdout"]
    report = subprocess.run([SCLITE, *words], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    rows = [line.split(":", 1)[1].split() for line in report.splitlines() if line.startswith("HYP:")]
    theirs = [" ".join(word.lower() for word in row if "*" not in word) for row in rows]
    hypothesis = read(tmp_path / "hyp.ctm")
    ours = by_segment(hypothesis.path, hypothesis.words, read(tmp_path / "ref.stm").segments)
    assert list(ours.values()) == theirs


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.trn", "hello\n", r"a.trn, line 1: no \(id\) at its end"),
        ("a.trn", "x (u1)\ny (u1)\n", "a.trn: utterance u1 stands twice, in lines 1 and 2"),
        ("a.trn", "x ()\n", "a.trn, line 1: the utterance has no id"),
        ("a.trn", "{ a / b } c (u1)\n", "a.trn, line 1: alternatives"),
        ("a.trn", ";; nothing\n", "a.trn holds no utterance"),
        ("text", "", "text holds no utterance"),
        ("a.jsonl", '{"id": "a", "text": 3}\n', "a.jsonl, line 1: text is 3, not a text"),
        ("a.jsonl", '{"id": "a"\n', "a.jsonl, line 1: it is not JSON"),
        ("a.jsonl", '{"text": "x"}\n', r"a.jsonl has no column of utterance ids \(text\); --columns id=NAME"),
        ("a.jsonl", '{"id": "a", "text": "x", "duration": "long"}\n', "line 1: duration is 'long', not a duration"),
        ("a.csv", "id,text\na,b,c\n", "a.csv, row 2: 3 cells, but the header names 2"),
        ("a.csv", "id,id\na,b\n", "a.csv: two columns have one name"),
        ("a.stm", "f 1 s 3 2 x\n", "a.stm, line 1: the segment ends at 2 s, before it begins"),
        ("a.ctm", "f 1 0.1 x word\n", "a.ctm, line 1: 'x' is no time in seconds"),
        ("a.ctm", "f 1 nan 0.1 word\n", "a.ctm, line 1: 'nan' is no time in seconds"),
        ("a.ctm", "f 1 0.1 1e999 word\n", "a.ctm, line 1: '1e999' is no time in seconds"),
        ("wer.txt", f"%WER 1\n{'=' * 80}\nu1, %WER 0\na\n=\n", "line 3: no utterance of SpeechBrain's"),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(LasasrError, match=message):
        read(tmp_path / name)


def test_other_encodings_a_missing_file_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.trn").write_bytes("caf\u00e9 (u1)\n".encode("latin-1"))
    with pytest.raises(LasasrError, match=r"a.trn, line 1: it is not UTF-8"):
        read(tmp_path / "a.trn")
    with pytest.raises(LasasrError, match="nowhere is missing"):
        read(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=f"--format nemo: nearest: .*{'|'.join(FORMATS)}"):
        read(tmp_path / "a.trn", "nemo")
    with pytest.raises(LasasrError, match="is no result folder"):
        read(tmp_path)


def test_a_byte_order_mark_and_windows_ends_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes("\ufeffu1 hello\r\nu2 \r\n".encode())
    assert read(tmp_path / "text").texts == {"u1": "hello", "u2": ""}
