"""TIMIT's layout, protocol and times, on a tree of the synthetic voices and on one of the full size."""

import logging
import os
import shutil
import string
from collections import Counter
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent
from lhotse.recipes.timit import get_speakers

from lasasr.corpora.layouts import write_timit
from lasasr.corpora.manifest import read_cuts
from lasasr.corpora.timit import TIMITCorpus
from lasasr.corpora.timit_speakers import CORE_TEST, DEV
from lasasr.errors import LasasrError, UsageError
from lasasr.text import transcript
from lasasr.text.timit import PHONES_61

CORE = sorted(CORE_TEST)


def test_the_speakers_are_those_of_an_independent_list():
    dev, core = get_speakers()
    assert {speaker.lower() for speaker in DEV} == set(dev)
    assert {speaker.lower() for speaker in CORE_TEST} == set(core)


def test_the_core_test_set_is_two_men_and_a_woman_of_each_region():
    assert len(CORE_TEST) == 24
    assert Counter(speaker[0] for speaker in CORE_TEST) == {"M": 16, "F": 8}
    assert len(DEV) == 50
    assert not DEV & CORE_TEST


@pytest.fixture(scope="module")
def rendered(manifests, tmp_path_factory):
    """The synthetic splits as a TIMIT in which TEST has one dev and two core test speakers."""
    root = tmp_path_factory.mktemp("rendered") / "TIMIT"
    write_timit(read_cuts(manifests["train"]), root, "TRAIN")
    write_timit(read_cuts(manifests["dev"]), root, "TEST", speakers=["DR1/FAKS0"])
    write_timit(read_cuts(manifests["test"]), root, "TEST", speakers=["DR1/FELC0", "DR4/MLLL0"])
    return root


def prepared(root, folder, **options):
    manifests = TIMITCorpus(str(root), **options).prepare(folder, silent)
    return {split: list(read_cuts(path)) for split, path in manifests.items()}


def test_a_rendered_timit_is_read_back(manifests, rendered, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        splits = prepared(rendered, tmp_path)
    assert "is a part of TIMIT" in caplog.text
    for split, cuts in splits.items():
        assert len(cuts) == len(read_cuts(manifests[split]))
    assert {cut.supervisions[0].speaker for cut in splits["test"]} <= {"FELC0", "MLLL0"}
    originals = {cut.num_samples: cut for cut in read_cuts(manifests["test"])}
    for cut in splits["test"]:
        original = originals[cut.num_samples]
        assert np.array_equal(cut.load_audio(), original.load_audio())
        words, same = (read_cut.supervisions[0].alignment["word"] for read_cut in (cut, original))
        assert [item.symbol for item in words] == [item.symbol for item in same]
        assert [item.start for item in words] == pytest.approx([item.start for item in same], abs=1e-4)
        phones = cut.supervisions[0].alignment["phone"]
        assert [item.symbol for item in phones] == cut.supervisions[0].text.split()
        assert all(phone.end == pytest.approx(other.start, abs=1e-4) for phone, other in pairwise(phones))
        assert phones[-1].end == pytest.approx(cut.duration, abs=1e-4)


def test_names_in_small_letters_give_the_same_corpus(rendered, tmp_path):
    small = tmp_path / "small"
    for path in rendered.rglob("*.*"):
        target = small / path.relative_to(rendered).as_posix().lower()
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    big = prepared(rendered, tmp_path / "1")
    for split, cuts in prepared(small, tmp_path / "2").items():
        assert [(cut.id, cut.supervisions[0].text) for cut in cuts] == [
            (cut.id, cut.supervisions[0].text) for cut in big[split]
        ]


def test_it_is_found_from_above_and_its_number_of_phones_changes_no_manifest(rendered):
    ways = [TIMITCorpus(str(root), phones) for root, phones in product((rendered, rendered.parent), (61, 48, 39))]
    assert len({corpus.fingerprint() for corpus in ways}) == 1
    assert [corpus.transcript for corpus in ways[:3]] == ["timit61", "timit48", "timit39"]


@pytest.mark.parametrize("phones", [61, 48, 39])
def test_scoring_is_on_39_whatever_is_modelled(rendered, tmp_path, phones):
    rule = transcript.rule(TIMITCorpus(str(rendered), phones).transcript)
    for cut in prepared(rendered, tmp_path)["test"]:
        raw = cut.supervisions[0].text
        assert rule.scored(rule(raw)) == transcript.rule("timit39")(raw)
        assert len(set(rule(raw).split())) <= phones


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """All 630 speakers of TIMIT with their ten sentences, which are the same second of silence."""
    root = tmp_path_factory.mktemp("whole")
    wav, phn, wrd = (root / f"one{suffix}" for suffix in (".wav", ".phn", ".wrd"))
    soundfile.write(wav, np.zeros(1600), 16000)
    phn.write_text("0 800 h#\n800 1600 q\n")
    wrd.write_text("800 1600 word\n")
    invented = [f"FZ{first}{second}0" for first, second in product(string.ascii_uppercase, repeat=2)]
    train, rest = invented[:462], invented[462 : 630 - len(DEV) - len(CORE)]
    for part, speakers in (("TRAIN", train), ("TEST", [*sorted(DEV), *CORE, *rest])):
        for index, speaker in enumerate(speakers):
            folder = root / part / f"DR{index % 8 + 1}" / speaker
            folder.mkdir(parents=True)
            for name in ("SA1", "SA2", "SI1", "SI2", "SI3", "SX1", "SX2", "SX3", "SX4", "SX5"):
                for source in (wav, phn, wrd):
                    os.link(source, folder / f"{name}{source.suffix.upper()}")
    return root


def test_the_whole_protocol(whole, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        splits = prepared(whole, tmp_path)
    assert caplog.text == ""
    assert {split: len(cuts) for split, cuts in splits.items()} == {"train": 3696, "dev": 400, "test": 192}
    speakers = {split: {cut.supervisions[0].speaker for cut in cuts} for split, cuts in splits.items()}
    assert (len(speakers["train"]), speakers["dev"], speakers["test"]) == (462, DEV, CORE_TEST)
    assert not any("_SA" in cut.id for cuts in splits.values() for cut in cuts)


def test_a_whole_timit_that_lacks_a_sentence_is_damaged(whole, tmp_path):
    (missing,) = (whole / "TEST").glob(f"*/{CORE[0]}/SX3.WAV")
    moved = missing.rename(tmp_path / "kept.wav")
    try:
        with pytest.raises(LasasrError, match=f"TEST is damaged: {CORE[0]} has 4 SX sentences, not 5"):
            prepared(whole, tmp_path / "prepared")
    finally:
        moved.rename(missing)


@pytest.fixture
def small(tmp_path):
    """One utterance per split."""
    for part, speaker in (("TRAIN", "DR1/FCJF0"), ("TEST", "DR1/FAKS0"), ("TEST", "DR1/FELC0")):
        folder = tmp_path / "TIMIT" / part / speaker
        folder.mkdir(parents=True)
        soundfile.write(folder / "SX37.WAV", np.zeros(1600), 16000)
        (folder / "SX37.PHN").write_text("0 800 h#\n800 1600 iy\n")
        (folder / "SX37.WRD").write_text("800 1600 e\n")
    return tmp_path / "TIMIT"


TRAINED = Path("TRAIN/DR1/FCJF0")


def rename(old, new):
    return lambda root: shutil.move(root / old, root / new)


def write(path, text):
    return lambda root: (root / path).write_text(text)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (root / TRAINED / "SX37.PHN").unlink(), "SX37.PHN is missing"),
        (lambda root: (root / TRAINED / "SX37.WRD").unlink(), "SX37.WRD is missing"),
        (write(TRAINED / "SX37.PHN", ""), "SX37.PHN is empty"),
        (write(TRAINED / "SX37.PHN", "0 800 h#\n800 1600 IY\n"), "line 2: 'IY' is none of TIMIT's 61 labels"),
        (write(TRAINED / "SX37.PHN", "0 800\n"), "line 1: '0 800' is not first sample, last sample, symbol"),
        (write(TRAINED / "SX37.PHN", "800 0 h#\n"), "line 1: '800 0 h#' is not first sample"),
        (write(TRAINED / "SX37.PHN", "0 9999 h#\n"), "from sample 0 to 9999, but .*SX37.WAV has 1600"),
        (write(TRAINED / "SX37.WAV", "no audio"), "SX37.WAV is unreadable"),
        (rename(TRAINED / "SX37.WAV", TRAINED / "XX1.WAV"), "XX1.WAV is not named as in TIMIT"),
        (rename("TRAIN/DR1", "TRAIN/DR9"), "is not named as in TIMIT"),
        (rename(TRAINED / "SX37.WAV", TRAINED / "SA1.WAV"), "TRAIN has no SI or SX sentence, so train would be empty"),
        (rename("TEST/DR1/FELC0", "TEST/DR1/FABC0"), "of the 24 test speakers, so test would be empty"),
        (rename("TEST/DR1/FAKS0", "TEST/DR1/FABC0"), "of the 50 dev speakers, so dev would be empty"),
        (rename(TRAINED, "TRAIN/DR1/FELC0"), "speaker FELC0 is in TRAIN and in TEST"),
        (rename("TEST", "Test"), "there is no TIMIT in"),
    ],
)
def test_damage_is_named(small, tmp_path, damage, message):
    damage(small)
    with pytest.raises(LasasrError, match=message) as caught:
        prepared(small, tmp_path / "prepared")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "prepared" / "train.jsonl.gz").exists()


def test_a_speaker_in_two_regions(small, tmp_path):
    shutil.copytree(small / TRAINED, small / "TRAIN/DR2/FCJF0")
    with pytest.raises(LasasrError, match="stands twice"):
        prepared(small, tmp_path / "prepared")


def test_converted_copies_beside_the_originals_are_passed_over(small, tmp_path):
    shutil.copy(small / TRAINED / "SX37.WAV", small / TRAINED / "SX37.WAV.wav")
    assert len(prepared(small, tmp_path / "prepared")["train"]) == 1


def test_other_numbers_of_phones_are_refused():
    with pytest.raises(UsageError, match=r"corpus\.phones=60 must be 61, 48 or 39"):
        TIMITCorpus("anywhere", phones=60)


def test_a_corpus_that_changed_is_another_one(small):
    before = TIMITCorpus(str(small)).fingerprint()
    (small / TRAINED / "SX37.PHN").write_text("0 1600 h#\n")
    assert TIMITCorpus(str(small)).fingerprint() != before


def test_every_label_is_taken(small, tmp_path):
    lines = "".join(f"{10 * i} {10 * i + 10} {label}\n" for i, label in enumerate(PHONES_61))
    (small / TRAINED / "SX37.PHN").write_text(lines)
    (cut,) = prepared(small, tmp_path / "prepared")["train"]
    assert cut.supervisions[0].text.split() == list(PHONES_61)
