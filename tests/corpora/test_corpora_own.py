"""Recordings as people have them: CSV, NeMo, Kaldi, folders, Hugging Face; and one list divided by speaker."""

import csv
import json
import shutil
import sys

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent
from hypothesis import given
from hypothesis import strategies as st

from lasasr.cli.main import main
from lasasr.corpora import import_rows, kaldi
from lasasr.corpora.columns import Columns
from lasasr.corpora.division import Division, divide
from lasasr.corpora.folder import FolderCorpus
from lasasr.corpora.huggingface import HuggingFaceCorpus
from lasasr.corpora.kaldi import KaldiCorpus
from lasasr.corpora.manifest import read_cuts
from lasasr.corpora.rows import Row, rows
from lasasr.corpora.table import TableCorpus
from lasasr.errors import LasasrError, UsageError

RATE = 8000
SPEAKERS = ("anna", "bert", "cleo", "dora")


@pytest.fixture
def recordings(tmp_path):
    """Four speakers with two recordings each, of 0.5 and 1 s, as a folder of audio and texts."""
    rng = np.random.default_rng(0)
    for speaker in SPEAKERS:
        for number, seconds in enumerate((0.5, 1.0)):
            path = tmp_path / "speech" / speaker / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, rng.uniform(-0.5, 0.5, int(seconds * RATE)), RATE)
            path.with_suffix(".txt").write_text(f"number {number},\n of {speaker}\n")
    return tmp_path


def texts_of(manifest):
    return {cut.id: (cut.supervisions[0].text, cut.supervisions[0].speaker) for cut in read_cuts(manifest)}


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_csv_that_the_csv_module_wrote_is_read_back_whatever_its_texts_hold(recordings):
    values = [("a", 'he said "no", twice'), ("b", "one\nline more"), ("c", "tab\tand ; too")]
    with (recordings / "t.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "audio", "text"])
        writer.writerows((name, "speech/anna/0.wav", text) for name, text in values)
    listed = list(rows(recordings / "t.csv"))
    assert [(row.id, row.text) for row in listed] == values
    assert "line 5: " in listed[2].where  # where the row begins, after the one of two lines


@pytest.mark.parametrize("as_list", [False, True])
def test_manifests_of_nemo_need_no_columns(recordings, as_list):
    listed = [
        {"audio_filepath": "speech/anna/0.wav", "duration": 0.5, "text": "whole", "speaker": "anna", "lang": "en"},
        {"audio_filepath": "speech/bert/1.wav", "duration": 0.25, "offset": 0.5, "text": "part"},
        {"audio_filepath": "speech/bert/1.wav", "duration": 0.25, "offset": 0.0, "text": "other part"},
    ]
    text = json.dumps(listed) if as_list else "\n".join(map(json.dumps, listed))
    (recordings / "manifest.json").write_text(text)
    read = list(rows(recordings / "manifest.json"))
    assert [row.id for row in read] == ["0", "1-0000500", "1-0000000"]
    assert [(row.start_s, row.end_s) for row in read] == [(0.0, 0.5), (0.5, 0.75), (0.0, 0.25)]
    assert [row.speaker for row in read] == ["anna", None, None]
    corpus = TableCorpus(*[str(recordings / "manifest.json")] * 2)
    assert corpus.remarks()["train"] == "manifest.json: column lang is not read"
    cuts = read_cuts(corpus.prepare(recordings / "p", silent)["train"])
    whole = soundfile.read(recordings / "speech/bert/1.wav", dtype="float32")[0]
    assert np.array_equal(cuts["1-0000500"].load_audio()[0], whole[4000:6000])


@pytest.mark.parametrize("value", ["soon", True, [1]])
def test_a_duration_of_nemo_is_a_number(recordings, value):
    (recordings / "m.json").write_text(json.dumps({"audio_filepath": "a.wav", "duration": value, "text": "x"}))
    with pytest.raises(LasasrError, match=r"m.json, line 1: end_s .* is not a "):
        list(rows(recordings / "m.json"))


def test_ids_are_made_of_file_names_and_of_paths_where_names_repeat(recordings):
    table = recordings / "t.tsv"
    table.write_text("audio\ttext\nspeech/anna/0.wav\tx\nspeech/anna/1.wav\ty\n")
    assert [row.id for row in rows(table)] == ["0", "1"]
    table.write_text("audio\ttext\nspeech/anna/0.wav\tx\nspeech/bert/0.wav\ty\n")
    assert [row.id for row in rows(table)] == ["speech/anna/0", "speech/bert/0"]


def test_columns_as_a_plain_mapping_are_those_of_the_class(recordings):
    (recordings / "t.tsv").write_text("path\tsentence\tfrom\nspeech/anna/1.wav\thello\t0.5\n")
    names = {"id": "path", "audio": "path", "text": "sentence", "start_s": "from"}
    table = str(recordings / "t.tsv")
    plain = TableCorpus(table, table, columns=names)
    assert plain.columns == Columns(**names)
    (row,) = plain.rows("train", recordings)
    assert (row.text, row.start_s) == ("hello", 0.5)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"sentence": "text"},
            r"corpus.columns.sentence: our name comes first, as in corpus.columns=\{text: sentence\}",
        ),
        ({"text": 3}, r"corpus.columns.text is 3, not a text"),
    ],
)
def test_columns_that_are_none_are_refused(columns, message):
    with pytest.raises(UsageError, match=message):
        TableCorpus("t.tsv", columns=columns)


def test_the_identity_of_columns_of_older_versions_stays():
    """They had no names of times; their prepared folders are found again."""
    assert set(Columns().identity()) == {"id", "audio", "text", "speaker", "names", "separator", "folder", "suffix"}


# --- division ---------------------------------------------------------------------------------------------------------


def row(name, speaker):
    return Row("", name, None, "text", speaker, 0.0, None)


@given(
    sizes=st.lists(st.integers(1, 30), min_size=3, max_size=40),
    seed=st.integers(0, 5),
    held_out=st.floats(0.02, 0.45),
    missing=st.sampled_from([["test", "dev"], ["dev"]]),
)
def test_a_division_shares_no_speaker_loses_no_utterance_and_holds_its_share(sizes, seed, held_out, missing):
    listed = [row(f"{who}-{number}", f"s{who}") for who, size in enumerate(sizes) for number in range(size)]
    parts = divide(listed, missing, Division(seed=seed, held_out=held_out), "t")
    assert sorted(one.id for part in parts.values() for one in part) == sorted(one.id for one in listed)
    speakers = [{one.speaker for one in part} for part in parts.values()]
    assert all(speakers)
    assert sum(map(len, speakers)) == len(set.union(*speakers))
    most = max(max(sizes), int(np.ceil(held_out * len(listed))))
    assert all(len(parts[split]) <= most for split in missing)
    assert parts == divide(listed, missing, Division(seed=seed, held_out=held_out), "t")


def test_another_seed_draws_other_speakers_and_a_new_speaker_moves_few():
    listed = [row(f"{who}-{number}", f"s{who}") for who in range(50) for number in range(4)]
    drawn = [{one.speaker for one in divide(listed, ["dev"], Division(seed=seed), "t")["dev"]} for seed in range(4)]
    assert len(set(map(frozenset, drawn))) == 4
    assert all(len(speakers) == 5 for speakers in drawn)
    more = {one.speaker for one in divide([*listed, row("new", "new")], ["dev"], Division(seed=0), "t")["dev"]}
    assert len(more - drawn[0]) <= 1


def test_one_folder_is_divided_by_speaker_said_and_written_down(recordings, capsys):
    corpus = FolderCorpus(str(recordings / "speech"))
    manifests = corpus.prepare(recordings / "p", silent)
    assert list(manifests) == ["train", "dev", "test"]
    said = capsys.readouterr().err
    assert said.startswith("note: corpus.train=")
    assert "is divided by speaker (corpus.split_seed=1): utterances in train 4 of " in said
    written = json.loads((recordings / "p" / "division.json").read_text())
    for split, manifest in manifests.items():
        assert sorted({who for _, who in texts_of(manifest).values()}) == written["splits"][split]["speakers"]
    assert corpus.prepare(recordings / "p", silent) == manifests
    assert capsys.readouterr().err == ""  # what is there is not divided again
    assert corpus.fingerprint() != FolderCorpus(str(recordings / "speech"), split_seed=2).fingerprint()


def test_with_dev_nothing_is_divided_and_with_test_alone_it_is_not_drawn_again(recordings):
    speech = recordings / "speech"
    assert set(FolderCorpus(str(speech), str(speech)).prepare(recordings / "a", silent)) == {"train", "dev"}
    manifests = FolderCorpus(str(speech), None, str(speech / "anna")).prepare(recordings / "b", silent)
    assert list(manifests) == ["train", "test", "dev"]
    assert len(texts_of(manifests["test"])) == 2


@pytest.mark.parametrize(
    ("speakers", "message"),
    [
        ([None, "a"], r"cannot be divided by speaker: that of 0 is unknown.*corpus.split_by=utterance"),
        (["a", "a"], r"has 1 speaker, too few for train and test and dev: corpus.split_by=utterance"),
        (["a", "b"], r"has 2 speakers, too few"),
    ],
)
def test_what_cannot_be_divided_says_the_way_out(speakers, message):
    listed = [row(str(number), speaker) for number, speaker in enumerate(speakers)]
    with pytest.raises(UsageError, match=message):
        divide(listed, ["test", "dev"], Division(), "t.tsv")


def test_one_voice_is_divided_by_utterance():
    parts = divide([row(str(number), None) for number in range(10)], ["test", "dev"], Division(by="utterance"), "t")
    assert {split: len(part) for split, part in parts.items()} == {"train": 8, "dev": 1, "test": 1}


@pytest.mark.parametrize("options", [{"by": "sex"}, {"held_out": 0.5}, {"held_out": 0.0}, {"held_out": float("nan")}])
def test_a_division_is_one_of_two(options):
    with pytest.raises(UsageError, match="corpus"):
        Division(**options)


# --- Kaldi ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def data(recordings):
    """data/train of Kaldi beside the recordings, its paths relative to the folder above data."""
    folder = recordings / "data" / "train"
    folder.mkdir(parents=True)
    files = {
        "wav.scp": [f"{who}-1 speech/{who}/1.wav" for who in SPEAKERS],
        "segments": [f"{who}-1-{i} {who}-1 {i * 0.5} {'-1' if i else '0.5'}" for who in SPEAKERS for i in range(2)],
        "text": [f"{who}-1-{i} text {i} of {who}" for who in SPEAKERS for i in range(2)],
        "utt2spk": [f"{who}-1-{i} {who}" for who in SPEAKERS for i in range(2)],
        "utt2dur": [f"{who}-1-{i} 0.5" for who in SPEAKERS for i in range(2)],
    }
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def test_a_data_directory_is_what_lhotse_reads_of_it(data):
    from lhotse import CutSet
    from lhotse.kaldi import load_kaldi_data_dir

    absolute = data.parent / "absolute"
    shutil.copytree(data, absolute)
    text = (data / "wav.scp").read_text().replace("speech/", f"{data.parent.parent}/speech/")
    (absolute / "wav.scp").write_text(text)
    (absolute / "segments").write_text((data / "segments").read_text().replace("-1\n", "1.0\n"))
    recordings, supervisions, _ = load_kaldi_data_dir(absolute, sampling_rate=RATE)
    theirs = CutSet.from_manifests(recordings, supervisions).trim_to_supervisions(keep_overlapping=False).to_eager()
    expected = {cut.supervisions[0].id: cut for cut in theirs}
    corpus = KaldiCorpus(str(data), str(data))
    ours = {cut.id: cut for cut in read_cuts(corpus.prepare(data / "p", silent)["train"])}
    assert list(ours) == sorted(expected)
    for name, cut in ours.items():
        assert cut.supervisions[0].text == expected[name].supervisions[0].text
        assert cut.supervisions[0].speaker == expected[name].supervisions[0].speaker
        assert np.array_equal(cut.load_audio(), expected[name].load_audio())


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("wav.scp", "speech/anna/1.wav", "sox speech/anna/1.wav -t wav - |", "is a command, which is not run; write"),
        ("wav.scp", "speech/anna/1.wav", "raw_wav.1.ark:1234", "lies in an archive of Kaldi"),
        ("wav.scp", "speech/anna/1.wav", "absent.wav", r"absent.wav is in none of .*corpus.audio_root=DIR"),
        ("wav.scp", "speech/anna/1.wav", "/absent.wav", r"audio file /absent.wav is missing"),
        ("segments", "anna-1 0.0 0.5", "anna-1 0.5 0.5", "start 0.5 is not before end 0.5"),
        ("segments", "anna-1 0.0 0.5", "anna-1 0.0", "is not a recording, its start and its end"),
        ("segments", "anna-1 0.0 0.5", "anna-1 zero 0.5", "zero is not a time"),
        ("segments", "anna-1 0.0 0.5", "nora-1 0.0 0.5", "recording nora-1 is not in wav.scp"),
        ("text", "anna-1-0 text 0 of anna\n", "", "anna-1-0 is in segments but not in text"),
        ("segments", "anna-1-0 anna-1 0.0 0.5\n", "", "anna-1-0 is in text but not in segments"),
        ("text", "text 0 of anna", "", "utterance anna-1-0: text is empty"),
        ("utt2spk", "anna-1-0 anna\n", "", "utterance anna-1-0: it is not in utt2spk"),
        ("utt2dur", "anna-1-0 0.5", "anna-1-0 2.5", "it lasts 0.50 s .* but 2.50 s are said"),
        ("utt2dur", "anna-1-0 0.5", "anna-1-0 nan", "nan is not a time"),
    ],
)
def test_a_wrong_data_directory_is_named(data, name, old, new, message):
    text = (data / name).read_text()
    assert old in text
    (data / name).write_text(text.replace(old, new, 1))
    with pytest.raises(LasasrError, match=message) as caught:
        KaldiCorpus(str(data), str(data)).prepare(data / "p", silent)
    assert "\n" not in str(caught.value)


def test_the_folder_of_data_directories_names_them(data):
    with pytest.raises(LasasrError, match=r"has no wav.scp; it holds train: name one, as .*data/train"):
        KaldiCorpus(str(data.parent), str(data.parent)).fingerprint()


def test_relative_audio_of_kaldi_may_lie_anywhere_that_is_named(data, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.move(data.parent.parent / "speech", elsewhere / "speech")
    assert {row.audio.is_file() for row in kaldi.rows(data, str(elsewhere))} == {True}


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_folder_names_utterances_and_speakers_by_its_paths(recordings):
    listed = texts_of(FolderCorpus(*[str(recordings / "speech")] * 2).prepare(recordings / "p", silent)["train"])
    assert listed["anna/0"] == ("number 0, of anna", "anna")
    assert len(listed) == 8
    without = FolderCorpus(*[str(recordings / "speech")] * 2, speakers=False).prepare(recordings / "q", silent)
    assert {speaker for _, speaker in texts_of(without["train"]).values()} == {None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "anna/0.txt").unlink(), r"anna/0.wav: no .txt beside it"),
        (lambda folder: (folder / "anna/0.wav").unlink(), r"anna/0.txt: no recording beside it"),
        (lambda folder: (folder / "anna/0.txt").write_text(" \n"), r"anna/0.txt: the transcript is empty"),
        (lambda folder: (folder / "anna/0.txt").write_bytes(b"\xff\xfe"), r"anna/0.txt: it is no UTF-8"),
        (lambda folder: shutil.copy(folder / "anna/0.wav", folder / "anna/0.flac"), r"two recordings of one name"),
        (lambda folder: [path.unlink() for path in folder.rglob("*.wav")], r"speech holds no audio"),
    ],
)
def test_a_wrong_folder_is_named(recordings, change, message):
    change(recordings / "speech")
    with pytest.raises(LasasrError, match=message):
        FolderCorpus(str(recordings / "speech")).fingerprint() and FolderCorpus(str(recordings / "speech")).prepare(
            recordings / "p", silent
        )


def test_an_edited_transcript_is_another_corpus(recordings):
    corpus = FolderCorpus(str(recordings / "speech"))
    before = corpus.fingerprint()
    (recordings / "speech/anna/0.txt").write_text("other words")
    assert corpus.fingerprint() != before


# --- Hugging Face -----------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(recordings):
    """A data set as the library saves it: its audio embedded in one split, as files in the other."""
    datasets = pytest.importorskip("datasets", reason="needs the extra `huggingface`")
    files = sorted((recordings / "speech").rglob("*.wav"))
    features = datasets.Features(
        {
            "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "sentence": datasets.Value("string"),
            "speaker_id": datasets.Value("int64"),
        }
    )
    stored = [
        {"audio": {"path": path.name, "bytes": path.read_bytes()}, "sentence": f"text {i}", "speaker_id": i // 2}
        for i, path in enumerate(files)
    ]
    named = [{"audio": {"path": str(path), "bytes": None}, "sentence": path.stem, "speaker_id": 9} for path in files]
    splits = {
        "train": datasets.Dataset.from_list(stored, features=features).add_column("id", [f"u{i}" for i in range(8)]),
        "validation": datasets.Dataset.from_list(named[:2], features=features),
    }
    typed = {split: part.cast_column("audio", datasets.Audio()) for split, part in splits.items()}
    datasets.DatasetDict(typed).save_to_disk(recordings / "saved")
    return recordings / "saved"


def test_a_saved_data_set(saved, recordings):
    corpus = HuggingFaceCorpus(str(saved), dev="validation")
    manifests = corpus.prepare(recordings / "p", silent)
    listed = texts_of(manifests["train"])
    assert listed["u3"] == ("text 3", "1")
    assert set(texts_of(manifests["dev"])) == {"0", "1"}
    files = sorted((recordings / "speech").rglob("*.wav"))
    for number, cut in enumerate(read_cuts(manifests["train"])):
        assert np.array_equal(cut.load_audio()[0], soundfile.read(files[number], dtype="float32")[0])
    assert corpus.fingerprint() == HuggingFaceCorpus(str(saved), dev="validation").fingerprint()
    divided = HuggingFaceCorpus(str(saved)).prepare(recordings / "q", silent)
    assert list(divided) == ["train", "dev", "test"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": "trian"}, r"corpus.train=trian: .* has the splits train, validation"),
        ({"columns": {"text": "words"}}, r"corpus.columns.text=words: .* has audio, sentence, speaker_id, id"),
        ({"columns": {"words": "text"}}, r"corpus.columns.words: our name comes first"),
        ({"dev": "validation", "columns": {"id": "speaker_id"}}, r"row 1: id 0 stands twice"),
    ],
)
def test_a_wrong_choice_in_a_data_set_is_named(saved, recordings, options, message):
    with pytest.raises(LasasrError, match=message):
        HuggingFaceCorpus(str(saved), **options).prepare(recordings / "p", silent)


def test_without_the_library_its_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(LasasrError, match=r"pip install 'lasasr\[huggingface\]'"):
        HuggingFaceCorpus(str(tmp_path)).fingerprint()


def test_a_missing_folder_that_may_be_a_name_of_the_hub_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        LasasrError, match="recordings/anna does not exist here; to look for it on the Hugging Face hub"
    ):
        HuggingFaceCorpus("recordings/anna").fingerprint()


# --- import -----------------------------------------------------------------------------------------------------------


def test_what_is_imported_is_what_would_be_read_without(data, recordings, capsys, monkeypatch):
    monkeypatch.chdir(recordings)
    assert main(["import", "data/train", "--out", "kaldi.tsv"]) == 0
    assert capsys.readouterr().out == "kaldi.tsv: 8 utterances, 4.0 s, 4 speakers (kaldi)\n"
    assert main(["import", "speech", "--out", "folder.jsonl"]) == 0
    table, form = TableCorpus(*["kaldi.tsv"] * 2), KaldiCorpus(*["data/train"] * 2)
    ours, theirs = (
        {cut.id: cut for cut in read_cuts(corpus.prepare(recordings / name, silent)["train"])}
        for corpus, name in ((table, "one"), (form, "two"))
    )
    assert ours == theirs
    folder = texts_of(TableCorpus(*["folder.jsonl"] * 2).prepare(recordings / "three", silent)["train"])
    assert folder == texts_of(FolderCorpus(*["speech"] * 2).prepare(recordings / "four", silent)["train"])
    assert (recordings / "kaldi.tsv").read_text().splitlines()[1].split("\t")[1] == "speech/anna/1.wav"


@pytest.mark.parametrize(
    ("source", "format"), [("data", "kaldi"), ("data/train", "kaldi"), ("speech", "folder"), ("a.csv", "table")]
)
def test_the_form_of_a_source_is_found_by_looking(data, recordings, monkeypatch, source, format):
    monkeypatch.chdir(recordings)
    (recordings / "a.csv").write_text("audio,text\n")
    assert import_rows.format_of(source) == format


def test_a_name_with_one_slash_is_of_the_hub_where_no_such_path_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert import_rows.format_of("user/name") == "huggingface"
    with pytest.raises(LasasrError, match="SOURCE is a table"):
        import_rows.format_of("absent")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speech", "--out", "t.xlsx"], "a table is written as .tsv or .jsonl"),
        (["speech", "--out", "there.tsv"], "is there already; name another file, or add --force"),
        (["speech", "--out", "t.tsv", "--format", "kaldy"], "nearest: kaldi"),
        (["speech", "--out", "t.tsv", "--columns", "text"], "write OURS=THEIRS"),
        (["speech", "--out", "t.tsv", "--columns", "text=x"], "folder has no columns"),
    ],
)
def test_a_wrong_import_is_one_line(recordings, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(recordings)
    (recordings / "there.tsv").write_text("")
    assert main(["import", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
