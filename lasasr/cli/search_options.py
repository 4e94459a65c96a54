"""The search that a command asks of a trained recognizer: `search.x=...`, `--nbest`, hot words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lasasr.errors import UsageError

if TYPE_CHECKING:
    from lasasr.configuration.sections import Plain
    from lasasr.models.recognizer import Recognizer

_OVERRIDE = re.compile(r"([+~]{0,2})([A-Za-z_][\w./@-]*)=|~")
_CHANGEABLE = ("search", "hydra.searchpath")


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What names files and folders, and what overrides the search (`search.beam=20`); what exists is no override.

    Raises:
        UsageError: a key is overridden that a trained recognizer cannot change.
    """
    overrides = [text for text in arguments if _OVERRIDE.match(text) and not Path(text).exists()]
    for text in overrides:
        key = text.lstrip("+~").partition("=")[0].rpartition("@")[2]
        if key.partition(".")[0] != "search" and key not in _CHANGEABLE:
            meant = f"; an option of it is search.{text}" if re.fullmatch(r"\w+", key) else ""
            raise UsageError(
                f"{text}: of a trained recognizer only search can be changed, and no file has this name{meant}"
            )
    return [text for text in arguments if text not in overrides], overrides


def refuse_few(nbest: int | None) -> None:
    """Refuse `--nbest 0`.

    Raises:
        UsageError: it is less than 1.
    """
    if nbest is not None and nbest < 1:
        raise UsageError(f"--nbest must be at least 1, got {nbest}")


def searching(
    recognizer: Recognizer,
    named: str,
    overrides: Sequence[str],
    nbest: int | None = None,
    hotwords: Path | None = None,
) -> Recognizer:
    """The recognizer under the search that a command asks for.

    Args:
        named: the run or bundle, as the command has it.
        overrides: key=value.
        nbest: of `--nbest`; None: as the search has it.
        hotwords: the file of `--hotwords`.

    Raises:
        UsageError: the search has no such option, or cannot have it.
        LasasrError: the file cannot be read.
    """
    from lasasr.models import hot_word_search, language_model
    from lasasr.search.hotwords import read_phrases

    if not overrides and nbest is None and hotwords is None:
        return recognizer
    search = _overridden(recognizer, named, overrides) if overrides else recognizer.parts.search
    if nbest is not None:
        if "nbest" not in search and not hot_word_search.is_beam(search):
            raise UsageError("--nbest needs a beam search: add search=beam or search=beam_ctc")
        search = {**search, "nbest": nbest}
    if hotwords is not None:
        hot_word_search.refuse_unfit(search, "--hotwords")
        search = hot_word_search.with_phrases(search, read_phrases(hotwords), recognizer.normalizer)
    found = recognizer.searching(language_model.search(search, recognizer.tokenizer))
    found.parts = replace(recognizer.parts, search=search)
    found.try_search()
    return found


def _overridden(recognizer: Recognizer, named: str, overrides: Sequence[str]) -> Plain:
    """The search that key=value compose on top of the recognizer's own."""
    from lasasr.cli.compose import recompose

    stored = {"recipe": named, "choices": {"search": None}, **recognizer.parts.plain()}
    search: Plain = recompose(stored, overrides)["search"]
    return search
