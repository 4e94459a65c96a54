"""What is wrong with a value that a method of a part returned, by its contract: nothing, as a rule.

Each function gets the part, the arguments of the call by name, and the value, and yields what is wrong in words that go
on after "forward returned": `encoded of shape (2, 7, 8), not (2, T', 16)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lasasr.nn import tree

Given = Mapping[str, Any]
FLOATS, COUNTS, FLAGS = "a float dtype", "int64", "bool"


def features(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `Frontend.forward`."""
    if not (isinstance(value, tuple | list) and len(value) == 2):
        yield f"{described(value)}, not a pair: features (B, T, F) and their lengths (B,)"
        return
    batch = len(given["waveforms"])
    yield from _tensor("features", value[0], (batch, "T", part.output_dim), FLOATS)
    yield from _lengths("lengths", value[1], batch, value[0].shape[1])


def encoded(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `Encoder.forward`."""
    yield from _fields(value, "Encoded", ("encoded", "lengths"))
    batch = len(given["features"])
    yield from _tensor("encoded", value.encoded, (batch, "T'", part.output_dim), FLOATS)
    yield from _lengths("lengths", value.lengths, batch, value.encoded.shape[1])


def frame_counts(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `output_lengths`."""
    yield from _tensor("lengths", value, tuple(given["lengths"].shape), COUNTS)


def memory(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `Attention.memory` and `Decoder.memory`."""
    yield from _leaves("a memory", value, (len(given["mask"]),))


def state(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `initial`."""
    of_memory = next(tree.leaves(given["memory"]), None)
    yield from _leaves("a state", value, ("B" if of_memory is None else len(of_memory), given["hypotheses"]))


def attended(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `Attention.forward`."""
    yield from _fields(value, "Attended", ("context", "weights", "state"))
    rows = tuple(given["query"].shape[:2])
    yield from _tensor("context", value.context, (*rows, part.context_dim), FLOATS)
    yield from _tensor("weights", value.weights, (*rows, part.heads, "T"), FLOATS)
    yield from _same_form(given["state"], value.state)


def decoded(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `Decoder.step`."""
    yield from _fields(value, "DecoderStep", ("logits", "weights", "state"))
    rows = tuple(given["tokens"].shape)
    yield from _tensor("logits", value.logits, (*rows, part.vocabulary_size), FLOATS)
    yield from _tensor("weights", value.weights, (*rows, "H", "T"), FLOATS)
    yield from _same_form(given["state"], value.state)


def terms(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `Loss.terms`."""
    yield from _fields(value, "Terms", ("total", "divisor", "sums", "of_utterance", "infeasible"))
    batch = (len(given["step"].batch.tokens),)
    yield from _tensor("total", value.total, (), FLOATS)
    if torch.is_grad_enabled() and part.training and not value.total.requires_grad:
        yield "a total without gradient, so that nothing is learnt"
    yield from _tensor("divisor", value.divisor, (), COUNTS)
    if not isinstance(value.sums, Mapping):
        yield f"sums that are {described(value.sums)}, not a mapping of names to tensors ()"
    for name, number in value.sums.items():
        yield from _tensor(f"sums[{name!r}]", number, (), FLOATS)
    yield from _tensor("of_utterance", value.of_utterance, batch, FLOATS)
    if value.infeasible is not None:
        yield from _tensor("infeasible", value.infeasible, batch, FLAGS)


def started(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `Scorer.start`."""
    if not (isinstance(value, tuple | list) and len(value) == 2):
        yield f"{described(value)}, not a pair: memory and state"
        return
    batch = len(given["acoustics"].mask)
    yield from _leaves("a memory", value[0], (batch,))
    yield from _leaves("a state", value[1], (batch, given["hypotheses"]))


def scored(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `Scorer.score`."""
    yield from _fields(value, "Scored", ("scores", "state", "weights", "ending", "highest"))
    rows = tuple(given["tokens"].shape)
    if not isinstance(value.scores, Tensor):
        yield f"scores that are {described(value.scores)}, not a tensor {_written((*rows, 'V'))}"
    sizes = zip(value.scores.shape[-2::-1], rows[::-1], strict=False)  # of all but the last
    if value.scores.dim() > 3 or any(size not in (1, wanted) for size, wanted in sizes):
        yield f"scores of shape {_written(value.scores.shape)}, which do not broadcast to {_written((*rows, 'V'))}"
    for name in ("ending", "highest"):
        if getattr(value, name) is not None:
            yield from _tensor(name, getattr(value, name), rows, None)
    yield from _same_form(given["state"], value.state)


def reordered(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `Scorer.reorder`."""
    yield from _leaves("a state", value, tuple(given["parents"].shape))


def identity(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `Corpus.identity`."""
    if not isinstance(value, Mapping):
        yield f"{described(value)}, not a mapping of what decides what is prepared"


def manifests(part: Any, given: Given, value: Any) -> Iterator[str]:
    """Of `Corpus.prepare`."""
    if not isinstance(value, Mapping):
        yield f"{described(value)}, not a mapping of splits to the paths of their manifests"
        return
    for split, path in value.items():
        if not isinstance(split, str) or not isinstance(path, Path):
            yield f"{split!r} with a {type(path).__name__}, not the name of a split with the Path of its manifest"
    if lacking := [split for split in ("train", "dev") if split not in value]:
        yield f"no {' and no '.join(lacking)}, only {', '.join(map(str, value)) or 'nothing'}"
    for path in value.values():
        if not path.is_file():
            yield f"{path}, where there is no file"


def described(value: Any) -> str:
    """A value in a message."""
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"a tensor {_written(value.shape)}"
    if isinstance(value, int | float | str):
        return repr(value)[:60]
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{'an' if type(value).__name__[:1] in 'aeiou' else 'a'} {type(value).__name__}"


def _fields(value: Any, kind: str, names: Sequence[str]) -> Iterator[str]:
    if not all(hasattr(value, name) for name in names):
        yield f"{described(value)}, not {kind}({', '.join(names)})"


def _tensor(name: str, value: Any, shape: Sequence[int | str], kind: str | None) -> Iterator[str]:
    """
    Args:
        shape: a name stands for any size.
        kind: FLOATS, COUNTS, FLAGS, or None for any dtype.
    """
    if not isinstance(value, Tensor):
        yield f"{name} that {'are' if name.endswith('s') else 'is'} {described(value)}, not a tensor {_written(shape)}"
        return
    sizes = zip(value.shape, shape, strict=False)
    if value.dim() != len(shape) or any(isinstance(wanted, int) and size != wanted for size, wanted in sizes):
        yield f"{name} of shape {_written(value.shape)}, not {_written(shape)}"
    kept = {FLOATS: value.is_floating_point(), COUNTS: value.dtype == torch.int64, FLAGS: value.dtype == torch.bool}
    if kind is not None and not kept[kind]:
        yield f"{name} of dtype {value.dtype}, not {kind}"


def _lengths(name: str, value: Any, batch: int, longest: int) -> Iterator[str]:
    yield from _tensor(name, value, (batch,), COUNTS)
    if not 1 <= int(value.min()) <= int(value.max()) <= longest:
        yield f"{name} from {int(value.min())} to {int(value.max())} of {longest} frames; they lie in [1, {longest}]"


def _leaves(name: str, value: Any, begin: Sequence[int | str]) -> Iterator[str]:
    """A NamedTuple of tensors whose shapes begin so."""
    if isinstance(value, Tensor):
        fields = [("it", value)]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = list(zip(value._fields, value, strict=True))
    else:
        yield f"{described(value)}, not {name}: a NamedTuple of tensors ({', '.join(map(str, begin))}, ...)"
        return
    for field, inner in fields:
        if not isinstance(inner, Tensor):
            yield from _leaves(f"{name} in {field}", inner, begin)
            continue
        sizes = zip(inner.shape, begin, strict=False)
        if inner.dim() < len(begin) or any(isinstance(wanted, int) and size != wanted for size, wanted in sizes):
            shape = f"({', '.join(map(str, begin))}, ...)"
            yield f"{name} whose {field} is of shape {_written(inner.shape)}, not {shape}"


def _same_form(before: Any, after: Any) -> Iterator[str]:
    """A state keeps its type and shapes; of dtypes only the kind, because autocast may change the width."""
    if type(before) is not type(after):
        yield f"a state that is {described(after)}, not the {type(before).__name__} that it was given"
        return
    for a, b in zip(tree.leaves(before), tree.leaves(after), strict=True):
        if (a.shape, a.is_floating_point()) != (b.shape, b.is_floating_point()):
            yield f"a state of shape {_written(b.shape)} {b.dtype}, not {_written(a.shape)} {a.dtype} as it was given"


def _written(shape: Sequence[int | str]) -> str:
    sizes = list(map(str, shape))
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"
