"""A vocabulary that grows: old rows are what they were, bit for bit, and old tokens are scored as before."""

from __future__ import annotations

import pytest
import torch
from tiny_recognizer import parts

from lasasr.adapt.vocabulary import extends, load_rows
from lasasr.errors import LasasrError, UsageError
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer
from lasasr.text.phone import PhoneTokenizer

OLD = CharacterTokenizer.train(["abcd"])
NEW = OLD.grown(["a bé", "cz"])


def recognizers() -> tuple[Recognizer, Recognizer]:
    trained = Recognizer.build(parts(0.3, seed=1), OLD, "none/1").eval()
    grown = Recognizer.build(parts(0.3, seed=2), NEW, "none/1").eval()
    load_rows(grown, trained.state_dict(), OLD.vocabulary_size, NEW.vocabulary_size)
    return trained, grown


def test_new_characters_come_after_the_old_ones() -> None:
    assert NEW.symbols == ("a", "b", "c", "d", " ", "z", "é")
    assert NEW.encode("bad") == OLD.encode("bad")
    assert extends(NEW.tokens, OLD.tokens)
    assert not extends(CharacterTokenizer.train(["0abcd"]).tokens, OLD.tokens)
    assert OLD.grown(["dab"]).tokens == OLD.tokens


def test_old_rows_are_bit_equal_and_new_ones_drawn() -> None:
    trained, grown = recognizers()
    before, drawn = trained.state_dict(), Recognizer.build(parts(0.3, seed=2), NEW, "none/1").state_dict()
    longer = set()
    for name, value in grown.state_dict().items():
        rows = before[name].shape[0] if before[name].dim() else None
        assert torch.equal(value[:rows] if before[name].dim() else value, before[name])
        if value.shape != before[name].shape:
            longer.add(name.removeprefix("model."))
            assert torch.equal(value[rows:], drawn[name][rows:])
    assert longer == {
        *("decoder.embedding.weight", "decoder.output.weight", "decoder.output.bias"),
        *("ctc.output.weight", "ctc.output.bias"),
    }


def test_old_tokens_are_scored_as_before() -> None:
    trained, grown = recognizers()
    generator = torch.Generator().manual_seed(2)
    features, frames = torch.randn(2, 30, 8, generator=generator), torch.tensor([30, 21])
    tokens, lengths = torch.tensor([[4, 5, 6], [7, 5, 4]]), torch.tensor([3, 3])
    with torch.no_grad():
        before, now = (recognizer.model(features, frames, tokens, lengths) for recognizer in (trained, grown))
    old = OLD.vocabulary_size
    assert torch.allclose(now.logits[..., :old], before.logits, atol=1e-6)
    shared = now.ctc_log_probs[..., :old].log_softmax(-1)  # what the new tokens have taken is taken from all alike
    assert torch.allclose(shared, before.ctc_log_probs.log_softmax(-1), atol=1e-5)


def test_what_differs_in_more_is_refused_and_fixed_vocabularies_do_not_grow() -> None:
    trained, grown = recognizers()
    state = trained.state_dict()
    state["model.decoder.output.bias"] = torch.zeros(OLD.vocabulary_size - 1)
    with pytest.raises(
        LasasrError, match=r"tokenizer=grown: model\.decoder\.output\.bias \(7,\) cannot become \(11,\)"
    ):
        load_rows(grown, state, OLD.vocabulary_size, NEW.vocabulary_size)
    with pytest.raises(UsageError, match="the vocabulary of a PhoneTokenizer is fixed"):
        PhoneTokenizer.train(["AA B"]).grown(["CH"])
