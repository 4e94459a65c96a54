"""The rendered corpus: what it holds, that its options alone decide it, and that an interruption leaves no half."""

import gzip
import json
import random
import sys
from itertools import chain, islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent, tiny

from lasasr.corpora.manifest import read_cuts
from lasasr.corpora.voices import VARIANTS, draw_shifted_voice, draw_voice
from lasasr.errors import LasasrError, UsageError


def contents(manifests, folder):
    """Manifests without the folder they lie in, and the audio they name."""
    return {
        split: (
            gzip.decompress(path.read_bytes()).decode().replace(str(folder), ""),
            [Path(cut.recording.sources[0].source).read_bytes() for cut in read_cuts(path)],
        )
        for split, path in manifests.items()
    }


def test_contract(manifests):
    assert set(manifests) == {"train", "dev", "test"}
    sizes = {split: len(read_cuts(path)) for split, path in manifests.items()}
    assert sizes["dev"] == 5
    assert sizes["test"] == 7
    train = read_cuts(manifests["train"])
    assert 0.006 * 3600 <= sum(cut.duration for cut in train) < 0.006 * 3600 + max(cut.duration for cut in train)
    for cut in chain.from_iterable(map(read_cuts, manifests.values())):
        audio = Path(cut.recording.sources[0].source)
        samples, rate = soundfile.read(audio, dtype="int16")
        assert audio.is_absolute()
        assert (rate, samples.ndim, len(samples)) == (16000, 1, cut.num_samples)
        assert np.array_equal(np.round(cut.load_audio()[0] * 32768), samples)
        (supervision,) = cut.supervisions
        assert supervision.speaker in cut.id
        assert 0.05 < np.abs(samples / 32768).max() < 0.96


def test_a_split_is_rendered_alone_as_beside_the_others(manifests, tmp_path):
    only = tiny().prepare_only(tmp_path, ["test"], silent)
    assert set(only) == {"test"}
    assert {path.name for path in (tmp_path / "audio").iterdir()} == {"test"}
    folder = manifests["test"].parent
    assert contents(only, tmp_path.resolve())["test"] == contents(manifests, folder)["test"]
    assert set(tiny().prepare_only(tmp_path, ["dev"], silent)) == {"dev", "test"}


def test_nothing_lies_beside_what_the_manifests_name(manifests):
    for split, path in manifests.items():
        files = set((path.parent / "audio" / split).iterdir())
        assert files == {Path(cut.recording.sources[0].source) for cut in read_cuts(path)}


def test_splits_share_neither_voices_nor_sentences(manifests):
    cuts = {split: list(read_cuts(path)) for split, path in manifests.items()}
    for first, second in (("train", "dev"), ("train", "test"), ("dev", "test")):
        for of in (lambda s: s.speaker, lambda s: s.speaker.split("-")[-1], lambda s: s.text):
            held = [{of(cut.supervisions[0]) for cut in cuts[split]} for split in (first, second)]
            assert not held[0] & held[1]
        assert not set(VARIANTS[first]) & set(VARIANTS[second])


def test_sentences_stay_apart_in_a_large_corpus():
    texts = tiny(dev_utterances=400, test_utterances=400).texts()
    train = {next(texts["train"]) for _ in range(4000)}
    dev, test = set(texts["dev"]), set(texts["test"])
    assert len(dev) == len(test) == 400
    assert not train & dev
    assert not train & test
    assert not dev & test


@pytest.mark.parametrize(("grammar", "fewest"), [("demo", 7), ("large", 12)])
def test_longer_sentences(grammar, fewest):
    texts = tiny(grammar=grammar, fewest_words=fewest).texts()
    drawn = chain(texts["test"], texts["dev"], islice(texts["train"], 200))
    assert all(fewest <= len(text.split()) <= 12 for text in drawn)


def test_times(manifests):
    for cut in chain.from_iterable(map(read_cuts, manifests.values())):
        (supervision,) = cut.supervisions
        assert [item.symbol for item in supervision.alignment["word"]] == supervision.text.split()
        for items in supervision.alignment.values():
            times = [time_s for item in items for time_s in (item.start, item.end)]
            assert all(b - a > -1e-9 for a, b in pairwise(times))
            assert all(item.duration > 0 for item in items)
            assert times[0] >= 0.05 - 1e-3
            assert times[-1] <= cut.duration


def test_noise_has_its_level(tmp_path):
    """Before the speech begins there is noise alone: the ratio follows from its power and that of the whole."""
    for snr_db in (10.0, 30.0):
        corpus = tiny(snr_db=[snr_db, snr_db], hours=0.001, dev_utterances=1, test_utterances=8)
        ratios_db = []
        for cut in read_cuts(corpus.prepare(tmp_path / str(snr_db), silent)["test"]):
            samples = cut.load_audio()[0]
            first = int(16000 * cut.supervisions[0].alignment["word"][0].start) - 80
            noise, speech = np.mean(samples[:first] ** 2), np.mean(samples[first:] ** 2)
            ratios_db.append(10 * np.log10(speech / noise))
        assert np.median(ratios_db) == pytest.approx(snr_db, abs=3)


def test_workers_change_nothing(manifests, tmp_path):
    again = tiny(workers=2).prepare(tmp_path, silent)
    assert contents(again, tmp_path) == contents(manifests, manifests["train"].parent)
    for split, path in again.items():
        assert len(list((tmp_path / "audio" / split).iterdir())) == len(read_cuts(path))


def test_the_seed_changes_everything(manifests, tmp_path):
    other = tiny(seed=1, hours=0.001)
    assert other.fingerprint() != tiny().fingerprint()
    texts = [
        {cut.supervisions[0].text for cut in read_cuts(paths["test"])}
        for paths in (manifests, other.prepare(tmp_path, silent))
    ]
    assert texts[0] != texts[1]


@pytest.mark.parametrize(
    "option",
    [{"hours": 0.007}, {"grammar": "large"}, {"random_order_share": 0.2}, {"fewest_words": 7}, {"snr_db": [10, 20]}],
)
def test_every_option_but_workers_is_in_the_fingerprint(option):
    assert tiny(**option).fingerprint() != tiny().fingerprint()
    assert tiny(workers=7).fingerprint() == tiny().fingerprint()
    json.dumps(tiny(**option).identity())


def test_an_interruption_leaves_no_manifest_and_the_next_run_finishes(manifests, tmp_path):
    def interrupt(what, done, _total):
        if what.startswith("rendering train") and done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiny().prepare(tmp_path, interrupt)
    assert {path.name for path in tmp_path.glob("*.jsonl.gz")} == {"dev.jsonl.gz", "test.jsonl.gz"}
    assert not list(tmp_path.glob(".*"))
    whole = tiny().prepare(tmp_path, silent)
    assert contents(whole, tmp_path) == contents(manifests, manifests["train"].parent)


def test_what_is_there_is_not_rendered_again(manifests):
    reported = []
    before = {path: path.stat().st_mtime_ns for path in manifests.values()}
    tiny().prepare(manifests["train"].parent, lambda *progress: reported.append(progress))
    assert reported == []
    assert {path: path.stat().st_mtime_ns for path in manifests.values()} == before


def test_progress_is_told(tmp_path):
    reported = []
    tiny(hours=0.001).prepare(tmp_path, lambda *progress: reported.append(progress))
    assert ("rendering dev (utterances)", 5, 5) in reported
    assert ("rendering train (seconds)", 4, 4) in reported


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ({"grammar": "huge"}, "corpus.grammar=huge"),
        ({"hours": 0}, "corpus.hours=0"),
        ({"dev_utterances": 0}, "corpus.dev_utterances=0"),
        ({"random_order_share": 1.5}, "corpus.random_order_share=1.5"),
        ({"fewest_words": 13}, "corpus.fewest_words=13"),
        ({"snr_db": [30, 20]}, "corpus.snr_db="),
        ({"snr_db": [30]}, "corpus.snr_db="),
        ({"workers": 0}, "corpus.workers=0"),
    ],
)
def test_an_option_out_of_its_range_is_named(option, named):
    with pytest.raises(UsageError, match=named):
        tiny(**option)


def test_without_espeak_there_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(LasasrError, match=r"pip install 'lasasr\[synthetic\]'"):
        tiny().prepare(tmp_path, silent)
    assert not list(tmp_path.glob("*.jsonl.gz"))


def test_a_shifted_voice_has_one_thing_that_no_usual_one_has_and_splits_share_no_speaker():
    usual = [draw_voice(split, random.Random(number)) for split in VARIANTS for number in range(500)]
    drawn = {split: [draw_shifted_voice(split, random.Random(number)) for number in range(500)] for split in VARIANTS}
    rates, pitches = ({getattr(voice, name) for voice in usual} for name in ("rate_wpm", "pitch"))
    for voices in drawn.values():
        for voice in voices:
            others = [
                voice.rate_wpm not in range(min(rates), max(rates) + 1),
                voice.pitch not in range(min(pitches), max(pitches) + 1),
                voice.variant in ("whisper", "whisperf", "croak"),
            ]
            assert any(others)
    speakers = {split: {(voice.accent, voice.variant) for voice in voices} for split, voices in drawn.items()}
    for first, second in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not speakers[first] & speakers[second]


def test_shifted_voices_are_another_corpus_and_usual_ones_the_same_as_before():
    assert "voices" not in tiny().identity()
    assert tiny(voices="shifted").fingerprint() != tiny().fingerprint()
    with pytest.raises(UsageError, match="voices=odd must be usual or shifted"):
        tiny(voices="odd")
