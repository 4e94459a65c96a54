"""What may stand at which place of a configuration: a table, whose classes are imported when a place is built.

A `_target_` at a place must be a subclass of one of `bases`, or marked for it (`lasasr.configuration.configurable`).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Contract(NamedTuple):
    """What a place takes."""

    bases: tuple[str, ...]  # dotted paths of classes
    called: bool = False  # its objects are only ever called: any class of the user's with `__call__` will do
    supplied: tuple[str, ...] = ()  # arguments that the toolkit adds where it builds it, so that no file sets them


_CALLBACK: Final = Contract(("lightning.pytorch.callbacks.Callback",))
_ADAPTATION: Final = Contract(("lasasr.adapt.base.Method",))
_LOGGER: Final = Contract(("lightning.pytorch.loggers.Logger",), supplied=("folder",))

# Place → contract. A `*` is any name of the user's; positions in lists are left out.
CONTRACTS: Final[dict[str, Contract]] = {
    "adapt": _ADAPTATION,
    "adapt.*": _ADAPTATION,
    "adapt.replay.corpus": Contract(("lasasr.corpora.base.Corpus",)),
    "attend": Contract(("lasasr.attend.base.Attention",), supplied=("encoded_dim", "query_dim")),
    "augment.specaugment": Contract(("lasasr.audio.specaugment.SpecAugment",), supplied=("seed",)),
    "augment.waveform": Contract((), called=True),
    "batching": Contract(("lasasr.data.sampler.Batching",)),
    "callbacks": _CALLBACK,
    "callbacks.*": _CALLBACK,
    "column": Contract(("lasasr.comparison.column.Column",)),
    "corpus": Contract(("lasasr.corpora.base.Corpus", "lasasr.corpora.base.TextCorpus")),
    "corpus.corpus": Contract(("lasasr.corpora.base.Corpus",)),
    "corpus.columns": Contract(("lasasr.corpora.columns.Columns",)),
    "frontend": Contract(("lasasr.audio.base.Frontend",)),
    "listen": Contract(("lasasr.listen.base.Encoder",), supplied=("input_dim",)),
    "listen.top": Contract(("lasasr.listen.base.Encoder",), supplied=("input_dim",)),
    "lm": Contract(("lasasr.lm.base.LanguageModel",), supplied=("vocabulary_size",)),
    "loading": Contract(("lasasr.data.loader.Loading",)),
    "logger": _LOGGER,
    "logger.*": _LOGGER,
    "loss": Contract(("lasasr.losses.base.Loss",)),
    "loss.ctc_weight": Contract(("lasasr.losses.joint.Annealed",)),
    "optimizer": Contract(("torch.optim.Optimizer",), supplied=("params",)),
    "sampling": Contract(("lasasr.spell.sampling.Sampling",), called=True),
    "schedule": Contract(("torch.optim.lr_scheduler.LRScheduler",), supplied=("optimizer", "total_steps")),
    "search": Contract(("lasasr.search.base.Search",)),
    "search.coverage": Contract(("lasasr.search.scorer_set.Coverage",)),
    "search.limits": Contract(("lasasr.search.limits.Limits",)),
    "search.pruning": Contract(("lasasr.search.pruning.Pruning",)),
    "search.rescore": Contract(("lasasr.search.rescoring.Rescoring",)),
    "search.scorers.*": Contract(("lasasr.search.base.Scorer",), supplied=("vocabulary_size", "pieces")),
    "search.subtract": Contract(("lasasr.search.subtraction.Subtraction",)),
    "spell": Contract(("lasasr.spell.base.Decoder",), supplied=("attend", "encoded_dim", "vocabulary_size")),
    "tokenizer": Contract(("lasasr.text.base.Tokenizer",), supplied=("transcripts",)),
    "trainer": Contract(("lightning.pytorch.Trainer",)),
    "trainer.callbacks": _CALLBACK,
    "trainer.logger": _LOGGER,
    "trainer.profiler": Contract(("lightning.pytorch.profilers.Profiler",)),
    "trainer.strategy": Contract(("lightning.pytorch.strategies.Strategy",)),
}

# The only modules below the shipped prefixes that a `_target_` can have imported: each, and what is below it. None of
# them does anything when it is imported (`lasasr.__main__` would run the command).
PART_MODULES: Final = (
    *(
        f"lasasr.{name}"
        for name in ("adapt", "attend", "audio", "corpora", "data", "listen", "lm", "losses", "search", "spell", "text")
    ),
    "lasasr.models.factory",
    "lasasr.training",
    "lightning.pytorch.callbacks",
    "lightning.pytorch.loggers",
    "lightning.pytorch.profilers",
    "lightning.pytorch.strategies",
    "lightning.pytorch.trainer",
    "torch.optim",
)

_POSITION: Final = re.compile(r"\[\d+\]|\.\d+(?=\.|$)")
_SAME: Final = ("validation.search", "search")  # the search that decodes dev while training


def place_kind(place: str) -> str:
    """The place as contracts and marks name it: `augment.waveform[0]` is `augment.waveform`."""
    kind = _POSITION.sub("", place)
    decoding, search = _SAME
    return search + kind.removeprefix(decoding) if f"{kind}.".startswith(f"{decoding}.") else kind


def contract_of(kind: str) -> Contract | None:
    """The contract of a place that `place_kind` gave; None: nothing is built there."""
    return CONTRACTS.get(kind) or CONTRACTS.get(f"{kind.rpartition('.')[0]}.*")
