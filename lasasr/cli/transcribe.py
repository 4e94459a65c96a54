"""`lasasr transcribe`: audio files to text."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lasasr.cli.arguments import Parser, add_device, usable
from lasasr.configuration.loading import loading
from lasasr.errors import LasasrError
from lasasr.escaping import escaped, takes_unicode


def run(arguments: list[str]) -> int:
    """Print one line per file: path, tab, text, and below it a line per word if asked; or one JSON object per line."""
    parser = Parser("transcribe", "Audio files to text.")
    parser.add_argument("run", type=Path, help="run folder or bundle")
    parser.add_argument("audio", nargs="+", type=Path, help="files of any format that soundfile reads, and folders")
    parser.add_argument("--json", action="store_true", help="one JSON object per file, with scores and word times")
    parser.add_argument("--timestamps", action="store_true", help="when each word was said: start, end (s), word")
    parser.add_argument(
        "--max-piece-s",
        type=float,
        metavar="SECONDS",
        help="longer audio is cut into pieces, in pauses (default: the longest utterance of training)",
    )
    add_device(parser)
    options = parser.read(arguments)

    with loading():
        from lasasr.artifacts import run_paths
        from lasasr.audio.blocks import duration_s
        from lasasr.audio.inputs import FileInput, files_of
        from lasasr.models.recognizer import Recognizer

    paths = [path for given in options.audio for path in files_of(given)]
    recognizer = Recognizer.load(run_paths.bundle_folder(options.run), usable(options.device))
    timestamps = options.timestamps or options.json
    results = recognizer.transcribe_inputs(
        [FileInput(path) for path in paths], timestamps=timestamps, max_piece_s=options.max_piece_s
    )
    errors = []
    for path, hypothesis in zip(paths, results, strict=True):
        if isinstance(hypothesis, LasasrError):
            errors.append(hypothesis)
            continue
        if hypothesis.pieces:
            print(_told(path, duration_s(path), hypothesis.pieces), file=sys.stderr)
        if not hypothesis.text:
            print(f"{path}: no text: silence, steady noise, or nothing recognized", file=sys.stderr)
        if options.json:
            print(json.dumps(_plain(path, hypothesis), ensure_ascii=not takes_unicode(sys.stdout)))
        else:
            print(f"{escaped(str(path))}\t{escaped(hypothesis.text)}")
            for word in hypothesis.words:  # none unless asked for
                print(f"{word.start_s:9.3f}{word.end_s:9.3f}  {escaped(word.word)}")
    return _reported(errors, len(paths))


def _reported(errors: Sequence[LasasrError], count: int) -> int:
    """Say at the end which files could not be transcribed; the exit status."""
    if len(errors) == 1 == count:
        raise errors[0]
    for error in errors:
        print(f"lasasr: {error}", file=sys.stderr)
    if errors:
        print(f"lasasr: {len(errors)} of {count} files were not transcribed", file=sys.stderr)
    return LasasrError.exit_status if errors else 0


def _told(path: Path, seconds: float, pieces: Sequence[Any]) -> str:
    """How long audio was taken apart."""
    hard = sum(one.overlaps for one in pieces)
    return f"{path}: {seconds:,.0f} s in {len(pieces)} pieces, cut at pauses ({hard} hard)"


def _plain(path: Path, hypothesis: Any) -> dict[str, Any]:
    return {
        "audio": str(path),
        "text": hypothesis.text,
        "score": hypothesis.score,
        "scores": hypothesis.scores,
        "flags": list(hypothesis.flags),
        "words": [asdict(word) for word in hypothesis.words],
        "times_from": hypothesis.times_from,
        "pieces": [asdict(one) for one in hypothesis.pieces],
    }
