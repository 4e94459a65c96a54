"""`lasasr transcribe`: audio to text, subtitles, word times."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lasasr.cli import search_options
from lasasr.cli.arguments import Parser, add_device, usable
from lasasr.configuration.loading import loading
from lasasr.errors import LasasrError, UsageError
from lasasr.escaping import one_line

if TYPE_CHECKING:
    from lasasr.models.recognizer import Recognizer
    from lasasr.transcription.recordings import Recording
    from lasasr.transcription.sinks import Sink
    from lasasr.transcription.transcript import Transcript

EPILOG = """\
examples:
  lasasr transcribe RUN a.wav talks/ 'more/*.mp3'       files, folders, patterns
  lasasr transcribe RUN list.tsv                        a table with id and audio (start_s, end_s), or JSON lines
  ffmpeg -i film.mkv -f wav - | lasasr transcribe RUN - --format srt
  lasasr transcribe RUN talks/ --format srt,json --out subtitles
  lasasr transcribe RUN a.wav search=beam_ctc search.beam=20 --nbest 5
  lasasr transcribe BASE a.wav --adapter DELTA          BASE as an adapted run has changed it (docs/adapting.md)

formats: text, json, jsonl, srt, vtt, ctm, textgrid, and tsv, a table that corpus=table reads (docs/transcribing.md)."""


def run(arguments: list[str]) -> int:
    """Print each result as soon as it is there, in order, or write one file per recording and format."""
    parser = Parser("transcribe", "Audio to text, subtitles, word times.", EPILOG)
    parser.add_argument("run", metavar="RUN|BUNDLE", type=Path, help="run folder or bundle")
    help_text = "files, folders, patterns, tables, - for standard input; and key=value: search"
    parser.add_argument("audio", metavar="AUDIO", nargs="+", help=help_text)
    parser.add_argument("--format", metavar="FORMAT", help="one, or several with commas (default: text)")
    parser.add_argument("--json", action="store_true", help="the same as --format jsonl")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write a file per recording and format there")
    parser.add_argument("--overwrite", action="store_true", help="replace files of --out that are there")
    parser.add_argument("--timestamps", action="store_true", help="text: when each word was said, in lines below it")
    parser.add_argument("--nbest", type=int, metavar="N", help="the N best readings of each (search.nbest)")
    parser.add_argument("--hotwords", type=Path, metavar="FILE", help="phrases that are likely to be said, one a line")
    help_text = "leave out what is less sure, in [0, 1]; needs lasasr calibrate RUN"
    parser.add_argument("--min-confidence", type=float, metavar="X", help=help_text)
    parser.add_argument("--adapter", type=Path, metavar="DELTA", help="run or bundle that is a delta to RUN|BUNDLE")
    parser.add_argument("--batch-s", type=float, default=60.0, metavar="SECONDS", help="audio decoded at once (60)")
    parser.add_argument(
        "--max-piece-s",
        type=float,
        metavar="SECONDS",
        help="longer audio is cut into pieces, in pauses (default: the longest utterance of training)",
    )
    add_device(parser, default="auto")
    options = parser.read(arguments)
    _refuse_contradictions(options)
    named, overrides = split(options.audio)

    with loading():
        from lasasr.artifacts import run_paths
        from lasasr.models.recognizer import Recognizer
        from lasasr.transcription.recordings import recordings
        from lasasr.transcription.sinks import Files, Stream, formats_of

    for name in named:
        if run_paths.is_recognizer(Path(name)):
            raise UsageError(
                f"{name} is a recognizer, as {options.run} is: name one, then the recordings; a pattern such as RUN-* "
                "may match several"
            )
    formats = formats_of("jsonl" if options.json else options.format or "text")
    listed = recordings(named)
    sink = (
        Files(options.out, formats, listed, options.timestamps, options.overwrite)
        if options.out
        else Stream(formats, listed, options.timestamps)
    )
    device = usable(options.device)
    if options.adapter is None:
        recognizer = Recognizer.load(run_paths.bundle_folder(options.run), device)
    else:
        recognizer = Recognizer.load(run_paths.bundle_folder(options.adapter), device, base=options.run)
    recognizer = search_options.searching(recognizer, str(options.run), overrides, options.nbest, options.hotwords)
    if options.min_confidence is not None and recognizer.calibration is None:
        raise UsageError(f"--min-confidence: {options.run} is not calibrated: lasasr calibrate RUN fits its confidence")
    timestamps = (
        options.timestamps or options.min_confidence is not None or any(chosen.timed for chosen in formats.values())
    )
    return _transcribe(recognizer, listed, sink, options, timestamps)


def _refuse_contradictions(options: Namespace) -> None:
    if options.json and options.format not in (None, "jsonl"):
        raise UsageError(f"--json is --format jsonl, but --format {options.format} is given too; give one of them")
    chosen = "jsonl" if options.json else options.format or "text"
    if options.timestamps and not {"text", "json", "jsonl"}.intersection(chosen.split(",")):
        raise UsageError(f"--timestamps adds lines to text; {chosen} has the times of words by itself, or none")
    if options.overwrite and not options.out:
        raise UsageError("--overwrite replaces files of --out, which is not given")
    if options.min_confidence is not None and not 0.0 <= options.min_confidence <= 1.0:
        raise UsageError(f"--min-confidence must lie in [0, 1], got {options.min_confidence:g}")
    search_options.refuse_few(options.nbest)


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What names audio, and what overrides the search.

    Raises:
        UsageError: nothing names audio, or see `search_options.split`.
    """
    named, overrides = search_options.split(arguments)
    if not named:
        raise UsageError("no audio is named: files, folders, patterns, a table, or - for standard input")
    if named.count("-") > 1:
        raise UsageError("- (standard input) is named twice")
    return named, overrides


def _transcribe(
    recognizer: Recognizer, listed: Sequence[Recording], sink: Sink, options: Namespace, timestamps: bool
) -> int:
    from lasasr.cli.transcribe_progress import TranscribeProgress
    from lasasr.transcription.confident import confident
    from lasasr.transcription.transcript import Transcript

    errors: list[LasasrError] = []
    least, unsure = options.min_confidence, 0
    audio_s, start = 0.0, time.perf_counter()
    inputs = (recording.audio for recording in listed)
    results = recognizer.stream(inputs, options.batch_s, timestamps, options.max_piece_s)
    with TranscribeProgress(len(listed)) as progress, sink:
        for recording, hypothesis in zip(listed, results, strict=True):
            if isinstance(hypothesis, LasasrError):
                errors.append(hypothesis)
            else:
                transcript = Transcript(recording.audio.name, recording.id, recording.audio.duration_s(), hypothesis)
                audio_s += transcript.duration_s
                _print_notes(transcript)
                sure = hypothesis if least is None else confident(hypothesis, least)
                unsure += sure is None
                try:
                    if sure is not None:
                        sink.write(recording, transcript._replace(hypothesis=sure))
                except LasasrError as error:
                    errors.append(error)
            progress.advance(audio_s)
    seconds = time.perf_counter() - start
    if len(errors) < len(listed):
        done = len(listed) - len(errors)
        print(_speed(done, audio_s, seconds), file=sys.stderr)
    if least is not None:
        print(f"left out as less sure than {least:g}: {unsure} of {len(listed)} recordings", file=sys.stderr)
    return _report(errors, len(listed))


def _print_notes(transcript: Transcript) -> None:
    """What a reader of the text would not see."""
    pieces = transcript.hypothesis.pieces
    if len(pieces) > 1:
        hard = sum(piece.overlaps for piece in pieces)
        what = f"{transcript.duration_s:,.0f} s in {len(pieces)} pieces, cut at pauses ({hard} hard)"
        print(f"{transcript.audio}: {what}", file=sys.stderr)
    if not transcript.hypothesis.text:
        print(f"{transcript.audio}: no text: silence, steady noise, or nothing recognized", file=sys.stderr)


def _speed(count: int, audio_s: float, seconds: float) -> str:
    recordings = "1 recording" if count == 1 else f"{count} recordings"
    return f"{recordings}, {audio_s:,.1f} s of audio in {seconds:,.1f} s: real-time factor {seconds / audio_s:.3f}"


def _report(errors: Sequence[LasasrError], count: int) -> int:
    """Say at the end which recordings could not be transcribed; the exit status."""
    if len(errors) == 1 == count:
        raise errors[0]
    for error in errors:
        print(f"lasasr: {one_line(str(error))}", file=sys.stderr)
    if errors:
        print(f"lasasr: {len(errors)} of {count} recordings were not transcribed", file=sys.stderr)
    return LasasrError.exit_status if errors else 0
