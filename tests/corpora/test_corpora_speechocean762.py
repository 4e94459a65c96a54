"""speechocean762: Kaldi's folders as they are here and as they are distributed, and who is taken out of train."""

import logging
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent

from lasasr.corpora.manifest import read_cuts
from lasasr.corpora.speechocean762 import Speechocean762Corpus
from lasasr.errors import LasasrError, UsageError
from lasasr.text.cmu import PHONES_39

PHONES = "W_B IY0_E | K_B AO1_I L_E | AH0_S"


def write_folder(root, name, speakers, official=False, suffix="ogg"):
    """Two utterances of each speaker; ages and genders alternate in fours."""
    lists = {file: [] for file in ("wav.scp", "text", "utt2spk", "text-phone", "spk2age", "spk2gender")}
    for index, speaker in enumerate(speakers):
        lists["spk2age"].append(f"{speaker}\t{(7, 25)[index % 2]}")
        lists["spk2gender"].append(f"{speaker}\t{'mf'[index // 2 % 2]}")
        for number in range(2):
            utterance = f"0{speaker}000{number}"
            audio = Path("WAVE") / f"SPEAKER{speaker}" / f"{utterance}.{suffix}"
            (root / audio).parent.mkdir(parents=True, exist_ok=True)
            ogg = {"format": "OGG", "subtype": "OPUS"} if suffix == "ogg" else {"format": "WAV"}
            soundfile.write(root / audio, np.full(1600, 0.1), 16000, **ogg)
            lists["wav.scp"].append(f"{utterance}\t{audio}")
            lists["text"].append(f"{utterance}\tWE CALL A")
            lists["utt2spk"].append(f"{utterance}\t{speaker}")
            words = PHONES.split(" | ")
            parts = [f"{utterance}.{i} {word}" for i, word in enumerate(words)]
            lists["text-phone"] += parts if official else [f"{utterance}\t{PHONES}"]
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    if official:
        (root / "resource").mkdir(exist_ok=True)
        with (root / "resource" / "text-phone").open("a") as file:
            file.writelines(f"{line}\n" for line in lists.pop("text-phone"))
    for file, lines in lists.items():
        (folder / file).write_text("".join(f"{line}\n" for line in lines))


def numbers(first, count):
    return [f"{first + i:04d}" for i in range(count)]


@pytest.fixture
def here(tmp_path):
    root = tmp_path / "speechocean762"
    write_folder(root, "train", numbers(1, 16))
    write_folder(root, "dev", numbers(100, 2))
    return root


@pytest.fixture
def official(tmp_path):
    root = tmp_path / "official"
    write_folder(root, "train", numbers(1, 16), official=True, suffix="WAV")
    write_folder(root, "test", numbers(100, 3), official=True, suffix="WAV")
    return root


def prepared(root, folder, **options):
    corpus = Speechocean762Corpus(str(root), **{"dev_speakers": 4, **options})
    return {split: list(read_cuts(path)) for split, path in corpus.prepare(folder, silent).items()}


def speakers(cuts):
    return {cut.supervisions[0].speaker for cut in cuts}


def test_dev_is_taken_out_of_train_and_the_folder_dev_is_the_test_split(here, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        splits = prepared(here, tmp_path / "prepared")
    assert "its folder dev is the test split" in caplog.text
    assert speakers(splits["test"]) == set(numbers(100, 2))
    assert speakers(splits["train"]) | speakers(splits["dev"]) == set(numbers(1, 16))
    assert not speakers(splits["train"]) & speakers(splits["dev"])
    assert len(splits["train"]) + len(splits["dev"]) == 32


def test_every_group_of_age_and_gender_gives_its_share(here, tmp_path):
    ages, genders = (
        dict(line.split() for line in (here / "train" / name).read_text().splitlines())
        for name in ("spk2age", "spk2gender")
    )
    groups = [(ages[speaker], genders[speaker]) for speaker in speakers(prepared(here, tmp_path / "prepared")["dev"])]
    assert Counter(groups) == dict.fromkeys([("7", "m"), ("7", "f"), ("25", "m"), ("25", "f")], 1)


def test_without_ages_and_genders_dev_is_still_the_same_each_time(here, tmp_path):
    for name in ("spk2age", "spk2gender"):
        (here / "train" / name).unlink()
    once, again = (speakers(prepared(here, tmp_path / folder_name)["dev"]) for folder_name in ("1", "2"))
    assert once == again == {"0003", "0007", "0011", "0015"}


@pytest.mark.parametrize("layout", ["here", "official"])
def test_words_and_phones(layout, request, tmp_path):
    root = request.getfixturevalue(layout)
    (text,) = {cut.supervisions[0].text for cut in prepared(root, tmp_path / "1")["train"]}
    assert text == "WE CALL A"
    (text,) = {cut.supervisions[0].text for cut in prepared(root, tmp_path / "2", text="phones")["train"]}
    assert text == "W IY K AO L AH"


def test_more_than_ten_words_stay_in_order(official, tmp_path):
    path = official / "resource" / "text-phone"
    words = [f"000010000.{i} {phone}1_S" for i, phone in enumerate(PHONES_39)]
    others = [line for line in path.read_text().splitlines() if not line.startswith("000010000.")]
    path.write_text("\n".join([*reversed(words), *others]) + "\n")
    splits = prepared(official, tmp_path / "prepared", text="phones")
    (cut,) = (cut for cuts in splits.values() for cut in cuts if cut.id == "000010000")
    assert cut.supervisions[0].text.split() == list(PHONES_39)


def test_the_official_test_set_is_the_test_split(official, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert len(speakers(prepared(official, tmp_path / "prepared")["test"])) == 3
    assert caplog.text == ""


def change(path, old, new):
    return lambda root: (root / path).write_text((root / path).read_text().replace(old, new, 1))


@pytest.mark.parametrize(
    ("damage", "text", "message"),
    [
        (change("train/text", "000010000\tWE CALL A\n", ""), "words", "text has no line for 000010000"),
        (change("train/text", "WE CALL A", ""), "words", "line 1: 000010000 has nothing after it"),
        (change("train/utt2spk", "000010000", "x"), "words", "utt2spk has no line for 000010000"),
        (change("train/text-phone", "000010000", "x"), "phones", "text-phone has no line for 000010000"),
        (change("train/text-phone", "IY0_E", "XX_E"), "phones", "000010000: 'XX_E' is none of the 39 phones"),
        (change("train/text", "000010001", "000010000"), "words", "line 2: 000010000 stands twice"),
        (change("dev/utt2spk", "\t0100", "\t0001"), "words", "speaker 0001 is in train and in dev"),
        (lambda root: (root / "dev/wav.scp").unlink(), "words", "there is no dev/wav.scp"),
        (lambda root: (root / "train/text-phone").unlink(), "phones", "has a text-phone; use corpus.text=words"),
        (lambda root: (root / "train/text").write_bytes(b"\xff\xff a\n"), "words", "no UTF-8 text"),
        (lambda root: (root / "WAVE/SPEAKER0001/000010000.ogg").unlink(), "words", "000010000.ogg is missing"),
        (lambda root: (root / "train/utt2spk").unlink(), "words", "utt2spk is missing; copy the folder .*train again"),
    ],
)
def test_damage_is_named(here, tmp_path, damage, text, message):
    damage(here)
    with pytest.raises(LasasrError, match=message) as caught:
        prepared(here, tmp_path / "prepared", text=text)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "prepared" / "train.jsonl.gz").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "word"}, "corpus.text=word must be words or phones"),
        ({"dev_speakers": 0}, "corpus.dev_speakers=0"),
        ({"test": "train"}, "corpus.test=train would evaluate what is trained on"),
    ],
)
def test_nonsense(options, message):
    with pytest.raises(UsageError, match=message):
        Speechocean762Corpus("anywhere", **options)


def test_nobody_is_left_to_train_on(here, tmp_path):
    with pytest.raises(LasasrError, match="dev_speakers=16 leaves nothing of the 16 speakers"):
        prepared(here, tmp_path / "prepared", dev_speakers=16)


def test_real_speech(tmp_path):
    root = Path(os.environ.get("LASASR_DATA", "data")) / "speechocean762"
    if not (root / "train" / "wav.scp").is_file():
        pytest.skip("no real speech")
    splits = prepared(root, tmp_path, text="phones", dev_speakers=10)
    phones = {phone for cuts in splits.values() for cut in cuts for phone in cut.supervisions[0].text.split()}
    assert phones == set(PHONES_39)
    assert splits["test"][0].load_audio().shape == (1, splits["test"][0].num_samples)


def test_adults_and_children_divide_every_split(here, tmp_path):
    """Both halves together are the whole; the identity of the whole is what it was before there were halves."""
    whole = Speechocean762Corpus(str(here), dev_speakers=4)
    assert "ages" not in whole.identity()
    halves = {}
    for ages in ("adults", "children"):
        corpus = Speechocean762Corpus(str(here), dev_speakers=2, ages=ages)
        assert corpus.fingerprint() != whole.fingerprint()
        halves[ages] = prepared(here, tmp_path / ages, dev_speakers=2, ages=ages)
    listed = dict(line.split() for line in (here / "train" / "spk2age").read_text().splitlines())
    for ages, age in (("adults", "25"), ("children", "7")):
        trained_on = speakers(halves[ages]["train"]) | speakers(halves[ages]["dev"])
        assert trained_on == {speaker for speaker, value in listed.items() if value == age}
    tested = [speakers(halves[ages]["test"]) for ages in halves]
    assert tested[0] | tested[1] == set(numbers(100, 2))
    assert not tested[0] & tested[1]


def test_a_speaker_without_an_age_is_named(here, tmp_path):
    lines = (here / "train" / "spk2age").read_text().splitlines()
    (here / "train" / "spk2age").write_text("\n".join(lines[1:]))
    with pytest.raises(LasasrError, match=r"spk2age does not say the age of 0001: use corpus\.ages=all"):
        prepared(here, tmp_path / "prepared", ages="adults")
    with pytest.raises(UsageError, match=r"corpus\.ages=grown must be one of all, adults, children"):
        Speechocean762Corpus(str(here), ages="grown")
