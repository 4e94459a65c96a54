"""Parts of a trained recognizer as the beginning of another: fine-tuning, and little speech after much."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from lasasr.artifacts import run_paths
from lasasr.errors import LasasrError, UsageError
from lasasr.models.language_model import same
from lasasr.models.recognizer import Recognizer
from lasasr.text.base import Tokenizer

PARTS = ("encoder", "decoder", "ctc")
SPELLED_BY_TOKENS = ("decoder", "ctc")  # rows of their weights stand for tokens


def warm_start(recognizer: Recognizer, run: str, parts: Sequence[str]) -> None:
    """Give `parts` of an untrained recognizer the weights that they have in a trained one.

    Args:
        run: run folder or bundle of the trained one.
        parts: some of `PARTS`; the others keep their own initial weights.

    Raises:
        UsageError: a part is unknown, named twice, or one of the two recognizers does not have it.
        LasasrError: there is no bundle; or a part would not be the same in both: frontend, tokens or sizes differ.
    """
    if unknown := [part for part in parts if part not in PARTS] or [part for part in PARTS if parts.count(part) > 1]:
        raise UsageError(f"warm_start.parts must be different ones of {', '.join(PARTS)}, got {unknown[0]}")
    folder = trained_bundle(run)
    trained = Recognizer.load(folder)
    _check_input(recognizer, trained, parts, folder)
    for name in parts:
        _take(name, getattr(recognizer.model, name), getattr(trained.model, name), folder)


def trained_bundle(run: str) -> Path:
    """The bundle that `warm_start.run` means.

    Raises:
        LasasrError: there is none.
    """
    return run_paths.bundle_folder(run)


def _check_input(recognizer: Recognizer, trained: Recognizer, parts: Sequence[str], folder: Path) -> None:
    if "encoder" in parts and recognizer.parts.frontend != trained.parts.frontend:
        raise LasasrError(f"warm_start: {folder} was trained with another frontend, so its encoder would hear noise")
    if set(parts) & set(SPELLED_BY_TOKENS):
        check_same_tokens(recognizer.tokenizer, trained.tokenizer, folder)


def check_same_tokens(tokenizer: Tokenizer, trained: Tokenizer, folder: Path) -> None:
    """Refuse weights whose rows stand for other tokens.

    Raises:
        LasasrError: the tokens differ.
    """
    if not same(tokenizer, trained):
        raise LasasrError(
            f"warm_start: {folder} has other tokens; set tokenizer=of_run tokenizer.run={folder}, "
            "or warm_start.parts=[encoder]"
        )


def _take(name: str, part: nn.Module | None, trained: nn.Module | None, folder: Path) -> None:
    """Copy the weights of one part, all of them or none."""
    if part is None or trained is None:
        where = "this recognizer" if part is None else str(folder)
        raise UsageError(f"warm_start.parts names {name}, which {where} does not have (loss.ctc_weight says why)")
    wanted, trained_state = part.state_dict(), trained.state_dict()
    for key in sorted(set(wanted) | set(trained_state)):
        shapes = [tuple(state[key].shape) if key in state else None for state in (wanted, trained_state)]
        if shapes[0] != shapes[1]:
            raise LasasrError(
                f"warm_start: {name}.{key} is {shapes[0] or 'absent'} here and {shapes[1] or 'absent'} in {folder}: "
                "give both the same options, or leave the part out of warm_start.parts"
            )
    part.load_state_dict(trained_state)
