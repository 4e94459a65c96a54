"""What `lasasr app --keep DIR` writes: recordings, and what was made of them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from lasasr.app.answer import Answer
from lasasr.app.recording import Recording
from lasasr.artifacts import files


def keep(folder: Path, recording: Recording, answers: Sequence[Answer]) -> Path:
    """Write DATE-TIME-NAME, the audio, and beside it .jsonl with one line per recognizer; the path of the audio."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = folder / f"{stamp}-{recording.name}"
    number = 1
    while path.exists():
        number += 1
        path = folder / f"{stamp}-{number}-{recording.name}"
    with files.replacing(path) as written:
        written.write_bytes(recording.content)
    lines = [
        {"run": answer.system, **({"error": answer.error} if answer.transcript is None else answer.transcript.plain())}
        for answer in answers
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    files.write_text(path.with_name(f"{path.name}.jsonl"), text)
    return path
