"""Joins test utterances to long audio and transcribes it: in pieces, whole if asked, and what each alone had given.

    python scripts/long_audio.py RUN MANIFEST --whole                    # ten at a time (Chorowski et al. 2015, §4.1)
    python scripts/long_audio.py RUN MANIFEST --files 1 --utterances 800 # half an hour: memory, time
    python scripts/long_audio.py RUN MANIFEST --files 100 --utterances 3 --pause-s 0 --times 1.0 1.25 --whole

RUN has results of the split test, whose hypotheses are those of the utterances alone; MANIFEST is its cut manifest.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import soundfile
import torch

from lasasr import Recognizer
from lasasr.artifacts import results
from lasasr.data import audio
from lasasr.data.manifest import read_manifest
from lasasr.metrics.error_rates import Counts, compare, pooled
from lasasr.text import transcript

MOST_TRIES = 10_000  # choices of utterances for one file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--utterances", type=int, default=10, help="per file")
    parser.add_argument("--pause-s", type=float, default=0.3, help="digital silence between two of them")
    parser.add_argument("--max-piece-s", type=float)
    parser.add_argument("--seed", type=int, default=1, help="of the order")
    help_text = "only files whose length lies between these multiples of the longest training utterance"
    parser.add_argument(
        "--times", type=float, nargs=2, default=(0.0, float("inf")), metavar=("LOW", "HIGH"), help=help_text
    )
    parser.add_argument("--whole", action="store_true", help="also transcribe without cutting")
    options = parser.parse_args()
    torch.set_num_threads(1)
    recognizer = Recognizer.load(options.run / "bundle")
    longest_s = recognizer.trained_on.longest_s if recognizer.trained_on else 0.0
    lowest_s, highest_s = (factor * longest_s if factor else 0.0 for factor in options.times)
    lines = {line["id"]: line for line in results.read(options.run / "results", "test")[1]}
    cuts = read_manifest(options.manifest, transcript.from_name(recognizer.normalizer))
    rate, order = recognizer.frontend.sample_rate_hz, endless(range(len(cuts)), options.seed)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.flac" for number in range(options.files)]
        spoken = []
        for path in paths:
            with soundfile.SoundFile(path, "w", rate, 1) as file:
                chosen = [next(order) for _ in range(options.utterances)]
                for _ in range(MOST_TRIES):
                    if (
                        lowest_s
                        < sum(float(cuts.durations_s[index]) + options.pause_s for index in chosen)
                        <= highest_s
                    ):
                        break
                    chosen = [next(order) for _ in range(options.utterances)]
                else:
                    raise SystemExit("no choice of --utterances has a length between --times LOW HIGH")
                for index in chosen:
                    file.write(audio.load(cuts.cut(index), rate).numpy())
                    file.write(torch.zeros(int(options.pause_s * rate)).numpy())
            spoken.append([lines[cuts.ids[index]] for index in chosen])
        alone = pooled(compare(line["reference"], line["hypothesis"], "wer") for some in spoken for line in some)
        print(line_of("one by one", alone))
        references = [" ".join(line["reference"] for line in some) for some in spoken]
        measure("in pieces", recognizer, paths, references, options.max_piece_s)
        if options.whole:
            measure("whole", recognizer, paths, references, float("inf"))


def endless(numbers: Sequence[int], seed: int) -> Iterator[int]:
    """The numbers in random order, again and again."""
    generator = random.Random(seed)
    while True:
        yield from generator.sample(numbers, len(numbers))


def measure(
    name: str, recognizer: Recognizer, paths: Sequence[Path], references: Sequence[str], max_piece_s: float | None
) -> None:
    """Transcribe and print error rate, pieces, time and memory."""
    seconds, before_mib = sum(soundfile.info(path).duration for path in paths), peak_mib()
    start, cpu = time.perf_counter(), time.process_time()
    transcriptions = recognizer.transcribe(paths, timestamps=False, max_piece_s=max_piece_s)
    wall, cpu, after_mib = time.perf_counter() - start, time.process_time() - cpu, peak_mib()
    counts = pooled(
        compare(reference, result.text, "wer") for reference, result in zip(references, transcriptions, strict=True)
    )
    pieces = [piece for result in transcriptions for piece in result.pieces]
    hard = sum(piece.overlaps for piece in pieces)
    print(line_of(name, counts))
    print(
        f"  {seconds:,.0f} s in {len(pieces)} pieces ({hard} hard); {wall:.1f} s, CPU "
        f"{cpu:.1f} s, {cpu / seconds:.4f} of real time; peak memory {before_mib:,.0f} -> {after_mib:,.0f} MiB"
    )


def line_of(name: str, counts: Counts) -> str:
    kinds = f"{counts.substitutions} substituted, {counts.deletions} deleted, {counts.insertions} inserted"
    return f"{name:12s} WER {counts.percent:6.2f} %  ({kinds}, of {counts.reference_length})"


def peak_mib() -> float:
    """Of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
