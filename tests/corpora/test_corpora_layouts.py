"""The layouts of TIMIT and LibriSpeech, read back by other means."""

from itertools import pairwise

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent

from lasasr.corpora.espeak import Voice, speak
from lasasr.corpora.layouts import write_librispeech, write_timit
from lasasr.corpora.librispeech import LibriSpeechCorpus
from lasasr.corpora.manifest import read_cuts
from lasasr.corpora.sentences import load_grammar
from lasasr.corpora.timing import Segment, segments
from lasasr.corpora.timit_phones import timit_phones
from lasasr.corpora.voices import ACCENTS

# phoncode.doc of the distribution
_TIMIT_61 = """
b d g p t k dx q bcl dcl gcl pcl tcl kcl jh ch s sh z zh f th v dh m n ng em en eng nx l r w y hh hv el
iy ih eh ey ae aa aw ay ah ao oy ow uh uw ux er ax ix axr ax-h pau epi h#
"""
TIMIT_61 = set(_TIMIT_61.split())


def samples_of(cut):
    return np.round(cut.load_audio()[0] * 32768).astype(np.int16)


@pytest.fixture(scope="module")
def timit(manifests, tmp_path_factory):
    """(cut, path without its suffix) of every utterance of the test split, written as TIMIT's TEST."""
    root = tmp_path_factory.mktemp("timit")
    cuts = list(read_cuts(manifests["test"]))
    write_timit(cuts, root, "TEST")
    by_text = {cut.supervisions[0].text: cut for cut in cuts}
    written = sorted(root.glob("TEST/DR[1-8]/[FM]???[0-9]/S[XI]*.WAV"))
    assert len(written) == len(cuts) == len(by_text)
    texts = [path.with_suffix(".TXT").read_text().split(maxsplit=2)[2].strip().rstrip(".").lower() for path in written]
    return [(by_text[text], path.with_suffix("")) for text, path in zip(texts, written, strict=True)]


def read_times(path):
    fields = [line.split() for line in path.read_text().splitlines()]
    return [(int(start), int(end), symbol) for start, end, symbol in fields]


def test_sphere(timit):
    for cut, base in timit:
        wav = base.with_suffix(".WAV")
        assert soundfile.info(wav).format == "NIST"
        samples, rate = soundfile.read(wav, dtype="int16")
        assert rate == 16000
        assert np.array_equal(samples, samples_of(cut))
        assert wav.stat().st_size == 1024 + 2 * len(samples)
        assert wav.read_bytes()[:16] == b"NIST_1A\n   1024\n"


def test_words_and_phones_in_samples(timit):
    for cut, base in timit:
        words, phones = (read_times(base.with_suffix(suffix)) for suffix in (".WRD", ".PHN"))
        alignment = cut.supervisions[0].alignment
        assert [word for *_, word in words] == cut.supervisions[0].text.split()
        assert [start / 16000 for start, *_ in words] == pytest.approx(
            [item.start for item in alignment["word"]], abs=1e-4
        )
        assert phones[0][0] == 0
        assert phones[-1][1] == cut.num_samples
        assert [phones[0][2], phones[-1][2]] == ["h#", "h#"]
        assert all(phone[1] == other[0] for phone, other in pairwise(phones))
        assert all(start < end for start, end, _ in phones)
        assert {symbol for *_, symbol in phones} <= TIMIT_61
        edges = {edge for start, end, _ in phones for edge in (start, end)}
        assert all({start, end} <= edges for start, end, _ in words)
        assert base.with_suffix(".TXT").read_text().split()[:2] == ["0", str(cut.num_samples)]


def test_given_names_are_used(manifests, tmp_path):
    write_timit(read_cuts(manifests["dev"]), tmp_path, "TEST", speakers=["DR1/FELC0", "DR4/MLLL0"])
    assert {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.WAV")} == {
        "TEST/DR1/FELC0",
        "TEST/DR4/MLLL0",
    }
    assert len(list(tmp_path.rglob("*.WAV"))) == len(read_cuts(manifests["dev"]))


@pytest.mark.parametrize("accent", ACCENTS)
def test_every_phone_of_the_grammars_has_its_symbol(accent):
    words = load_grammar("large").words()
    for i in range(0, len(words), 40):
        text = " ".join(words[i : i + 40])
        for phone in segments(text, speak(text, Voice(accent, "m3")))[1]:
            assert {segment.symbol for segment in timit_phones(phone)} <= TIMIT_61


def test_a_stop_is_closure_and_release():
    closure, release = timit_phones(Segment("t", 1.0, 1.1))
    assert (closure.symbol, release.symbol) == ("tcl", "t")
    assert (closure.start_s, release.end_s) == (1.0, 1.1)
    assert closure.end_s == release.start_s


def test_librispeech_is_read_back(manifests, tmp_path):
    cuts = {split: list(read_cuts(manifests[split])) for split in ("train", "test")}
    write_librispeech(cuts["train"], tmp_path, "train-clean-100")
    write_librispeech(cuts["test"], tmp_path, "test-clean", first_speaker=1000)
    corpus = LibriSpeechCorpus(str(tmp_path), dev=[], test=["test-clean"], hold_out_speakers=1)
    read = corpus.prepare(tmp_path / "prepared", silent)
    cuts_of = {split: list(read_cuts(path)) for split, path in read.items()}
    cuts_of["train"] += cuts_of.pop("dev")
    for split, originals in cuts.items():
        by_text = {cut.supervisions[0].text: cut for cut in cuts_of[split]}
        assert len(cuts_of[split]) == len(originals)
        for cut in originals:
            again = by_text[cut.supervisions[0].text.upper()]
            assert np.array_equal(samples_of(again), samples_of(cut))
        assert len({cut.supervisions[0].speaker for cut in originals}) == len(
            {cut.supervisions[0].speaker for cut in cuts_of[split]}
        )
