import random
import re
from pathlib import Path

import pytest
import sentencepiece

from lasasr.errors import LasasrError
from lasasr.text import special
from lasasr.text.sentencepiece import SentencePieceTokenizer

_draw = random.Random(0)
WORDS = ["".join(_draw.choices("abcdefgh'", k=_draw.randint(1, 7))) for _ in range(60)]
TEXTS = [" ".join(_draw.choices(WORDS, k=_draw.randint(1, 9))) for _ in range(80)]

every_algorithm = pytest.mark.parametrize("algorithm", ["bpe", "unigram"])


@every_algorithm
def test_the_vocabulary_has_the_size_asked_for(algorithm: str) -> None:
    tokenizer = SentencePieceTokenizer.train(TEXTS, vocabulary_size=50, algorithm=algorithm)
    assert tokenizer.vocabulary_size == 50
    assert "<unk>" not in tokenizer.tokens


@every_algorithm
def test_pieces_are_those_of_the_library(algorithm: str) -> None:
    tokenizer = SentencePieceTokenizer.train(TEXTS, vocabulary_size=50, algorithm=algorithm)
    library = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    for text in TEXTS:
        assert [tokenizer.tokens[i] for i in tokenizer.encode(text)] == library.encode(text, out_type=str)


@every_algorithm
def test_too_large_a_vocabulary_names_a_limit_that_holds(algorithm: str) -> None:
    with pytest.raises(LasasrError, match=r"vocabulary_size=9000 is too large.* at most \d+") as caught:
        SentencePieceTokenizer.train(TEXTS, vocabulary_size=9000, algorithm=algorithm)
    most = int(re.search(r"at most (\d+)", str(caught.value))[1])
    assert SentencePieceTokenizer.train(TEXTS, vocabulary_size=most, algorithm=algorithm).vocabulary_size == most
    with pytest.raises(LasasrError, match=f"at most {most}"):
        SentencePieceTokenizer.train(TEXTS, vocabulary_size=most + 1, algorithm=algorithm)


@every_algorithm
@pytest.mark.parametrize("size", [-3, 0, 4, 6])
def test_too_small_a_vocabulary_names_a_limit_that_holds(algorithm: str, size: int) -> None:
    with pytest.raises(LasasrError, match=rf"vocabulary_size={size} is too small.* at least \d+") as caught:
        SentencePieceTokenizer.train(TEXTS, vocabulary_size=size, algorithm=algorithm)
    least = int(re.search(r"at least (\d+)", str(caught.value))[1])
    assert SentencePieceTokenizer.train(TEXTS, vocabulary_size=least, algorithm=algorithm).vocabulary_size == least
    assert least == len(set("".join(TEXTS))) + special.FIRST_TEXT


@every_algorithm
def test_a_very_long_transcript_is_learnt_too(algorithm: str) -> None:
    only_here = "xyz " * 2000
    tokenizer = SentencePieceTokenizer.train([*TEXTS, only_here.strip()], vocabulary_size=40, algorithm=algorithm)
    assert tokenizer.decode(tokenizer.encode("zyx")) == "zyx"


def test_the_sign_for_a_space_is_no_text() -> None:
    tokenizer = SentencePieceTokenizer.train(TEXTS, vocabulary_size=50)
    with pytest.raises(LasasrError, match="'▁'"):
        tokenizer.encode("a▁b")


def test_an_unknown_algorithm_is_named() -> None:
    with pytest.raises(ValueError, match="must be bpe or unigram, got 'word'"):
        SentencePieceTokenizer.train(TEXTS, vocabulary_size=50, algorithm="word")


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        SentencePieceTokenizer(b"nonsense")


def test_a_corpus_of_short_commands_is_learnt() -> None:
    tokenizer = SentencePieceTokenizer.train(["yes", "no", "stop"], vocabulary_size=13)
    assert tokenizer.decode(tokenizer.encode("stop no yes")) == "stop no yes"


@every_algorithm
def test_a_grown_vocabulary_cuts_old_texts_as_before_and_reads_new_characters(algorithm: str, tmp_path: Path) -> None:
    learnt = SentencePieceTokenizer.train(TEXTS, vocabulary_size=40, algorithm=algorithm)
    grown = learnt.grown([*TEXTS, "zażółć gęślą", "ñandú 你好"])
    new = sorted({*"zażółć gęślą ñandú 你好"} - {sign for text in TEXTS for sign in text} - {" "})
    assert grown.tokens == (*learnt.tokens, *new)
    for text in TEXTS:
        assert grown.encode(text) == learnt.encode(text)
    for text in ("zażółć gęślą", "ñandú 你好"):
        assert grown.decode(grown.encode(text)) == text
    grown.save(tmp_path)
    assert SentencePieceTokenizer.load(tmp_path).encode("你") == grown.encode("你")
    with pytest.raises(LasasrError, match="stands for a space"):
        learnt.grown(["a▁b"])
