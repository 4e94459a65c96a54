"""A vocabulary that grows: rows of tokens that were there keep their weights, those of new ones begin as drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lasasr.errors import LasasrError


def extends(tokens: Sequence[str], trained: Sequence[str]) -> bool:
    """Whether the first of the tokens are those of a trained recognizer, in their order."""
    return list(tokens[: len(trained)]) == list(trained)


def load_rows(recognizer: nn.Module, trained: Mapping[str, Tensor], before: int, now: int) -> None:
    """Give a recognizer of V tokens the weights of one that had fewer, which are its first.

    Args:
        recognizer: untrained, of `now` tokens; what it drew stays in the rows of the new ones.
        trained: weights of `before` tokens, by the same names.

    Raises:
        LasasrError: a weight differs in more than the number of tokens.
    """
    state = {}
    for name, drawn in recognizer.state_dict().items():
        held = trained[name]
        sizes = list(zip(held.shape, drawn.shape, strict=True))
        if any(one != other and (one, other) != (before, now) for one, other in sizes):
            raise LasasrError(f"tokenizer=grown: {name} {tuple(held.shape)} cannot become {tuple(drawn.shape)}")
        state[name] = drawn.clone()
        state[name][tuple(slice(size) for size in held.shape)] = held
    recognizer.load_state_dict(state)
