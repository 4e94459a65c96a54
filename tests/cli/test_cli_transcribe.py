"""`lasasr transcribe`: what is named is found and written, in order, and what is wrong is said by name."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import pytest
import soundfile
import torch
from tiny_recognizer import greedy, parts

from lasasr.artifacts.files import parse_json
from lasasr.audio.pauses import Lengths
from lasasr.cli.main import main
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.confidence import Logistic
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer
from lasasr.transcription import recordings
from lasasr.transcription.sinks import stems_of

RATE = 16_000


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of an untrained recognizer that always says something, and talks of several lengths and formats."""
    folder = tmp_path_factory.mktemp("transcribe")
    torch.manual_seed(0)
    made = Recognizer.build(parts(0.3, search=greedy(5, 9)), CharacterTokenizer.train(["ab c", "ba"]), "none/1").eval()
    made.trained_on = Lengths(usual_s=1.0, longest_s=2.0)
    made.save(folder / "bundle")
    for i, name in enumerate(["a.wav", "b.flac", "deep/c.ogg", "deep/long.wav"]):
        path = folder / "talks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = 5.0 if "long" in name else 0.6 + 0.2 * i
        noise = torch.randn(int(seconds * RATE), generator=torch.Generator().manual_seed(i)) * 0.1
        swell = 1.3 + torch.cos(torch.arange(len(noise)) * (2 * torch.pi * 3.0 / RATE))
        soundfile.write(path, (noise * swell).numpy(), RATE)
    return folder


@pytest.fixture
def folder(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to work in."""
    shutil.copytree(shared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def texts(output: str) -> dict[str, str]:
    return dict(line.split("\t") for line in output.splitlines())


def test_a_second_run_is_not_taken_for_a_recording(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pattern of the shell that matches two runs would transcribe by the older one."""
    shutil.copytree("bundle", "bundle-2")
    assert main(["transcribe", "bundle", "bundle-2", "talks/a.wav"]) == 2
    assert "bundle-2 is a recognizer, as bundle is: name one, then the recordings" in capsys.readouterr().err


def test_files_folders_patterns_and_tables_are_found_in_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.tsv").write_text("id\taudio\tstart_s\tend_s\nwhole\ttalks/a.wav\t\t\npart\ttalks/deep/long.wav\t1\t2\n")
    named = ["talks/b.flac", "talks", "talks/**/*.ogg", "list.tsv"]
    assert main(["transcribe", "bundle", *named]) == 0
    captured = capsys.readouterr()
    lines = [line.split("\t")[0] for line in captured.out.splitlines()]
    in_folder = [f"talks/{name}" for name in ("a.wav", "b.flac", "deep/c.ogg", "deep/long.wav")]
    assert lines == [
        "talks/b.flac",
        *in_folder,
        "talks/deep/c.ogg",
        "talks/a.wav",
        "talks/deep/long.wav from 1 s",
    ]
    assert "8 recordings, " in captured.err.splitlines()[-1]
    assert "real-time factor" in captured.err.splitlines()[-1]


def test_what_is_not_sure_is_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "bundle", "talks/a.wav", "--min-confidence", "0.5"]) == 2
    assert "bundle is not calibrated: lasasr calibrate RUN" in capsys.readouterr().err
    assert main(["transcribe", "bundle", "talks/a.wav", "--min-confidence", "90"]) == 2
    assert "--min-confidence must lie in [0, 1], got 90" in capsys.readouterr().err
    recognizer = Recognizer.load("bundle")
    for bias, left_out in ((9.0, 0), (-9.0, 4)):
        recognizer.calibration = Logistic(bias, {})
        recognizer.save(Path("calibrated"))
        assert main(["transcribe", "calibrated", "talks", "--format", "tsv", "--min-confidence", "0.9"]) == 0
        captured = capsys.readouterr()
        assert f"left out as less sure than 0.9: {left_out} of 4 recordings" in captured.err
        assert (len(captured.out.splitlines()) > 4) is (left_out == 0)


def test_a_part_of_a_file_is_what_its_samples_are(folder: Path) -> None:
    recognizer = Recognizer.load("bundle")
    samples, _ = soundfile.read("talks/deep/long.wav", dtype="float32")
    Path("list.jsonl").write_text('{"id": "x", "audio": "talks/deep/long.wav", "start_s": 1.5, "end_s": 3}\n')
    (part,) = recordings.recordings(["list.jsonl"])
    assert part.audio.duration_s() == 1.5
    assert torch.equal(part.audio.waveform(RATE), torch.from_numpy(samples[24_000:48_000]))
    (found,) = recognizer.transcribe_inputs([part.audio])
    assert found.text == recognizer.transcribe(samples[24_000:48_000])[0].text  # type: ignore[union-attr]
    Path("list.jsonl").write_text('{"id": "x", "audio": "talks/a.wav", "start_s": 0.5, "end_s": 3}\n')
    (beyond,) = recordings.recordings(["list.jsonl"])
    with pytest.raises(LasasrError, match=r"a\.wav from 0\.5 s to 3 s: the file is 0\.600 s long"):
        beyond.audio.duration_s()


def test_what_cannot_be_used_is_said_at_the_end_and_takes_no_other_with_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.wav").write_text("<html>")
    Path("empty").mkdir()
    Path("no.tsv").write_text("name\tfile\n")
    named = ["bad.wav", "talks/a.wav", "*.mp3", "empty", "no.tsv", "talks/b.flac", "none.wav"]
    assert main(["transcribe", "bundle", *named]) == 1
    captured = capsys.readouterr()
    assert list(texts(captured.out)) == ["talks/a.wav", "talks/b.flac"]
    *_, html, pattern, none, table, missing, count = captured.err.splitlines()
    assert "bad.wav cannot be read" in html
    assert pattern == "lasasr: *.mp3 matches no file"
    assert "empty holds no audio file" in none
    assert "no.tsv, line 1: column audio is missing" in table
    assert missing.startswith(f"lasasr: none.wav is missing, or no file; looked up from {Path.cwd()}: ")
    assert count == "lasasr: 5 of 7 recordings were not transcribed"


def test_results_come_before_later_files_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of 20 s batches is printed when most files were not opened yet."""
    opened: list[str] = []
    recognizer = Recognizer.load("bundle")

    class Watched(recordings.FileInput):
        def waveform(self, sample_rate_hz: int) -> torch.Tensor:
            opened.append(self.name)
            return super().waveform(sample_rate_hz)

    results = recognizer.stream((Watched("talks/a.wav") for _ in range(100)), batch_s=1.0)
    first = next(results)
    assert len(opened) <= 16
    assert [first.text, *(result.text for result in results)] == [first.text] * 100  # type: ignore[union-attr]


def test_standard_input_is_a_recording(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transcribe", "bundle", "talks/a.wav"]) == 0
    expected = texts(capsys.readouterr().out)["talks/a.wav"]
    piped = io.TextIOWrapper(io.BytesIO(Path("talks/a.wav").read_bytes()))
    monkeypatch.setattr(sys, "stdin", piped)
    assert main(["transcribe", "bundle", "-"]) == 0
    assert texts(capsys.readouterr().out) == {"-": expected}


def test_a_search_of_ones_own_and_its_n_best(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["talks/a.wav", "search=beam_ctc", "search.beam=4", "search.limits.min_length=4", "--nbest", "3", "--json"]
    assert main(["transcribe", "bundle", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    scores = [reading["score"] for reading in found["nbest"]]
    assert (len(scores), found["text"], scores[0]) == (3, found["nbest"][0]["text"], found["score"])
    assert scores == sorted(scores, reverse=True)
    assert set(found["scores"]) == {"decoder", "ctc"}
    assert main(["transcribe", "bundle", *words[:-1]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["2", "3"]


def test_hot_words_pass_through_the_rule_and_are_scored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("names.txt").write_text("ab\t30\n", encoding="utf-8")
    assert main(["transcribe", "bundle", "talks/a.wav", "search=beam", "--hotwords", "names.txt", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scores"]["hotwords"] == 30.0 * found["text"].split().count("ab") > 0.0
    assert main(["transcribe", "bundle", "talks/a.wav", "search=beam", "search.hotwords={ab: 30.0}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert main(["transcribe", "bundle", "talks/a.wav", "search=beam", "search.hotwords=[ab]", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"].keys() == found["scores"].keys()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["talks", "--out", "out.txt"], "--out names a folder"),
        (["talks", "--out", "talks/a.wav"], "--out talks/a.wav: talks/a.wav is a file, not a folder"),
        (["talks", "--out", "talks/a.wav/deep/er"], "talks/a.wav is a file, not a folder"),
        (
            ["talks", "attend=dot"],
            "attend=dot: of a trained recognizer only search can be changed, and no file has this",
        ),
        (["search=beam"], "no audio is named"),
        (["-", "-"], "- (standard input) is named twice"),
        (["talks", "--nbest", "3"], "--nbest needs a beam search: add search=beam"),
        (["talks", "--nbest", "0"], "--nbest must be at least 1, got 0"),
        (["talks", "--hotwords", "names.txt"], "--hotwords needs a beam search: add search=beam"),
        (
            ["talks", "search=beam", "search.hotwords=[ab]", "--hotwords", "names.txt"],
            "--hotwords and search.hotwords are both given",
        ),
        (["talks", "search=beam", "search.hotwords=[Ab]"], "phrase 'Ab': no token has 'A'"),
        (["talks", "search=beam", "search.hotwords={ab: nan}"], "the boost of 'ab' must be a finite number, got nan"),
        (["talks", "search=beam", "search.hotwords=3"], "search.hotwords is 3, no list of phrases"),
        (["talks", "search.hotwords=[ab]"], "search.hotwords"),
        (["talks", "--batch-s", "0"], "batches must hold more than 0 s of audio, got 0 s"),
        (["talks", "--format", "srtt"], "--format srtt: no such format; nearest: srt"),
        (["talks", "--format", "srt,vtt"], "--format srt,vtt writes files: name a folder with --out"),
        (["talks", "--format", "srt"], "--format srt holds one recording, and 4 are named: add --out DIR"),
        (["talks", "--json", "--format", "srt"], "--json is --format jsonl, but --format srt is given too"),
        (["talks", "--overwrite"], "--overwrite replaces files of --out, which is not given"),
        (["talks", "--format", "ctm", "--timestamps"], "--timestamps adds lines to text"),
        (["talks/a.wav", "search.beam=3"], "search.beam"),
    ],
)
def test_a_request_that_is_wrong_is_one_line(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transcribe", "bundle", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lasasr: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_files_mirror_the_folder_and_are_replaced_only_if_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["transcribe", "bundle", "talks", "--format", "srt,json,text", "--out", "out"]
    assert main(words) == 0
    found = {str(path.relative_to("out")) for path in Path("out").rglob("*") if path.is_file()}
    stems = ("a", "b", "deep/c", "deep/long")
    assert found == {f"{stem}{suffix}" for stem in stems for suffix in (".srt", ".json", ".txt")}
    long = parse_json(Path("out/deep/long.json").read_text())
    assert len(long["pieces"]) > 2
    assert Path("out/deep/long.txt").read_text() == long["text"] + "\n"
    capsys.readouterr()
    assert main(words) == 2
    assert "out/a.srt is there already; name another folder, or add --overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0


def test_two_of_one_name_keep_their_suffixes(folder: Path) -> None:
    shutil.copy("talks/a.wav", "talks/b.wav")
    listed = recordings.recordings(["talks/b.flac", "talks/b.wav"])
    assert sorted(map(str, stems_of(listed).values())) == ["b.flac", "b.wav"]
    shutil.copytree("talks", "other")
    doubled = recordings.recordings(["talks/b.wav", "other/b.wav"])
    with pytest.raises(UsageError, match=r"talks/b\.wav and other/b\.wav would be written to the same files"):
        stems_of(doubled)


def test_a_document_of_several_is_one_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "bundle", "talks", "--format", "json"]) == 0
    assert [entry["id"] for entry in json.loads(capsys.readouterr().out)] == ["a", "b", "c", "long"]
