"""One speaker's recordings: divided by what is said, the same test for all minutes, fewer minutes inside more."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from corpora_tiny import silent

from lasasr.corpora.base import Corpus
from lasasr.corpora.manifest import read_cuts, recording, utterance, write_cuts
from lasasr.corpora.own_speech import OwnSpeechCorpus
from lasasr.errors import LasasrError, UsageError


class Recorded(Corpus):
    """Two speakers, in all splits; "anna" says each of forty sentences twice, six seconds each."""

    name = "recorded"
    transcript = "english"

    def identity(self) -> dict[str, Any]:
        return {"recorded": 1}

    def prepare(self, folder: Path, progress: Any) -> dict[str, Path]:
        folder.mkdir(parents=True, exist_ok=True)
        manifests = {}
        for index, split in enumerate(("train", "dev", "test")):
            cuts = []
            for number in range(index, 80, 3):
                for speaker in ("anna", "ben"):
                    name = f"{speaker}-{number}"
                    whole = recording(name, folder / f"{name}.wav", 16_000, 96_000)
                    cuts.append(utterance(name, f"Sentence {number % 40}", speaker, whole))
            manifests[split] = folder / f"{split}.jsonl.gz"
            write_cuts(cuts, manifests[split])
        return manifests


def divided(folder: Path, **options: Any) -> dict[str, list[Any]]:
    corpus = OwnSpeechCorpus(Recorded(), "anna", **options)
    place = folder / f"own_speech-{corpus.fingerprint()}"
    place.mkdir(parents=True)
    return {split: list(read_cuts(path)) for split, path in corpus.prepare(place, silent).items()}


def ids(cuts: list[Any]) -> list[str]:
    return [cut.id for cut in cuts]


def texts(cuts: list[Any]) -> set[str]:
    return {cut.supervisions[0].text for cut in cuts}


def test_all_of_the_speaker_is_used_once_and_no_sentence_is_in_two_splits(tmp_path: Path) -> None:
    splits = divided(tmp_path)
    assert sorted(name for cuts in splits.values() for name in ids(cuts)) == sorted(f"anna-{n}" for n in range(80))
    for first, second in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not texts(splits[first]) & texts(splits[second])
    assert [len(splits[split]) for split in ("test", "dev", "train")] == [24, 8, 48]


def test_tests_are_the_same_for_all_minutes_and_fewer_are_a_part_of_more(tmp_path: Path) -> None:
    whole, of_minutes = divided(tmp_path), {minutes: divided(tmp_path, minutes=minutes) for minutes in (0.5, 1, 3)}
    for splits in of_minutes.values():
        assert ids(splits["test"]) == ids(whole["test"])
        assert ids(splits["dev"]) == ids(whole["dev"])
    nested = [ids(of_minutes[minutes]["train"]) for minutes in (0.5, 1, 3)] + [ids(whole["train"])]
    assert [len(train) for train in nested] == [5, 10, 30, 48]
    for fewer, more in pairwise(nested):
        assert more[: len(fewer)] == fewer


def test_what_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match=r"adapt\.minutes=5: beside .* 4\.80 minutes of speaker anna"):
        divided(tmp_path, minutes=5)
    with pytest.raises(LasasrError, match=r"adapt\.speaker=ana is in no split; .*anna"):
        OwnSpeechCorpus(Recorded(), "ana").prepare(tmp_path / "own", silent)
    with pytest.raises(UsageError, match=r"adapt\.minutes=0 must be above 0"):
        OwnSpeechCorpus(Recorded(), "anna", 0)
