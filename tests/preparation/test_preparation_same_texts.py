"""Speech of a corpus with another transcript rule stands beside it where both rules write the same texts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lasasr.errors import UsageError
from lasasr.preparation.same_texts import refuse_other_texts
from lasasr.text.transcript import rule

sys.path.append(str(Path(__file__).parents[1] / "data"))
from data_corpus import cut, write_manifest


def manifest(folder: Path, *texts: str) -> Path:
    cuts = []
    for number, text in enumerate(texts):
        soundfile.write(path := folder / f"u{number}.wav", np.zeros(1600), 16_000)
        cuts.append(cut(path, f"u{number}", text))
    return write_manifest(folder, cuts)


def test_rules_that_write_the_same_are_taken(tmp_path: Path) -> None:
    path = manifest(tmp_path, "POLLY'S FIRST", "A  HOUSE")
    refuse_other_texts(path, rule("librispeech"), rule("english"))
    refuse_other_texts(path, rule("librispeech"), rule("librispeech"))


def test_the_first_word_that_would_be_another_is_named(tmp_path: Path) -> None:
    path = manifest(tmp_path, "A HOUSE", "WELL KNOWN-UNKNOWN WORDS")
    message = r"by librispeech/1, the corpus by english/1, and 'known-unknown' would be 'known': take a corpus"
    with pytest.raises(UsageError, match=message):
        refuse_other_texts(path, rule("librispeech"), rule("english"))
