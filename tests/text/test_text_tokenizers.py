"""What every tokenizer promises."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasasr.errors import LasasrError
from lasasr.text import special, storage
from lasasr.text.base import Tokenizer
from lasasr.text.character import CharacterTokenizer
from lasasr.text.phone import PhoneTokenizer
from lasasr.text.sentencepiece import MODEL_FILE, SentencePieceTokenizer

TEXTS = ["the cat sat on the mat", "it's a dog", "hello world", "the dog sat on a log", "a cat and a dog"] * 3
KINDS: dict[str, Callable[[], Tokenizer]] = {
    "character": lambda: CharacterTokenizer.train(TEXTS),
    "phone": lambda: PhoneTokenizer.train(TEXTS),
    "bpe": lambda: SentencePieceTokenizer.train(TEXTS, vocabulary_size=40, algorithm="bpe"),
    "unigram": lambda: SentencePieceTokenizer.train(TEXTS, vocabulary_size=26, algorithm="unigram"),
}
TRAINED = {name: train() for name, train in KINDS.items()}
WORDS = sorted({word for text in TEXTS for word in text.split()})

every_kind = pytest.mark.parametrize("name", KINDS)


@every_kind
def test_the_special_ids_come_first_and_are_never_text(name: str) -> None:
    tokenizer = TRAINED[name]
    assert tuple(tokenizer.tokens[: special.FIRST_TEXT]) == special.NAMES
    assert tokenizer.vocabulary_size == len(tokenizer.tokens) == len(set(tokenizer.tokens))
    ids = [i for text in TEXTS for i in tokenizer.encode(text)]
    assert min(ids) >= special.FIRST_TEXT
    assert max(ids) < tokenizer.vocabulary_size


@every_kind
@given(words=st.lists(st.sampled_from(WORDS), max_size=12))
def test_decoding_undoes_encoding(name: str, words: list[str]) -> None:
    text = " ".join(words)
    assert TRAINED[name].decode(TRAINED[name].encode(text)) == text


@pytest.mark.parametrize("name", ["character", "bpe", "unigram"])
@given(text=st.text(alphabet=sorted(set("".join(TEXTS))), max_size=30))
def test_any_text_of_known_characters_survives(name: str, text: str) -> None:
    assert TRAINED[name].decode(TRAINED[name].encode(text)) == text


@every_kind
def test_special_ids_are_passed_over(name: str) -> None:
    ids = TRAINED[name].encode("a dog")
    laced = [special.SOS, special.BLANK, ids[0], special.BLANK, *ids[1:], special.EOS, special.PAD]
    assert TRAINED[name].decode(laced) == "a dog"
    assert TRAINED[name].decode([]) == ""
    assert TRAINED[name].encode("") == []


@every_kind
def test_a_saved_tokenizer_is_the_same_tokenizer(name: str, tmp_path: Path) -> None:
    tokenizer = TRAINED[name]
    tokenizer.save(tmp_path)
    loaded = type(tokenizer).load(tmp_path)
    assert type(loaded) is type(tokenizer)
    assert tuple(loaded.tokens) == tuple(tokenizer.tokens)
    assert [loaded.encode(text) for text in TEXTS] == [tokenizer.encode(text) for text in TEXTS]
    stored = json.loads((tmp_path / storage.FILE).read_text())
    assert stored["schema"] == storage.SCHEMA
    assert stored["type"] == storage.type_name(type(tokenizer))


@every_kind
def test_training_again_gives_the_same_files(name: str, tmp_path: Path) -> None:
    TRAINED[name].save(tmp_path / "once")
    KINDS[name]().save(tmp_path / "again")
    files = sorted(path.name for path in (tmp_path / "once").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "again").iterdir())
    for file in files:
        assert (tmp_path / "once" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()


@every_kind
def test_text_outside_the_vocabulary_is_named(name: str) -> None:
    with pytest.raises(LasasrError, match=r"'ß' in 'a ß dog' is not in the vocabulary"):
        TRAINED[name].encode("a ß dog")


@every_kind
def test_transcripts_without_text_are_refused(name: str) -> None:
    with pytest.raises(LasasrError, match="the training transcripts hold no"):
        type(TRAINED[name]).train(["", ""])


@every_kind
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing"),
        ("{", "is not valid JSON"),
        ("[]", "is damaged"),
        ('{"schema": 1}', "is damaged"),
        ('{"schema": 99, "type": "TYPE"}', "has schema 99"),
        ('{"schema": 1, "type": "lasasr.text.other.OtherTokenizer"}', "holds a lasasr.text.other.OtherTokenizer"),
    ],
)
def test_a_damaged_folder_is_named(name: str, content: str | None, message: str, tmp_path: Path) -> None:
    kind = type(TRAINED[name])
    if content is not None:
        (tmp_path / storage.FILE).write_text(content.replace("TYPE", storage.type_name(kind)))
    with pytest.raises(LasasrError, match=message) as caught:
        kind.load(tmp_path)
    assert storage.FILE in str(caught.value)


@pytest.mark.parametrize("symbols", [None, "ab", [1], ["a", "a"], ["ab"], [""], {"a": 1, "bc": 2}])
def test_a_damaged_table_of_symbols_is_named(symbols: object, tmp_path: Path) -> None:
    kind = storage.type_name(CharacterTokenizer)
    (tmp_path / storage.FILE).write_text(json.dumps({"schema": 1, "type": kind, "symbols": symbols}))
    with pytest.raises(LasasrError, match=r"tokenizer\.json is damaged"):
        CharacterTokenizer.load(tmp_path)


@pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
def test_a_damaged_model_file_is_named(damage: str, tmp_path: Path) -> None:
    TRAINED["bpe"].save(tmp_path)
    path = tmp_path / MODEL_FILE
    model = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(model[:-20] if damage == "cut" else model[:99] + b"?" + model[100:])
    with pytest.raises(LasasrError, match=MODEL_FILE):
        SentencePieceTokenizer.load(tmp_path)


def test_characters_are_sorted_and_the_space_is_a_token_of_its_own() -> None:
    tokenizer = CharacterTokenizer.train(["b a", "c'"])
    assert tokenizer.tokens[special.FIRST_TEXT :] == ("▁", "'", "a", "b", "c")
    assert tokenizer.encode("a b") == [6, 4, 7]
    assert tokenizer.unit == "word"


def test_the_order_of_transcripts_does_not_change_symbols() -> None:
    for kind in (CharacterTokenizer, PhoneTokenizer):
        assert kind.train(TEXTS).tokens == kind.train(reversed(TEXTS)).tokens


def test_phones_are_scored_as_phones() -> None:
    tokenizer = PhoneTokenizer.train(["h# sh ix", "ax-h sh"])
    assert tokenizer.unit == "phone"
    assert tokenizer.tokens[special.FIRST_TEXT :] == ("ax-h", "h#", "ix", "sh")
    assert tokenizer.decode(tokenizer.encode("sh  h# ix")) == "sh h# ix"


class ByDefault(CharacterTokenizer):
    """A tokenizer of a user's own, which has `encode` alone."""

    outside = Tokenizer.outside
    encode_inside = Tokenizer.encode_inside


@pytest.mark.parametrize("kind", [CharacterTokenizer, ByDefault, SentencePieceTokenizer])
def test_what_is_outside_the_vocabulary_is_told_from_the_rest(kind: type[Tokenizer]) -> None:
    texts = ["a dog", "the cat", "a hat"] * 5
    options = {"vocabulary_size": 16} if kind is SentencePieceTokenizer else {}
    tokenizer = kind.train(texts, **options)
    assert tokenizer.outside("a cat") == []
    assert tokenizer.encode_inside("a cat") == tokenizer.encode("a cat")
    assert tokenizer.outside("a z\u00dfdog\u00df") == ["z", "\u00df", "\u00df"]
    assert tokenizer.encode_inside("a z\u00dfdog\u00df") == tokenizer.encode("a dog")
    assert tokenizer.encode_inside("\u8a9e") == []


def test_phones_outside_the_vocabulary() -> None:
    tokenizer = PhoneTokenizer.train(["k ae t"])
    assert tokenizer.outside("k zh ae q t") == ["zh", "q"]
    assert tokenizer.encode_inside("k zh ae q t") == tokenizer.encode("k ae t")
