"""Tables and cut manifests of one's own, right and wrong."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent
from lhotse import CutSet, MonoCut, MultiCut, Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.utils import fastcopy

from lasasr.corpora.columns import Columns
from lasasr.corpora.manifest import read_cuts
from lasasr.corpora.table import TableCorpus
from lasasr.data.audio import load
from lasasr.data.manifest import read_manifest
from lasasr.errors import LasasrError, UsageError

RATE = 8000


@pytest.fixture
def folder(tmp_path):
    """a.wav: 2 s mono; stereo.wav: 1 s of two different channels."""
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.wav", rng.uniform(-0.5, 0.5, 2 * RATE), RATE)
    soundfile.write(tmp_path / "stereo.wav", rng.uniform(-0.5, 0.5, (RATE, 2)), RATE, "PCM_16")
    lost = np.array([[0.1, 0.2], [0.3, np.nan], [0.5, 0.6]])
    soundfile.write(tmp_path / "lost.wav", lost, RATE, "FLOAT")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    return tmp_path


def write_table(folder, rows, name="train.tsv", columns=("id", "audio", "text", "speaker", "start_s", "end_s")):
    table = folder / name
    if name.endswith(".tsv"):
        lines = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
        table.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    else:
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return table


def prepared(folder, train, dev=None):
    dev = dev or write_table(folder, [{"id": "d", "audio": "a.wav", "text": "dev"}], "dev.tsv")
    manifests = TableCorpus(str(train), str(dev)).prepare(folder / "prepared", silent)
    return list(read_cuts(manifests["train"]))


GOOD = [
    {"id": "whole", "audio": "a.wav", "text": "all of it", "speaker": "anna"},
    {"id": "part", "audio": "a.wav", "text": "a part", "start_s": 0.5, "end_s": 1.25},
    {"id": "tail", "audio": "a.wav", "text": "the rest", "start_s": 1.25},
]


@pytest.mark.parametrize("name", ["train.tsv", "train.jsonl"])
def test_rows_become_cuts(folder, name):
    cuts = prepared(folder, write_table(folder, GOOD, name))
    whole = soundfile.read(folder / "a.wav", dtype="float32")[0]
    assert [cut.id for cut in cuts] == ["whole", "part", "tail"]
    assert [cut.supervisions[0].text for cut in cuts] == ["all of it", "a part", "the rest"]
    assert [cut.supervisions[0].speaker for cut in cuts] == ["anna", None, None]
    assert {cut.sampling_rate for cut in cuts} == {RATE}
    for cut, (start, stop) in zip(cuts, [(0, 16000), (4000, 10000), (10000, 16000)], strict=True):
        assert isinstance(cut, MonoCut)
        assert np.array_equal(cut.load_audio()[0], whole[start:stop])


def test_absolute_paths_and_crlf_and_a_byte_order_mark(folder, tmp_path_factory):
    table = tmp_path_factory.mktemp("elsewhere") / "train.tsv"
    table.write_bytes(f"\ufeffaudio\tid\ttext\r\n{folder / 'a.wav'}\tx\tcafé\r\n\r\n".encode())
    (cut,) = prepared(folder, table)
    assert (cut.id, cut.supervisions[0].text) == ("x", "café")


def test_channels_are_averaged(folder):
    rows = [{"id": "s", "audio": "stereo.wav", "text": "both", "start_s": 0.25, "end_s": 0.75}]
    (cut,) = prepared(folder, write_table(folder, rows))
    both = soundfile.read(folder / "stereo.wav", dtype="float64")[0][2000:6000]
    assert (cut.sampling_rate, cut.num_channels, cut.num_samples) == (RATE, 1, 4000)
    assert np.array_equal(cut.load_audio()[0], both.mean(axis=1).astype(np.float32))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"audio": "~nobody-of-this-name/a.wav"},
            r"train.tsv, line 3: audio file .*~nobody-of-this-name/a.wav is missing",
        ),
        ({"audio": "absent.wav"}, r"train.tsv, line 3: audio file .*absent.wav is missing"),
        ({"audio": "empty.wav"}, r"train.tsv, line 3: audio file .*empty.wav has zero length"),
        ({"audio": "broken.wav"}, r"train.tsv, line 3: audio file .*broken.wav is unreadable"),
        ({"audio": "lost.wav"}, r"train.tsv, line 3: audio file .*lost.wav holds NaN or infinite samples"),
        ({"audio": ""}, r"train.tsv, line 3: audio is empty \(id bad\)"),
        ({"text": " "}, r"train.tsv, line 3: text is empty \(id bad\)"),
        ({"id": ""}, r"train.tsv, line 3: id is empty"),
        ({"id": "whole"}, r"train.tsv, line 3: id whole stands in line 2 already"),
        ({"start_s": 1.0, "end_s": 1.0}, r"train.tsv, line 3: start_s 1 is not before end_s 1"),
        ({"start_s": 1.5, "end_s": 1.0}, r"train.tsv, line 3: start_s 1.5 is not before end_s 1"),
        ({"start_s": "soon"}, r"train.tsv, line 3: start_s 'soon' is not a number"),
        ({"start_s": -1}, r"train.tsv, line 3: start_s -1 is not a time"),
        ({"end_s": "nan"}, r"train.tsv, line 3: end_s nan is not a time"),
        ({"end_s": 2.5}, r"train.tsv, line 3: end_s 2.5 is behind the end of .*a.wav \(2 s\)"),
        ({"start_s": 2.0}, r"train.tsv, line 3: start_s 2 is behind the end of .*a.wav"),
    ],
)
def test_a_wrong_row_is_named(folder, row, message):
    table = write_table(folder, [GOOD[0], {"id": "bad", "audio": "a.wav", "text": "x", **row}])
    with pytest.raises(LasasrError, match=message) as caught:
        prepared(folder, table)
    assert "\n" not in str(caught.value)
    assert not (folder / "prepared" / "train.jsonl.gz").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id\taudio\nx\ta.wav\n", r"train.tsv, line 1: column text is missing; found id, audio"),
        ("id\taudio\ttext\nx\ta.wav\n", r"train.tsv, line 2: 2 values for 3 columns"),
        ("id\taudio\ttext\n", r"train.tsv has no utterances"),
        ("", r"train.tsv, line 1: column audio, text is missing"),
    ],
)
def test_a_wrong_tab_separated_table_is_named(folder, content, message):
    (folder / "train.tsv").write_text(content)
    with pytest.raises(LasasrError, match=message):
        prepared(folder, folder / "train.tsv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": "x", "audio": "a.wav"}\n', r"train.jsonl, line 1: text is missing: add it; corpus.columns="),
        ('{"id": "x"\n', r"train.jsonl, line 1: not valid JSON"),
        ("[1]\n", r"train.jsonl, line 1: not an object"),
        ("\n", r"train.jsonl has no utterances"),
    ],
)
def test_a_wrong_json_table_is_named(folder, content, message):
    (folder / "train.jsonl").write_text(content)
    with pytest.raises(LasasrError, match=message):
        prepared(folder, folder / "train.jsonl")


def test_a_table_that_is_no_text_is_named(folder):
    (folder / "train.tsv").write_bytes(b"id\taudio\ttext\n\xff\xfe")
    with pytest.raises(LasasrError, match=r"train.tsv is no UTF-8 text"):
        prepared(folder, folder / "train.tsv")


@pytest.mark.parametrize(
    ("train", "error", "message"),
    [
        (None, UsageError, "corpus.train is not set"),
        ("absent.tsv", LasasrError, "corpus.train=absent.tsv is missing"),
        (__file__, UsageError, "is none of .tsv, .csv, .jsonl"),
    ],
)
def test_a_wrong_path_is_named(train, error, message):
    with pytest.raises(error, match=message):
        TableCorpus(train, __file__).prepare(Path("unused"), silent)


def test_an_edited_table_is_another_corpus(folder):
    table = write_table(folder, GOOD)
    corpus = TableCorpus(str(table), str(table))
    before = corpus.fingerprint()
    assert corpus.fingerprint() == before
    table.write_text(table.read_text().replace("a part", "one part"))
    assert corpus.fingerprint() != before


def test_a_test_table_is_optional(folder):
    table = write_table(folder, GOOD)
    assert set(TableCorpus(str(table), str(table)).prepare(folder / "one", silent)) == {"train", "dev"}
    assert set(TableCorpus(str(table), str(table), str(table)).prepare(folder / "two", silent)) == {
        "train",
        "dev",
        "test",
    }


def supervision(id, text="words", channel=0):
    return SupervisionSegment(id=id, recording_id="r", start=0.0, duration=0.5, channel=channel, text=text)


def mono(folder, id="m", supervisions=None, audio="a.wav"):
    recording = Recording.from_file(folder / audio)
    supervisions = [supervision(id)] if supervisions is None else supervisions
    return MonoCut(id=id, start=0.25, duration=0.5, channel=0, recording=recording, supervisions=supervisions)


def multi(folder, audio="stereo.wav", start=0.25, duration=0.5):
    recording = Recording.from_file(folder / audio)
    return MultiCut(
        id="s",
        start=start,
        duration=duration,
        channel=[0, 1],
        recording=recording,
        supervisions=[supervision("s", channel=[0, 1])],
    )


@pytest.mark.parametrize("name", ["train.jsonl", "train.jsonl.gz"])
def test_a_cut_manifest(folder, name):
    CutSet([mono(folder), multi(folder)]).to_file(folder / name)
    first, second = prepared(folder, folder / name)
    assert first == mono(folder)
    both = soundfile.read(folder / "stereo.wav", dtype="float64")[0][2000:6000]
    assert isinstance(second, MonoCut)
    assert second.id == "s"
    assert second.supervisions[0].text == "words"
    assert np.allclose(second.load_audio()[0], both.mean(axis=1), atol=1e-6)


def test_paths_relative_to_a_cut_manifest(folder):
    cut = mono(folder)
    cut.recording.sources[0].source = "a.wav"
    CutSet([cut]).to_file(folder / "train.jsonl.gz")
    (read,) = prepared(folder, folder / "train.jsonl.gz")
    assert read.recording.sources[0].source == str((folder / "a.wav").resolve())


def test_utterances_of_a_long_recording_as_lhotse_cuts_them_up(folder):
    """A recording with three transcripts, opened lazily, each part read from its place."""
    recording = Recording.from_file(folder / "a.wav")
    times = [(0.1, 0.45), (0.5, 0.62), (1.2, 0.8)]
    supervisions = [
        SupervisionSegment(f"u{number}", recording.id, start, lasts, text=f"part {number}", speaker="anna")
        for number, (start, lasts) in enumerate(times)
    ]
    whole = CutSet.from_manifests(RecordingSet.from_recordings([recording]), SupervisionSet.from_segments(supervisions))
    whole.to_file(folder / "whole.jsonl.gz")
    with pytest.raises(LasasrError, match=r"has 3 supervisions, not exactly one.*trim_to_supervisions"):
        prepared(folder, folder / "whole.jsonl.gz")
    lazy = CutSet.from_jsonl_lazy(folder / "whole.jsonl.gz").trim_to_supervisions(keep_overlapping=False)
    lazy.to_file(folder / "parts.jsonl.gz")
    manifest = TableCorpus(*[str(folder / "parts.jsonl.gz")] * 2).prepare(folder / "parts", silent)["train"]
    read = read_manifest(manifest, str)
    assert read.texts == ("part 0", "part 1", "part 2")
    samples = soundfile.read(folder / "a.wav", dtype="float32")[0]
    for index, (start, lasts) in enumerate(times):
        waveform = load(read.cut(index), RATE).numpy()
        assert np.array_equal(waveform, samples[round(start * RATE) : round((start + lasts) * RATE)])


def without_audio(folder):
    cut = mono(folder)
    cut.recording.sources[0].source = str(folder / "absent.wav")
    return [cut]


@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        (without_audio, r"line 1: audio file .*absent.wav is missing"),
        (lambda folder: [mono(folder), mono(folder)], r"line 2: id m stands in line 1 already"),
        (lambda folder: [mono(folder, supervisions=[])], r"line 1: cut m has no supervision; give"),
        (
            lambda folder: [mono(folder, supervisions=[supervision("m", " ")])],
            r"line 1: cut m has a supervision without a text",
        ),
        (
            lambda folder: [mono(folder, supervisions=[supervision("m"), supervision("n")])],
            r"line 1: cut m has 2 supervisions, not exactly one with a text; cut it up with CutSet.trim_to_sup",
        ),
        (
            lambda folder: [fastcopy(mono(folder), start=1.9)],
            r"line 1: cut m lasts from 1.9 to 2.4 s, but its recording",
        ),
        (lambda folder: [fastcopy(mono(folder), recording=None)], r"line 1: cut m has no recording"),
        (
            lambda folder: [multi(folder, "lost.wav", 0.0, 3 / RATE)],
            r"line 1: the audio of cut s holds NaN",
        ),
        (lambda folder: [mono(folder, "x").append(mono(folder, "y"))], r"line 1: a MixedCut is no MonoCut or MultiCut"),
    ],
)
def test_a_wrong_cut_is_named(folder, cuts, message):
    CutSet(cuts(folder)).to_file(folder / "train.jsonl.gz")
    with pytest.raises(LasasrError, match=rf"train.jsonl.gz, {message}"):
        prepared(folder, folder / "train.jsonl.gz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no gzip", "not a readable cut manifest"),
        (gzip.compress(b'{"id": "x", "text"', mtime=0), "not a readable cut manifest"),
        (gzip.compress(b'{"id": "x"}\n', mtime=0), "line 1: a line without a type is no MonoCut"),
        (gzip.compress(b'{"id": "x", "type": "MonoCut"}\n', mtime=0), "line 1: cut x has no recording"),
        (
            gzip.compress(b'{"id": "x", "type": "MonoCut", "recording": [1]}\n', mtime=0),
            "line 1: cut x has a recording without a list of sources",
        ),
        (gzip.compress(b"", mtime=0), "has no utterances"),
    ],
)
def test_a_wrong_cut_manifest_is_named(folder, content, message):
    (folder / "train.jsonl.gz").write_bytes(content)
    with pytest.raises(LasasrError, match=message):
        prepared(folder, folder / "train.jsonl.gz")


def write_tone(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(800, 0.1), 16000)


def test_tables_as_common_voice_has_them(tmp_path):
    lines = ["client_id\tpath\tsentence\tup_votes\tage"]
    for number in range(2):
        write_tone(tmp_path / "clips" / f"common_voice_{number}.wav")
        lines.append(f"speaker{number}\tcommon_voice_{number}.wav\tSay “{number}”.\t2\t")
    (tmp_path / "train.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    columns = Columns(id="path", audio="path", text="sentence", speaker="client_id", folder="clips")
    table = str(tmp_path / "train.tsv")
    path = TableCorpus(table, table, columns=columns).prepare(tmp_path / "prepared", silent)["train"]
    rows = [(cut.id, cut.supervisions[0].speaker, cut.supervisions[0].text) for cut in read_cuts(path)]
    assert rows == [(f"common_voice_{i}.wav", f"speaker{i}", f"Say “{i}”.") for i in range(2)]


def test_tables_as_ljspeech_has_them(tmp_path):
    for number in range(2):
        write_tone(tmp_path / "wavs" / f"LJ001-000{number}.wav")
    lines = [f"LJ001-000{number}|Dr. {number}|Doctor {number}" for number in range(2)]
    (tmp_path / "metadata.csv").write_text("\n".join(lines) + "\n")
    columns = Columns(names=["id", "printed", "text"], separator="|", audio="id", folder="wavs", suffix=".wav")
    table = str(tmp_path / "metadata.csv")
    corpus = TableCorpus(table, table, columns=columns)
    rows = [(cut.id, cut.supervisions[0].text) for cut in read_cuts(corpus.prepare(tmp_path / "p", silent)["dev"])]
    assert rows == [("LJ001-0000", "Doctor 0"), ("LJ001-0001", "Doctor 1")]
    assert corpus.fingerprint() != TableCorpus(table, table, columns=Columns(names=["id", "text", "x"])).fingerprint()


def test_json_lines_with_other_keys(tmp_path):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "t.jsonl").write_text('{"key": "one", "wav": "a.wav", "text": "hello"}\n')
    table = str(tmp_path / "t.jsonl")
    corpus = TableCorpus(table, table, columns=Columns(id="key", audio="wav"))
    (cut,) = read_cuts(corpus.prepare(tmp_path / "p", silent)["train"])
    assert cut.id == "one"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(text="sentence"), "column sentence is missing; found id, audio, text"),
        (Columns(names=["id", "audio", "text", "more"]), "line 1: 3 values for 4 columns"),
        (Columns(separator="|"), "column audio, text is missing"),
        (Columns(folder="elsewhere"), r"line 2: audio file .*elsewhere/a\.wav is missing"),
    ],
)
def test_columns_that_are_not_there(tmp_path, columns, message):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "t.tsv").write_text("id\taudio\ttext\none\ta.wav\thello\n")
    table = str(tmp_path / "t.tsv")
    with pytest.raises(LasasrError, match=message):
        TableCorpus(table, table, columns=columns).prepare(tmp_path / "p", silent)
