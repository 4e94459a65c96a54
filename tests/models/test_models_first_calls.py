"""What a method of a user's part returned is named where it is not what the contract says, and else untouched."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from tiny_recognizer import parts
from torch import Tensor

from lasasr.attend.base import Attended, Attention
from lasasr.attend.content import DotAttention
from lasasr.audio.base import Frontend
from lasasr.configuration.users_parts import UsersPart
from lasasr.errors import PartError
from lasasr.listen.base import Encoded, Encoder
from lasasr.losses.base import Heads, Loss, Terms
from lasasr.models import factory, first_calls
from lasasr.models.recognizer import Recognizer
from lasasr.nn.conformance import findings, within
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import Scored, Scorer, Stateless
from lasasr.spell.base import Decoder, DecoderStep
from lasasr.text.character import CharacterTokenizer

B, T, F, E, K, V = 2, 5, 3, 4, 3, 9
PART = UsersPart("place", "mine.Part")
FRAMES = torch.tensor([5, 3])


class Returning:
    """Its methods return what `value` holds."""

    value: Any = None

    def __init__(self, value: Any) -> None:
        torch.nn.Module.__init__(self) if isinstance(self, torch.nn.Module) else None
        self.value = value


class AnEncoder(Returning, Encoder):
    input_dim, output_dim, subsampling_factor = F, E, 1

    def output_lengths(self, lengths: Tensor) -> Tensor:
        value: Tensor = self.value
        return value

    def forward(self, features: Tensor, lengths: Tensor) -> Encoded:
        value: Encoded = self.value
        return value


class AFrontend(Returning, Frontend):
    output_dim = F

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        value: tuple[Tensor, Tensor] = self.value
        return value


class State(NamedTuple):
    sums: Tensor


class AnAttention(Returning, Attention[Any, Any]):
    context_dim = E

    def memory(self, encoded: Tensor, mask: Tensor) -> Any:
        return self.value

    def initial(self, memory: Any, hypotheses: int) -> Any:
        return self.value

    def forward(self, query: Tensor, memory: Any, state: Any) -> Any:
        return self.value


class ADecoder(Returning, Decoder):
    vocabulary_size = V

    def memory(self, encoded: Tensor, mask: Tensor) -> Any:
        return self.value

    def initial(self, memory: Any, hypotheses: int) -> Any:
        return self.value

    def step(self, tokens: Tensor, memory: Any, state: Any) -> Any:
        return self.value


class ALoss(Returning, Loss):
    heads = Heads(decoder=True, ctc=False)  # type: ignore[assignment]

    def terms(self, step: Any) -> Any:
        return self.value


class AScorer(Returning, Scorer):
    def start(self, acoustics: Acoustics, hypotheses: int) -> Any:
        return self.value

    def score(self, tokens: Tensor, memory: Any, state: Any, context: Any) -> Any:
        return self.value


def x(*shape: int) -> Tensor:
    return torch.ones(shape)


QUERY, STATE, MEMORY = x(B, K, 6), State(x(B, K)), State(x(B, T, E))
TOKENS = torch.ones(B, K, dtype=torch.int64)
ATTENDED = Attended(x(B, K, E), x(B, K, 1, T), STATE)
STEP = SimpleNamespace(batch=SimpleNamespace(tokens=TOKENS))
COUNT = torch.tensor(4)
TOTAL = torch.tensor(1.0, requires_grad=True)
HEARD = Acoustics(x(B, T, E), torch.ones(B, T, dtype=torch.bool), None)
encode = lambda part: part(x(B, T, F), FRAMES)  # noqa: E731
attend = lambda part: part(QUERY, MEMORY, STATE)  # noqa: E731
step = lambda part: part.step(TOKENS, MEMORY, STATE)  # noqa: E731
train = lambda part: part.terms(STEP)  # noqa: E731
score = lambda part: part.score(TOKENS, Stateless(), STATE, None)  # noqa: E731
CASES: list[tuple[type, Callable[[Any], Any], Any, str]] = [
    (AnEncoder, encode, None, r"forward returned None, not Encoded\(encoded, lengths\)"),
    (AnEncoder, encode, (x(B, T, E), FRAMES), "forward returned a tuple of 2, not Encoded"),
    (AnEncoder, encode, Encoded(x(B, T, 7), FRAMES), r"encoded of shape \(2, 5, 7\), not \(2, T', 4\)"),
    (AnEncoder, encode, Encoded(x(B, T, E).long(), FRAMES), "encoded of dtype torch.int64, not a float dtype"),
    (AnEncoder, encode, Encoded(x(B, T, E), FRAMES.float()), "lengths of dtype torch.float32, not int64"),
    (AnEncoder, encode, Encoded(x(B, T, E), FRAMES + 1), r"lengths from 4 to 6 of 5 frames; they lie in \[1, 5\]"),
    (AnEncoder, lambda part: part.output_lengths(FRAMES), None, "output_lengths returned lengths that are None"),
    (AFrontend, encode, x(B, T, F), r"forward returned a tensor \(2, 5, 3\), not a pair"),
    (AFrontend, encode, (x(B, T, 1), FRAMES), r"features of shape \(2, 5, 1\), not \(2, T, 3\)"),
    (AnAttention, lambda part: part.memory(x(B, T, E), HEARD.mask), [x(B)], r"a list of 1, not a memory: a NamedTuple"),
    (
        AnAttention,
        lambda part: part.initial(MEMORY, K),
        State(x(B)),
        r"a state whose sums is of shape \(2,\), not \(2, 3",
    ),
    (AnAttention, attend, None, r"forward returned None, not Attended\(context, weights, state\)"),
    (AnAttention, attend, ATTENDED._replace(context=x(B, E)), r"context of shape \(2, 4\), not \(2, 3, 4\)"),
    (AnAttention, attend, ATTENDED._replace(weights=x(B, K, T)), r"weights of shape \(2, 3, 5\), not \(2, 3, 1, T\)"),
    (AnAttention, attend, ATTENDED._replace(state=None), "a state that is None, not the State that it was given"),
    (AnAttention, attend, ATTENDED._replace(state=State(x(B, 1))), r"a state of shape \(2, 1\)"),
    (ADecoder, step, None, r"step returned None, not DecoderStep\(logits, weights, state\)"),
    (ADecoder, step, DecoderStep(x(B, K, 8), x(B, K, 1, T), STATE), r"logits of shape \(2, 3, 8\), not \(2, 3, 9\)"),  # type: ignore[arg-type]
    (ALoss, train, 3.0, r"terms returned 3.0, not Terms\(total, divisor"),
    (ALoss, train, Terms(x(B), COUNT, {}, x(B)), r"total of shape \(2,\), not \(\)"),
    (ALoss, train, Terms(x().sum(), COUNT, {}, x(B)), "a total without gradient"),
    (ALoss, train, Terms(TOTAL, COUNT.float(), {}, x(B)), "divisor of dtype torch.float32, not int64"),
    (ALoss, train, Terms(TOTAL, COUNT, {"part": 3.0}, x(B)), r"sums\['part'\] that is 3.0, not a tensor \(\)"),  # type: ignore[dict-item]
    (ALoss, train, Terms(TOTAL, COUNT, {}, x(1)), r"of_utterance of shape \(1,\), not \(2,\)"),
    (AScorer, lambda part: part.start(HEARD, K), STATE, "start returned a State of 1, not a pair: memory and state"),
    (AScorer, score, None, "score returned None, not Scored"),
    (AScorer, score, Scored(x(B, 2, V), STATE), r"scores of shape \(2, 2, 9\), which do not broadcast to \(2, 3, V\)"),
    (AScorer, score, Scored(x(V), None), "a state that is None, not the State that it was given"),
]


@pytest.mark.parametrize(("kind", "call", "value", "said"), CASES)
def test_what_is_wrong_is_said_in_one_line(kind: Any, call: Callable[[Any], Any], value: Any, said: str) -> None:
    part = kind(value)
    first_calls.watch(part, PART)
    for _ in range(2):  # as long as it is wrong
        with pytest.raises(PartError, match=rf"^place \(mine\.Part\): .*{said}.* \(.*{Path(__file__).name}:\d+\)$"):
            call(part)


RIGHT: list[tuple[type, Callable[[Any], Any], Any, str]] = [
    (AnEncoder, encode, Encoded(x(B, T, E), FRAMES), "forward"),
    (AFrontend, encode, (x(B, T, F), FRAMES), "forward"),
    (AnAttention, attend, ATTENDED, "forward"),
    (ADecoder, step, DecoderStep(x(B, K, V), x(B, K, 1, T), STATE), "step"),  # type: ignore[arg-type]
    (ALoss, train, Terms(TOTAL, COUNT, {"part": torch.tensor(1.0)}, x(B)), "terms"),
    (AScorer, score, Scored(x(V), STATE), "score"),
    (AScorer, score, Scored(x(B, K, 1), STATE), "score"),
]


@pytest.mark.parametrize(("kind", "call", "value", "name"), RIGHT)
def test_what_is_right_passes_and_nothing_of_the_look_is_left(kind: Any, call: Any, value: Any, name: str) -> None:
    part = kind(value)
    first_calls.watch(part, PART)
    assert name in vars(part)
    twin = copy.deepcopy(part)
    assert call(part) is value
    assert name not in vars(part)
    twin.value = None  # a copy looks at what it returns itself
    with pytest.raises(PartError):
        call(twin)


def test_sizes_and_heads_that_a_constructor_must_set_are_asked_for() -> None:
    encoder = AnEncoder(None)
    encoder.output_dim = "16"  # type: ignore[assignment]
    with pytest.raises(PartError, match=r"output_dim must be a whole number above 0, got '16'"):
        first_calls.watch(encoder, PART)
    loss = ALoss(None)
    loss.heads = "decoder"  # type: ignore[assignment]
    with pytest.raises(PartError, match=r"heads must be Heads\(decoder=\.\.\., ctc=\.\.\.\), got 'decoder'"):
        first_calls.watch(loss, PART)


class Mine(DotAttention):
    """A shipped attention as the user's."""


def test_a_recognizer_of_right_parts_gives_the_same_numbers_as_one_of_shipped_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LASASR_ALLOW", __name__)
    tokenizer, texts = CharacterTokenizer.train(["ab cd"]), []
    for target in ("lasasr.attend.content.DotAttention", f"{__name__}.Mine"):
        attend = {"_target_": target, "_partial_": True, "dim": 4}
        recognizer = Recognizer.build(parts(0.3, attend=attend), tokenizer, "none/1").eval()
        audio = torch.randn(2, 8000, generator=torch.Generator().manual_seed(1)), torch.tensor([8000, 5000])
        texts.append([(one.text, one.score) for (one, *_) in recognizer.recognize(*audio)])
    assert texts[0] == texts[1]
    assert not {"memory", "initial", "forward"} & set(vars(recognizer.model.decoder.attention))


def test_a_wrong_form_ends_the_suite_and_one_exception_is_said_once() -> None:
    def breaks(_: None) -> Any:
        raise PartError("place (mine.Part): forward returned None")

    def fails(_: None) -> Any:
        raise ValueError("always the same")

    kept = lambda _: within(0.0, 1.0)  # noqa: E731
    lines = list(findings({"a": kept, "b": fails, "c": fails, "d": breaks, "e": kept, "f": kept}, lambda: None, "cpu"))
    assert [(line.promise, line.kept, line.number) for line in lines[1:]] == [
        ("b", False, "ValueError: always the same"),
        ("c", False, "ValueError, as above"),
        ("d", False, "place (mine.Part): forward returned None"),
        ("2 further promises", False, "not tried, because they need what is broken here"),
    ]


def test_only_the_users_parts_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    attend = {"_target_": "lasasr.attend.content.DotAttention", "_partial_": True, "dim": 4}
    built = factory.build(attend, "attend", encoded_dim=E, query_dim=6)
    assert "forward" not in vars(built)
