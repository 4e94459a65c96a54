"""What the methods of a user's part return is looked at when they are first called: type, shapes and dtypes.

Without it a wrong value fails later, in code that knows nothing of the part. The look is a method of the object, before
that of its class, until a call with several utterances has passed; then nothing of it is left.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import MethodType
from typing import Any, Final

from torch import Tensor

from lasasr.attend.base import Attention
from lasasr.audio.base import Frontend
from lasasr.configuration.users_parts import UsersPart, location
from lasasr.corpora.base import Corpus
from lasasr.errors import PartError
from lasasr.listen.base import Encoder
from lasasr.losses.base import Heads, Loss
from lasasr.models import returned_values as returned
from lasasr.nn import tracing
from lasasr.search.base import Scorer
from lasasr.spell.base import Decoder

# part, the arguments of the call by name, what came back → what is wrong with that
Look = Callable[[Any, Mapping[str, Any], Any], Iterator[str]]

LOOKS: Final[dict[type, dict[str, Look]]] = {
    Frontend: {"forward": returned.features, "output_lengths": returned.frame_counts},
    Encoder: {"forward": returned.encoded, "output_lengths": returned.frame_counts},
    Attention: {"memory": returned.memory, "initial": returned.state, "forward": returned.attended},
    Decoder: {"memory": returned.memory, "initial": returned.state, "step": returned.decoded},
    Loss: {"terms": returned.terms},
    Scorer: {"start": returned.started, "score": returned.scored, "reorder": returned.reordered},
    Corpus: {"identity": returned.identity, "prepare": returned.manifests},
}
# the sizes that an object must say of itself, by the class of its contract
SIZES: Final[dict[type, tuple[str, ...]]] = {
    Encoder: ("output_dim", "subsampling_factor"),
    Attention: ("context_dim", "heads"),
    Decoder: ("vocabulary_size",),
}


def watch(value: Any, part: UsersPart) -> None:
    """Look at what the methods of `value` return when they are first called.

    Raises:
        PartError: it does not say of itself what its contract asks.
    """
    for name in [name for base, names in SIZES.items() if isinstance(value, base) for name in names]:
        size = getattr(value, name, None)
        if type(size) is not int or size < 1:
            where = _where(type(value), "__init__")
            raise PartError(f"{part}: {name} must be a whole number above 0, got {returned.described(size)} ({where})")
    if isinstance(value, Loss) and not isinstance(value.heads, Heads):
        heads = returned.described(value.heads)
        raise PartError(
            f"{part}: heads must be Heads(decoder=..., ctc=...), got {heads} ({_where(type(value), 'heads')})"
        )
    for base, looks in LOOKS.items():
        for name, look in looks.items() if isinstance(value, base) and hasattr(value, "__dict__") else ():
            vars(value)[name] = MethodType(_looking(base, name, look, part), value)


def _looking(base: type, name: str, look: Look, part: UsersPart) -> Callable[..., Any]:
    signature = inspect.signature(getattr(base, name))

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        value = getattr(type(self), name)(self, *args, **kwargs)
        if tracing.active():
            return value
        arguments = signature.bind(self, *args, **kwargs).arguments
        wrong = next(look(self, arguments, value), None)
        if wrong is not None:
            raise PartError(f"{part}: {name} returned {wrong} ({_where(type(self), name)})")
        sizes = [len(argument) for argument in arguments.values() if isinstance(argument, Tensor) and argument.dim()]
        if not sizes or max(sizes) > 1:
            vars(self).pop(name, None)  # another thread may have been faster
        return value

    call.__name__ = name
    return call


def _where(kind: type, name: str) -> str:
    attribute: Any = inspect.getattr_static(kind, name)
    function: Any = attribute.fget if isinstance(attribute, property) else attribute
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    return location(code.co_filename, code.co_firstlineno) if code else f"{kind.__module__}.{kind.__qualname__}"
