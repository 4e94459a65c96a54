"""Texts that any tool made of utterances: a table with `id`, `text` and perhaps `score`, and their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lasasr.corpora.columns import Columns
from lasasr.corpora.table_files import read_fields
from lasasr.data.taught import ScoredText
from lasasr.errors import LasasrError


def read_texts(table: Path) -> dict[str, list[ScoredText]]:
    """Utterance id → its texts with their scores (log), the best first.

    Several rows of one id are its n best; in JSON lines `nbest` may list them (`text`, `score`), as `lasasr transcribe
    --json` and `results/<split>.jsonl` do, and `hypothesis` may stand for `text`.

    Raises:
        LasasrError: a row has no id or text, or a score is no number; names table, line and value.
    """
    texts: dict[str, list[ScoredText]] = {}
    for number, fields in read_fields(table, Columns(), ("id", "text")):
        where = f"{table}, line {number}: "
        name = fields.get("id")
        if not isinstance(name, str) or not name.strip():
            raise LasasrError(f"{where}id is missing or empty")
        listed = fields.get("nbest") or [fields]
        if not isinstance(listed, list):
            raise LasasrError(f"{where}nbest is no list")
        texts.setdefault(name.strip(), []).extend(_text(where, entry) for entry in listed)
    for of_utterance in texts.values():
        if all(text.score is not None for text in of_utterance):
            of_utterance.sort(key=lambda text: -(text.score or 0.0))
    return texts


def _text(where: str, entry: Any) -> ScoredText:
    if not isinstance(entry, Mapping):
        raise LasasrError(f"{where}an entry of nbest is no object with text and score")
    text = entry.get("text", entry.get("hypothesis"))
    if not isinstance(text, str):
        raise LasasrError(f"{where}text is missing, or no text")
    score = entry.get("score")
    if score is None or (isinstance(score, str) and not score.strip()):
        return ScoredText(text, None)
    try:
        value = math.nan if isinstance(score, bool) else float(score)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise LasasrError(f"{where}score {score!r} is not a number")
    return ScoredText(text, value)


def weighted(lists: Sequence[Sequence[ScoredText]]) -> list[tuple[str, float]]:
    """The texts of several teachers, each text once, with weights that sum to 1; every teacher counts alike.

    Scores become probabilities of the list; without a score of every text of a teacher its texts count alike.
    """
    weights: dict[str, float] = {}
    for texts in lists:
        scores = [text.score for text in texts]
        known = [score for score in scores if score is not None]
        logs = known if len(known) == len(scores) else [0.0] * len(scores)
        shares = [math.exp(log - max(logs)) for log in logs]
        for (text, _), share in zip(texts, shares, strict=True):
            weights[text] = weights.get(text, 0.0) + share / sum(shares) / len(lists)
    return list(weights.items())
