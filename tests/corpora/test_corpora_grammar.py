"""The grammars: their notation, their size, and that no two words sound alike."""

import random
from collections import defaultdict
from itertools import islice

import pytest

from lasasr.corpora.espeak import Voice, pronounce
from lasasr.corpora.grammar import Grammar
from lasasr.corpora.sentences import load_grammar, sentences
from lasasr.corpora.voices import ACCENTS
from lasasr.errors import LasasrError, UsageError

pytest.importorskip("espeakng_loader", reason="needs the extra `synthetic`")

SIZES = {"demo": range(100, 121), "large": range(400, 1000)}


def drawn(name, count, seed=0, share=0.0, excluded=(), repeat=False):
    return list(islice(sentences(load_grammar(name), random.Random(seed), share, excluded, repeat), count))


@pytest.mark.parametrize("name", SIZES)
def test_words_and_lengths(name):
    vocabulary = load_grammar(name).words()
    texts = drawn(name, 4000, repeat=True)
    assert len(vocabulary) in SIZES[name]
    assert {word for sentence in texts for word in sentence.split()} <= set(vocabulary)
    assert {len(sentence.split()) for sentence in texts} <= set(range(2, 13))
    assert all(character in "abcdefghijklmnopqrstuvwxyz' " for sentence in texts for character in sentence)


def test_every_word_of_demo_is_used():
    assert {word for sentence in drawn("demo", 4000) for word in sentence.split()} == set(load_grammar("demo").words())


@pytest.mark.parametrize("name", SIZES)
def test_agreement(name):
    """Articles fit the sound that follows, and a number above one the noun."""
    rules = load_grammar(name).rules
    singular = {rule.symbols[0] for key in ("PERSONS", "OBJECTS", "DEVICES") for rule in rules[key]}
    plural = {rule.symbols[0] for key in ("PERSONP", "OBJECTP", "DEVICEP") for rule in rules[key]}
    for sentence in drawn(name, 4000):
        for word, following in zip(sentence.split(), sentence.split()[1:], strict=False):
            assert not (word == "a" and following[0] in "aeiou"), sentence
            assert not (word in ("a", "this") and following in plural), sentence
            assert not (word in ("these", "two", "seven") and following in singular), sentence
            assert not (word in plural and following in ("is", "was", "doesn't", "sleeps", "wants")), sentence


@pytest.mark.parametrize("accent", ACCENTS)
@pytest.mark.parametrize("name", SIZES)
def test_no_two_words_sound_alike(name, accent):
    words = load_grammar(name).words()
    sounds = defaultdict(list)
    for word, sound in zip(words, pronounce(words, Voice(accent, "f3")), strict=True):
        sounds[sound.strip().replace("ˈ", "").replace("ˌ", "")].append(word)
    assert [alike for alike in sounds.values() if len(alike) > 1] == []


def test_the_seed_decides():
    assert drawn("demo", 50, seed=4, share=0.3) == drawn("demo", 50, seed=4, share=0.3)
    assert drawn("demo", 50, seed=4) != drawn("demo", 50, seed=5)


def test_a_share_is_disordered():
    """ "The" is never last in a sentence of the grammar; in a random order it is now and then."""
    ordered, disordered = (drawn("demo", 1000, share=share) for share in (0.0, 1.0))
    last = [sum(sentence.endswith(" the") for sentence in sentences) for sentences in (ordered, disordered)]
    assert last[0] == 0
    assert last[1] > 50


def test_heard_sentences_do_not_come_again():
    first = drawn("demo", 300)
    assert len(set(first)) == 300
    assert not set(first) & set(drawn("demo", 300, excluded=first, repeat=True))


def test_a_grammar_that_has_no_further_sentence_says_so():
    source = Grammar.parse("S = go now | stop now")
    with pytest.raises(LasasrError, match="too few sentences"):
        list(sentences(source, random.Random(0), 0.0, (), repeat=False))


def test_notation():
    grammar = Grammar.parse("S = AS | AP *3\nA# = N# V#\nN~ = dog/dogs\nV~ = barks/bark\nS = don't HARD? *0\nHARD = go")
    texts = [" ".join(grammar.sentence(random.Random(seed))) for seed in range(400)]
    assert set(texts) == {"dog barks", "dogs bark"}
    assert 250 < texts.count("dogs bark") < 350  # three of four
    grammar = Grammar.parse("S = look there WHERE?\nWHERE = up | down")
    texts = [" ".join(grammar.sentence(random.Random(seed))) for seed in range(600)]
    assert set(texts) == {"look there", "look there up", "look there down"}
    assert 350 < texts.count("look there") < 450  # two of three


@pytest.mark.parametrize("text", ["S = go HOME", "S = go 2day"])
def test_a_symbol_without_a_rule_is_named(text):
    with pytest.raises(ValueError, match=text.split()[-1]):
        Grammar.parse(text)


def test_an_unknown_grammar_is_named():
    with pytest.raises(UsageError, match=r"corpus.grammar=huge is unknown.*large"):
        load_grammar("huge")
