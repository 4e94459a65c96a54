"""Perplexities against models whose answer is known."""

from __future__ import annotations

import math

import pytest

from lasasr.lm.perplexity import Perplexity


def test_a_uniform_model_is_as_perplexed_as_it_has_tokens() -> None:
    sentences, tokens = 5, 40
    uniform = Perplexity((tokens + sentences) * math.log(27.0), tokens, 9, tokens, sentences)
    assert uniform.per_token == pytest.approx(27.0)
    assert uniform.per_character == pytest.approx(27.0)
    assert uniform.record()["bits_per_character"] == pytest.approx(math.log2(27.0))


def test_per_word_and_character_do_not_depend_on_the_tokenizer() -> None:
    characters = Perplexity(100.0, 60, 12, 60, 4)
    pieces = Perplexity(100.0, 20, 12, 60, 4)
    assert pieces.per_word == characters.per_word == pytest.approx(math.exp(100.0 / 16))
    assert pieces.per_character == characters.per_character
    assert pieces.per_token > characters.per_token


def test_a_diverged_model_has_a_number_that_json_can_hold() -> None:
    assert math.isfinite(Perplexity(1e9, 1, 1, 1, 1).per_word)
