"""Who said an utterance, by a rule on its id: `id[:4]`, `id.split("-")[0]`."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final

from lasasr.errors import LasasrError, UsageError

EXAMPLES: Final = "id[:4] or id.split('-')[0]"


def speaker_rule(text: str) -> Callable[[str], str]:
    """The function that a rule means: slices, indices, `split`, `rsplit` and + of `id`, and nothing else.

    Raises:
        UsageError: it is another expression.
    """
    try:
        tree = ast.parse(text, mode="eval").body
        _evaluated(tree, "a-b_c-d")
    except _OtherError:
        raise UsageError(f"--speaker {text}: a rule is like {EXAMPLES}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UsageError(f"--speaker {text} is no expression; a rule is like {EXAMPLES}") from None
    except (IndexError, TypeError):
        pass  # of the example's id; said of the real ones below

    def speaker(key: str) -> str:
        try:
            value = _evaluated(tree, key)
        except (IndexError, TypeError, ValueError) as error:
            raise LasasrError(f"--speaker {text} fails for utterance {key}: {error}") from None
        if not isinstance(value, str) or not value:
            raise LasasrError(f"--speaker {text} gives {value!r} for utterance {key}, not a name")
        return value

    return speaker


class _OtherError(Exception):
    """Something that a rule cannot say."""


def _evaluated(node: ast.expr, key: str) -> object:
    match node:
        case ast.Name(id="id"):
            return key
        case ast.Constant(value=str() | int() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
            return -value
        case ast.Subscript(value=inner, slice=ast.Slice(lower=lower, upper=upper, step=None)):
            ends = [None if end is None else _evaluated(end, key) for end in (lower, upper)]
            return _evaluated(inner, key)[slice(*ends)]  # type: ignore[index]
        case ast.Subscript(value=inner, slice=index):
            return _evaluated(inner, key)[_evaluated(index, key)]  # type: ignore[index]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _evaluated(left, key) + _evaluated(right, key)  # type: ignore[operator]
        case ast.Call(func=ast.Attribute(value=inner, attr="split" | "rsplit" as method), args=arguments, keywords=[]):
            return getattr(_evaluated(inner, key), method)(*(_evaluated(argument, key) for argument in arguments))
    raise _OtherError
