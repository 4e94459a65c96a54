"""One rendering for all tests of this folder; in each of them corpora have the splits that they name beforehand."""

from pathlib import Path
from typing import Any

import pytest
from corpora_tiny import silent, tiny

from lasasr.corpora.librispeech import LibriSpeechCorpus
from lasasr.corpora.librispeech_speakers import LibriSpeechSpeakersCorpus
from lasasr.corpora.librispeech_text import LibriSpeechText
from lasasr.corpora.listed import ListedCorpus
from lasasr.corpora.own_speech import OwnSpeechCorpus
from lasasr.corpora.speechocean762 import Speechocean762Corpus
from lasasr.corpora.synthetic import SyntheticCorpus
from lasasr.corpora.synthetic_text import SyntheticText
from lasasr.corpora.text import PlainText
from lasasr.corpora.timit import TIMITCorpus

SPEECH = (
    LibriSpeechCorpus,
    LibriSpeechSpeakersCorpus,
    ListedCorpus,
    OwnSpeechCorpus,
    Speechocean762Corpus,
    SyntheticCorpus,
    TIMITCorpus,
)
TEXT = (LibriSpeechText, PlainText, SyntheticText)


@pytest.fixture(autouse=True)
def splits_are_those_that_were_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, method in (*((kind, "prepare") for kind in SPEECH), *((kind, "splits") for kind in TEXT)):
        monkeypatch.setattr(kind, method, _compared(getattr(kind, method)))


def _compared(prepare: Any) -> Any:
    def compared(corpus: Any, *arguments: Any) -> Any:
        names, splits = corpus.split_names(), prepare(corpus, *arguments)
        assert names
        assert set(names) == set(splits)
        return splits

    return compared


@pytest.fixture(scope="session")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pytest.importorskip("espeakng_loader", reason="needs the extra `synthetic`")
    return tiny().prepare(tmp_path_factory.mktemp("synthetic"), silent)
