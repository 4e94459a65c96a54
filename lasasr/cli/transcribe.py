"""`lasasr transcribe`: audio files to text."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lasasr.cli.arguments import Parser


def run(arguments: list[str]) -> int:
    """Print one line per file: path, tab, text; or one JSON object per line."""
    parser = Parser("transcribe", "Audio files to text.")
    parser.add_argument("run", type=Path, help="run folder or bundle")
    parser.add_argument("audio", nargs="+", type=Path, help="any format and sampling rate that soundfile reads")
    parser.add_argument("--json", action="store_true", help="one JSON object per file, with score and alternatives")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    options = parser.read(arguments)

    from lasasr import runs
    from lasasr.recognizer import Recognizer

    recognizer = Recognizer.load(runs.bundle_folder(options.run), options.device)
    for path, hypothesis in zip(options.audio, recognizer.transcribe(options.audio), strict=True):
        print(
            json.dumps(_plain(path, hypothesis), ensure_ascii=False) if options.json else f"{path}\t{hypothesis.text}"
        )
    return 0


def _plain(path: Path, hypothesis: Any) -> dict[str, Any]:
    return {
        "audio": str(path),
        "text": hypothesis.text,
        "score": hypothesis.score,
        "scores": hypothesis.scores,
        "flags": list(hypothesis.flags),
        "words": [asdict(word) for word in hypothesis.words],
    }
