"""Tables with odd names and values: said or refused with the line, never dropped in silence."""

import json

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent

from lasasr.corpora.columns import Columns
from lasasr.corpora.manifest import read_cuts
from lasasr.corpora.table import TableCorpus
from lasasr.data.audio import load
from lasasr.errors import LasasrError

ESC, OVERRIDE = "\x1b[31m", "\u202e"


@pytest.fixture
def folder(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000), 8000)
    return tmp_path


def corpus(folder, content, name="t.tsv", columns=None):
    (folder / name).write_text(content, encoding="utf-8", errors="surrogatepass")
    return TableCorpus(str(folder / name), str(folder / name), columns=columns)


def texts(folder, content, name="t.tsv", columns=None):
    manifests = corpus(folder, content, name, columns).prepare(folder / "prepared", silent)
    return [cut.supervisions[0].text for cut in read_cuts(manifests["train"])]


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        ("spk\tstart\tend", "columns spk, start, end are not read: did you mean speaker, start_s, end_s?"),
        ("Speaker\tSTART_S\tend_s", "columns Speaker, START_S are not read: did you mean speaker, start_s?"),
        ("client_id\tbegin\toffset2", "columns client_id, begin, offset2 are not read: did you mean speaker, start_s?"),
        ("colour\tspeaker\tend_s", "column colour is not read"),
        ("x\ty\tspk", "columns spk, x, y are not read: did you mean speaker?"),
        ("speaker\tstart_s\tend_s", None),
        ("speaker\tstart_s\t", None),  # a tab too many
    ],
)
def test_columns_that_are_not_read_are_said_once_with_the_nearest_name(folder, capsys, columns, line):
    table = f"id\taudio\ttext\t{columns}\nu\ta.wav\thello\t\t\t\n"
    prepared = corpus(folder, table)
    remarks = {} if line is None else dict.fromkeys(("train", "dev"), f"t.tsv: {line}")
    assert prepared.remarks() == remarks
    prepared.prepare(folder / "prepared", silent)
    assert capsys.readouterr().err == "".join(f"note: {split}: {text}\n" for split, text in remarks.items())
    prepared.prepare(folder / "prepared", silent)
    assert capsys.readouterr().err == ""


def test_keys_of_json_lines_that_are_not_read_wherever_they_first_stand(folder):
    rows = [{"id": "u", "audio": "a.wav", "text": "x"}, {"id": "v", "audio": "a.wav", "text": "y", "end": 0.5}]
    remarks = corpus(folder, "\n".join(map(json.dumps, rows)), "t.jsonl").remarks()
    assert remarks["train"] == "t.jsonl: column end is not read: did you mean end_s?"


def test_where_columns_are_configured_only_misspelt_ones_are_said(folder):
    columns = Columns(id="key", text="sentence", speaker="client_id")
    table = "key\taudio\tsentence\tclient_id\tup_votes\tEnd\nu\ta.wav\thello\tanna\tx\t\n"
    remarks = corpus(folder, table, columns=columns).remarks()
    assert remarks["train"] == "t.tsv: column End is not read: did you mean end_s?"


@pytest.mark.parametrize(
    ("content", "name", "columns", "message"),
    [
        ("id\taudio\ttext\ttext\nu\ta.wav\tx\ty\n", "t.tsv", None, r"t.tsv, line 1: column 'text' stands twice"),
        (
            "u\ta.wav\tx\ty\n",
            "t.tsv",
            Columns(names=["id", "audio", "text", "text"]),
            "names: column 'text' stands twi",
        ),
        (
            '{"id": "u", "audio": "a.wav", "text": "x", "text": "y"}',
            "t.jsonl",
            None,
            "line 1: column 'text' stands twi",
        ),
    ],
)
def test_a_column_twice_is_refused(folder, content, name, columns, message):
    with pytest.raises(LasasrError, match=message):
        texts(folder, content, name, columns)


@pytest.mark.parametrize("column", ["id", "audio", "text", "speaker"])
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("NaN", "nan"),
        ("true", "true"),
        ("false", "false"),
        ("[1, 2]", r"\[1, 2\]"),
        ('{"a": 1}', r"\{'a': 1\}"),
        ("1.5", "1.5"),
    ],
)
def test_text_that_is_no_text_is_refused_with_its_line(folder, column, value, shown):
    fields = {"id": '"v"', "audio": '"a.wav"', "text": '"x"', column: value}
    second = "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}"
    with pytest.raises(LasasrError, match=rf"t.jsonl, line 2: {column} is {shown}, not text"):
        texts(folder, f'{{"id": "u", "audio": "a.wav", "text": "x"}}\n{second}', "t.jsonl")


def test_whole_numbers_are_text(folder):
    assert texts(folder, '{"id": 7, "audio": "a.wav", "text": 42, "speaker": 3}', "t.jsonl") == ["42"]


@pytest.mark.parametrize("value", ["true", "[1]", '"1,5"', "1" + "0" * 400])
def test_times_are_numbers(folder, value):
    with pytest.raises(LasasrError, match=r"t.jsonl, line 1: end_s .* is not a (number of seconds|time within)"):
        texts(folder, f'{{"id": "u", "audio": "a.wav", "text": "x", "end_s": {value}}}', "t.jsonl")


@pytest.mark.parametrize("column", ["id", "audio", "text", "speaker"])
def test_half_a_character_is_refused_with_its_line(folder, column):
    row = {"id": "u", "audio": "a.wav", "text": "x"} | {column: "a\ud83d"}
    with pytest.raises(LasasrError, match=rf"t.jsonl, line 1: {column} 'a\\ud83d' holds U\+D83D, half a character"):
        texts(folder, json.dumps(row), "t.jsonl")


@pytest.mark.parametrize("sign", ["\x1b", "\x07", "\x00", "\u202e", "\u2028", "\x85", "\x9b"])
def test_an_id_with_a_control_character_is_refused_and_shown_escaped(folder, sign):
    with pytest.raises(LasasrError, match=rf"line 1: id '.*' holds U\+{ord(sign):04X}") as caught:
        texts(folder, json.dumps({"id": f"u{sign}v", "audio": "a.wav", "text": "x"}), "t.jsonl")
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["u" * 300, "a/b", "ü", "語", "क्ष", "u\u200dv"])
def test_other_ids_are_taken(folder, name):
    assert texts(folder, json.dumps({"id": name, "audio": "a.wav", "text": "x"}), "t.jsonl") == ["x"]


def test_sphere_needs_no_program(folder, monkeypatch):
    monkeypatch.setenv("PATH", "")
    samples = np.round(np.random.default_rng(0).uniform(-9000, 9000, 16_000)).astype("<i2")
    fields = ["channel_count -i 1", "sample_rate -i 16000", "sample_n_bytes -i 2", "sample_byte_format -s2 01"]
    header = "\n".join(["NIST_1A", "   1024", *fields, "sample_count -i 16000", "end_head", ""]).encode().ljust(1024)
    (folder / "a.sph").write_bytes(header + samples.tobytes())
    manifests = corpus(folder, "id\taudio\ttext\nu\ta.sph\thello\n").prepare(folder / "prepared", silent)
    (cut,) = read_cuts(manifests["train"])
    np.testing.assert_array_equal(load(cut, 16_000).numpy(), samples / np.float32(32_768))


def test_a_path_that_no_file_can_have_is_one_finding(folder):
    table = f"id\taudio\ttext\nu\ta.wav\thello\nv\t{'x' * 5000}.wav\thello\n"
    with pytest.raises(LasasrError, match=r"t\.tsv, line 3: audio file .*x\.wav is missing, or no file"):
        corpus(folder, table).prepare(folder / "prepared", silent)
