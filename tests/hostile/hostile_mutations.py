"""Mutations of composed recipes: each key deleted, misspelt, or given what it does not take; typed as a user types.

A mutation is one more override on a recipe that trains in a second. Its process is forked after all imports, so that a
thousand take minutes. What comes of it is one of VERDICTS; all but "ran" and "one line" are faults of the toolkit.
"""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import hostile_ground as ground
import numpy as np
import soundfile

from lasasr.cli.compose import compose
from lasasr.cli.main import main

VERDICTS: Final = ("ran", "one line", "unnamed", "several lines", "internal error", "slow", "hang", "killed")
GOOD: Final = VERDICTS[:2]
MOST_CPU_S: Final = 5.0  # of what is refused
MOST_WALL_S: Final = 90.0  # of a machine with much else to do
MOST_BYTES: Final = 6 << 30
HUGE: Final = 10**15
TINY: Final = (*ground.TABLES, *ground.SMALL, "loading.num_workers=0", "trainer.max_time=00:00:01:00")
TINY_LM: Final = (
    "corpus.train=text.txt",
    "corpus.dev=dev.txt",
    "trainer.max_steps=1",
    "trainer.accelerator=cpu",
    "trainer.val_check_interval=1",
    "trainer.check_val_every_n_epoch=1",
)


def _tiny(*more: str, without: str = "") -> tuple[str, ...]:
    """Overrides that make a recognizer small, but for those of parts that lack their keys; and more."""
    return (*(one for one in TINY if not without or not one.startswith(tuple(without.split()))), *more)


# recipe and overrides whose keys are mutated: together they have most parts that ship
COMPOSITIONS: Final = (
    (ground.RECIPE, TINY),
    (ground.RECIPE, _tiny("search=beam_ctc", "search.beam=2", "attend=gmm", "spell=gru", "augment=speed_noise")),
    (ground.RECIPE, _tiny("attend=mocha", "loss=annealed", "schedule=inverse_sqrt", "optimizer=adamw")),
    (ground.RECIPE, _tiny("attend=multihead_location", "augment=specaugment_lb", "sampling=linear")),
    (ground.RECIPE, _tiny("batching=seconds", "schedule=plateau", without="batching")),
    (ground.RECIPE, _tiny("listen=conv_blstm", "loss=ctc", "search=ctc_prefix", without="listen.sub search")),
    ("lm/text_char", TINY_LM),
)


@dataclass(frozen=True)
class Mutation:
    """One of them."""

    recipe: str
    overrides: tuple[str, ...]
    key: str
    kind: str
    override: str  # the mutation itself

    def __str__(self) -> str:
        choices = " ".join(one for one in self.overrides if one.partition("=")[0] in ("attend", "listen", "batching"))
        return f"{self.recipe} {choices} {self.override[:80]!r} ({self.kind})"


@dataclass(frozen=True)
class Result:
    """What came of a mutation."""

    mutation: Mutation
    verdict: str
    cpu_s: float
    line: str  # the last of what was said


def mutations() -> list[Mutation]:
    """All of them, each once."""
    found: dict[tuple[str, str, str], Mutation] = {}
    for recipe, overrides in COMPOSITIONS:
        config = compose(recipe, overrides)
        for key, value in leaves({key: value for key, value in config.items() if key not in ("recipe", "choices")}):
            for kind, override in _of_leaf(key, value):
                found.setdefault(
                    (recipe, override, repr(value)), Mutation(recipe, tuple(overrides), key, kind, override)
                )
    return list(found.values())


def sample(every: Sequence[Mutation], count: int, seed: int = 0) -> list[Mutation]:
    """So many of them, spread over all keys; the same for a seed."""
    return random.Random(seed).sample(every, min(count, len(every)))


def leaves(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of what is no section."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from leaves(value, f"{place}{key}.")
    else:
        yield place[:-1], node


def _of_leaf(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """(kind, override) of each mutation of a key."""
    yield "deleted", f"~{key}"
    if "._target_" not in key:
        letters = key.rpartition(".")[2]
        yield "misspelt", f"{key.removesuffix(letters)}{letters[:-1]}{letters[-1] * 2}=1"
    values = {"nan": "nan", "negative": "-3", "zero": "0", "huge": str(HUGE), "text": "banana", "flag": "true"}
    if isinstance(value, float):
        values |= {"infinite": "inf", "huge": "1e30"}
    if isinstance(value, list | tuple):
        values |= {"negative": "[-1]", "empty": "[]", "nan": "[nan]", "text": "[banana]"}
    if isinstance(value, str):
        values |= {"huge": "x" * 3000, "empty": "''"}
    if value is not None:
        values["null"] = "null"
    values["list"] = "[[1]]"
    values["section"] = "{a: 1}"
    yield from ((kind, f"{key}={text}") for kind, text in values.items() if text != str(value).lower())


def prepare_ground(folder: Path) -> None:
    """The files that the compositions name."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 8000))
    rows = ["id\taudio\ttext\tspeaker"]
    for number, row in enumerate(samples):
        soundfile.write(folder / f"u{number}.wav", row, 16_000)
        rows.append(f"u{number}\tu{number}.wav\ta b ab\ts{number}")
    (folder / "train.tsv").write_text("\n".join(rows))
    (folder / "text.txt").write_text("a b ab\n\nb a\n\n" * 4)
    (folder / "dev.txt").write_text("ab a\n")


def warm_up() -> None:
    """Import in this process what every child needs, and build nothing."""
    import lightning.pytorch
    import torch

    from lasasr.cli import evaluate, train
    from lasasr.doctor import examination
    from lasasr.training import fit, lm_run, local_loggers, run

    torch.set_num_threads(1)
    del lightning, evaluate, train, examination, fit, lm_run, local_loggers, run


def run_all(chosen: Sequence[Mutation], folder: Path) -> Iterator[Result]:
    """Try them one after the other, each in a process and a folder of its own below `folder`."""
    source = folder / "ground"
    source.mkdir(parents=True)
    prepare_ground(source)
    warm_up()
    for mutation in chosen:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            work = Path(place) / "work"
            shutil.copytree(source, work)
            yield _run(mutation, work, Path(place) / "said")


def _run(mutation: Mutation, work: Path, said: Path) -> Result:
    child = os.fork()
    if child == 0:
        _be_the_command(mutation, work, said)
    status, cpu_s = _waited(child)
    return Result(mutation, *_verdict(mutation, status, cpu_s, said.read_text(errors="replace")))


def _be_the_command(mutation: Mutation, work: Path, said: Path) -> None:
    """In the child: type the command, and end."""
    status = 99
    try:
        os.setsid()
        os.chdir(work)
        for name, place in {"LASASR_RUNS": "runs", "LASASR_PREPARED": "prepared", "LASASR_DATA": "data"}.items():
            os.environ[name] = place
        os.environ.pop("HYDRA_FULL_ERROR", None)
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        out = os.open(said, os.O_WRONLY | os.O_CREAT)
        for descriptor in (1, 2):
            os.dup2(out, descriptor)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        status = main(["train", mutation.recipe, *mutation.overrides, mutation.override])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _waited(child: int) -> tuple[int | None, float]:
    """(exit status, or None where it had to be ended; seconds that it computed)."""
    end = time.monotonic() + MOST_WALL_S
    while time.monotonic() < end:
        ended, status, used = os.wait4(child, os.WNOHANG)
        if ended:
            _end_group(child)
            return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
        time.sleep(0.02)
    _end_group(child)
    _, _, used = os.wait4(child, 0)
    return None, used.ru_utime + used.ru_stime


def _end_group(child: int) -> None:
    """End the child, and what it started, by the session that it made."""
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        return


def _verdict(mutation: Mutation, status: int | None, cpu_s: float, text: str) -> tuple[str, float, str]:
    lines = [line for line in text.splitlines() if line.startswith("lasasr: ")]
    last = lines[-1] if lines else (text.splitlines() or [""])[-1]
    if status is None:
        return "hang", cpu_s, last
    if status == 0:
        return "ran", cpu_s, last
    if status not in (1, 2):
        return "killed", cpu_s, f"status {status}: {last}"
    if not lines or any("internal error" in line for line in lines) or "Traceback" in text:
        return "internal error", cpu_s, last
    if len(lines) != 1 or text.splitlines()[-1] != lines[0]:
        return "several lines", cpu_s, last
    if not _names(lines[0], mutation):
        return "unnamed", cpu_s, last
    return ("one line" if cpu_s < MOST_CPU_S else "slow"), cpu_s, last


def _names(line: str, mutation: Mutation) -> bool:
    """Whether a line says which key is meant: by its last word at least."""
    last = mutation.key.rpartition(".")[2]
    above = mutation.key.rpartition(".")[0]
    words = {last, last.replace("_", "-"), last.removesuffix("_"), above or last}
    words |= {above.rpartition(".")[2]} if "." in above else set()  # a part's part, as `rescore` of a search
    return any(re.search(rf"(?<![A-Za-z]){re.escape(word)}", line) for word in words)


def summary_line(results: Sequence[Result]) -> str:
    """The figures in one line."""
    counts = Counter(result.verdict for result in results)
    others = "".join(
        f" | {verdict} {counts[verdict]}" for verdict in VERDICTS if counts[verdict] and verdict not in _SAID
    )
    errors = counts["internal error"]
    figures = f"one line {counts['one line']} | internal errors {errors} | ran {counts['ran']}"
    return f"mutations {len(results)} | {figures}{others}"


_SAID: Final = ("one line", "internal error", "ran")
