"""Time and memory of everything around the training, for a corpus of as many utterances as the largest have.

The audio is a few recordings of noise under as many names as there are utterances (hard links), so that it takes little
disk while every file is opened, measured and digested as in a real corpus; the texts are random words. Each command
runs in a process of its own, as a user starts it; what it took is what the operating system says of it and its
children. `--utterances 30000 300000` shows how the cost grows.

    python scripts/bench_scale.py --utterances 30000 300000 --out /tmp/scale

`--starts 3000000` measures the start of a training alone: to prepare so many would take hours, so the manifest of 3,000
prepared utterances is repeated under other ids, and so are the names of their audio.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

PLAN: Final = "plan of two epochs, one resumed in its middle"
SYSTEMS: Final = 5  # compared
COMPARE: Final = f"`compare` of the texts of {SYSTEMS} systems"
ERRORS: Final = 0.05  # share of words that the best of them has wrong; each further one a hundredth more
RATE_HZ: Final = 8000
RECORDINGS: Final = 60  # different ones; all other names are links to them
WORDS: Final = 20_000  # of the made-up language
PER_S: Final = 2.5  # words per second of audio, a little less than in LibriSpeech
PER_SPEAKER: Final = 120
REPEATED: Final = 3_000  # utterances whose manifest is repeated for a start
# a small model: what is measured is the data's share of a start, not the products of the first update
MODEL: Final = (
    "listen.hidden_dim=16",
    "listen.layers=1",
    "spell.hidden_dim=16",
    "spell.embedding_dim=16",
    "attend.dim=16",
    "trainer.precision=32-true",
)
UPDATE: Final = ("trainer.max_steps=1",)


@dataclass(frozen=True)
class Cost:
    """Of one command and its children."""

    wall_s: float
    cpu_s: float
    peak_mib: float  # of the largest process
    status: int


def main() -> None:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, nargs="*", default=[30_000, 300_000])
    parser.add_argument("--out", type=Path, required=True, help="an empty folder for the corpus and what is made of it")
    parser.add_argument("--starts", type=int, nargs="*", default=[], help=f"starts alone, multiples of {REPEATED}")
    parser.add_argument("--plans", type=int, nargs="*", default=[3_000_000], help="plans alone, of so many")
    parser.add_argument("--compared", type=int, nargs="*", default=[100_000], help="utterances of compared systems")
    parser.add_argument("--plan", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if odd := [count for count in arguments.starts if count < 1 or count % REPEATED]:
        parser.error(f"--starts takes multiples of {REPEATED}, got {odd[0]}")
    if arguments.plan is not None:
        make_plan(arguments.plan)
        return
    print("| utterances | command | wall s | CPU s | peak MiB |\n|---|---|---|---|---|")
    for count in arguments.utterances:
        folder = arguments.out / str(count)
        write_corpus(folder, count)
        for name, cost in measured(folder, count):
            show(count, name, cost)
    for count in arguments.starts:
        for name, cost in started(arguments.out, count):
            show(count, name, cost)
    for count in arguments.plans:
        show(count, PLAN, plan(count))
    for count in arguments.compared:
        show(count, COMPARE, compare(arguments.out / f"compared-{count}", count))


def show(count: int, name: str, cost: Cost) -> None:
    """One line of the table."""
    note = f" (exit {cost.status})" if cost.status else ""
    figures = f"{cost.wall_s:.1f} | {cost.cpu_s:.1f} | {cost.peak_mib:.0f}"
    print(f"| {count:,} | {name}{note} | {figures} |", flush=True)


def write_corpus(folder: Path, count: int) -> None:
    """Tables train.tsv, dev.tsv and test.tsv below `folder`, and the audio that they name."""
    if (folder / "train.tsv").exists():
        return
    random = np.random.default_rng(1)
    audio = folder / "audio"
    audio.mkdir(parents=True)
    recordings = []
    for index in range(RECORDINGS):
        samples = random.normal(0, 0.05, int(RATE_HZ * _seconds(index)))
        recordings.append(audio / f"recording-{index:02d}.flac")
        soundfile.write(recordings[-1], samples, RATE_HZ)
    words = made_up_words(random)
    for split, size in (("train", count), ("dev", 200), ("test", 200)):
        with (folder / f"{split}.tsv").open("w") as table:
            table.write("id\taudio\ttext\tspeaker\n")
            for index in range(size):
                utterance = f"{split}-{index // PER_SPEAKER:05d}-{index % PER_SPEAKER:04d}"
                place = audio / split / f"{index // 1000:04d}"
                if index % 1000 == 0:
                    place.mkdir(parents=True)
                os.link(recordings[index % RECORDINGS], place / f"{utterance}.flac")
                text = " ".join(drawn(words, round(PER_S * _seconds(index)), random))
                name = (place / f"{utterance}.flac").relative_to(folder)
                table.write(f"{utterance}\t{name}\t{text}\t{split}-{index // PER_SPEAKER:05d}\n")


def made_up_words(random: np.random.Generator) -> NDArray[np.str_]:
    """(WORDS,)."""
    return np.array(["".join(random.choice(list("etaoinshrdlucm"), length)) for length in random.integers(2, 9, WORDS)])


def drawn(words: NDArray[np.str_], count: int, random: np.random.Generator) -> NDArray[np.str_]:
    """So many of them; rank r of a language's words is about 1 / r as frequent as the first (Zipf)."""
    return words[(WORDS ** random.random(count)).astype(int) - 1]


def compare(folder: Path, count: int) -> Cost:
    """Of systems that each have some words wrong, over so many utterances of 30 words by many speakers."""
    references, systems = folder / "references.tsv", [folder / f"{number}.tsv" for number in range(SYSTEMS)]
    if not references.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write_texts(references, systems, count)
    arguments = ["compare", "--reference", str(references), "--speaker", "id[:5]", "--metric", "wer"]
    hypotheses = [f"system{number}={path}" for number, path in enumerate(systems)]
    return run([*arguments, *hypotheses, "--out", str(folder / "comparison.json")], {})


def _write_texts(references: Path, systems: Sequence[Path], count: int) -> None:
    random = np.random.default_rng(1)
    words = made_up_words(random)
    with ExitStack() as files:
        spoken = files.enter_context(references.open("w"))
        spoken.write("id\ttext\n")
        written = [files.enter_context(path.open("w")) for path in systems]
        for table in written:
            table.write("id\thypothesis\n")
        for index in range(count):
            name = f"{index // PER_SPEAKER:05d}-{index % PER_SPEAKER:04d}"
            text = drawn(words, 30, random)
            spoken.write(f"{name}\t{' '.join(text)}\n")
            for number, table in enumerate(written):
                wrong = random.random(30) < ERRORS + 0.01 * number
                table.write(f"{name}\t{' '.join(np.where(wrong, drawn(words, 30, random), text))}\n")


def _seconds(index: int) -> float:
    """The duration of an utterance's recording: 4 to 20 s, 12 on the average."""
    return 4 + 16 * (index % RECORDINGS) / RECORDINGS


def measured(folder: Path, count: int) -> Iterator[tuple[str, Cost]]:
    """(what, cost) of every command, in the order in which a user meets them."""
    recipe, places = recipe_of(folder), places_in(folder)
    yield "`prepare`: reads every header, digests every file, learns 1,000 pieces", run(["prepare", *recipe], places)
    yield "`prepare` again: nothing to do", run(["prepare", *recipe], places)
    yield "`doctor --quick`", run(["doctor", *recipe, "--quick"], places)
    yield from starts(recipe, places)
    train = ["train", *recipe, *UPDATE]
    yield "the same with two workers", run([*train, "seed=3", "loading.num_workers=2"], places)
    yield PLAN, plan(count)


def recipe_of(folder: Path) -> list[str]:
    """The recipe and its overrides, for the tables in `folder`."""
    data = ["corpus=table", *(f"corpus.{split}={folder / split}.tsv" for split in ("train", "dev", "test"))]
    return ["librispeech/las_100h_bpe1k", *data, "evaluate.splits=[test]", "search=greedy", *MODEL]


def places_in(folder: Path) -> dict[str, str]:
    """Environment variables: prepared corpora and runs below `folder`."""
    return {"LASASR_PREPARED": str(folder / "prepared"), "LASASR_RUNS": str(folder / "runs")}


def starts(recipe: Sequence[str], places: Mapping[str, str]) -> Iterator[tuple[str, Cost]]:
    """(what, cost) of two trainings of one update; the first makes what the second reads."""
    train = ["train", *recipe, *UPDATE]
    yield "`train`, one update, the first time: doctor's look, token ids", run(train, places)
    yield "`train`, one update, from then on", run([*train, "seed=2"], places)


def started(out: Path, count: int) -> Iterator[tuple[str, Cost]]:
    """The same of a manifest of `count` utterances that nothing has prepared."""
    source, folder = out / str(REPEATED), out / f"started-{count}"
    write_corpus(source, REPEATED)
    recipe = recipe_of(source)
    if not (folder / "prepared").exists():
        prepared = run(["prepare", *recipe], places_in(source))
        assert prepared.status == 0
        repeat(source / "prepared", folder / "prepared", count)
    yield from starts(recipe, places_in(folder))


def repeat(source: Path, target: Path, count: int) -> None:
    """Write a prepared folder whose train split is that of `source` again and again, under other ids and names."""
    (prepared,) = source.glob("table-*")
    folder = target.with_name(f"{target.name}.partial") / prepared.name
    shutil.copytree(prepared, folder, ignore=shutil.ignore_patterns("train.*"), dirs_exist_ok=True)
    cuts = gzip.decompress((prepared / "train.jsonl.gz").read_bytes()).decode()
    digests = json.loads(gzip.decompress((prepared / "train.digests.json.gz").read_bytes()))
    files = {}
    with gzip.open(folder / "train.jsonl.gz", "wt", compresslevel=1) as manifest:
        for number in range(count // REPEATED):
            manifest.write(cuts.replace("train-", f"train-{number:04d}-"))
            for name, digest in digests["files"].items():
                path = Path(name)
                link = path.with_name(path.name.replace("train-", f"train-{number:04d}-"))
                link.unlink(missing_ok=True)
                link.hardlink_to(path)
                files[str(link)] = digest
    with gzip.open(folder / "train.digests.json.gz", "wt", compresslevel=1) as recorded:
        json.dump({**digests, "files": files}, recorded)
    folder.parent.rename(target)


def plan(count: int) -> Cost:
    """The plan of two epochs, the second gone on with in its middle."""
    return run([__file__, "--plan", str(count), "--out", "."], {}, module=False)


def make_plan(count: int) -> None:
    """What a run does before the first batch of a resumed epoch."""
    from lasasr.data.sampler import Batching, BucketBatches

    durations_s = np.random.default_rng(1).uniform(2, 20, count)
    batches = BucketBatches(durations_s, Batching(64, 240.0), batches_per_step=2, world_size=2)
    assert sum(map(len, batches.batches(0))) == count
    batches.start_from(1, len(batches) // 2)
    assert len(list(batches)) == len(batches) - len(batches) // 2


def run(arguments: Sequence[str], places: Mapping[str, str], module: bool = True) -> Cost:
    """Run one command of lasasr, or a script."""
    command = [sys.executable, *(["-m", "lasasr"] if module else []), *arguments]
    start = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | places, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.stderr.write(output.decode(errors="replace")[-2000:])
    return Cost(
        time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode
    )


if __name__ == "__main__":
    main()
