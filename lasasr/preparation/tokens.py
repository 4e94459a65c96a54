"""The token ids of a prepared split, kept beside its manifest.

<split>.tokens-<digest>.safetensors    of one tokenizer under one transcript rule
"""

from __future__ import annotations

import hashlib
import inspect
import tempfile
from pathlib import Path
from typing import Final

from lasasr.data import derived, tokens
from lasasr.data.digests import split_of
from lasasr.data.manifest import Utterances
from lasasr.data.packed import PackedIds
from lasasr.data.tokens import Tokens
from lasasr.text.base import Tokenizer
from lasasr.text.transcript import TranscriptRule

SCHEMA: Final = 1
_OWN: Final = "lasasr."


def of_split(utterances: Utterances, tokenizer: Tokenizer, rule: TranscriptRule) -> Tokens:
    """The tokens of all utterances of a manifest.

    Those of a user's own tokenizer are made anew in every process: whatever its code reads may have changed.
    """
    identity = _identity(tokenizer)
    if identity is None:
        return tokens.encode(utterances.texts, tokenizer)
    manifest = utterances.path
    path = manifest.with_name(f"{split_of(manifest)}.tokens-{identity[:12]}-{str(rule).replace('/', '-')}.safetensors")
    made_from = {"schema": SCHEMA, "rule": str(rule), "tokenizer": identity, **derived.stamps([manifest])}

    def compute() -> derived.Arrays:
        encoded = tokens.encode(utterances.texts, tokenizer)
        return {"ids": encoded.ids.values, "ends": encoded.ids.ends, "outside": encoded.outside}

    arrays = derived.stored_or_computed(path, made_from, compute)
    return Tokens(PackedIds(arrays["ids"], arrays["ends"]), arrays["outside"])


def _identity(tokenizer: Tokenizer) -> str | None:
    """A digest over what a tokenizer saves and the code that reads it; None of one that is not the toolkit's."""
    kinds = [kind for kind in type(tokenizer).__mro__ if kind.__module__.startswith(_OWN)]
    if type(tokenizer) not in kinds:
        return None
    hashed = hashlib.sha256()
    for kind in kinds:
        hashed.update(Path(inspect.getfile(kind)).read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(Path(folder))
        for path in sorted(Path(folder).iterdir()):
            hashed.update(path.name.encode() + path.read_bytes())
    return hashed.hexdigest()
