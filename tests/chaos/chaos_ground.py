"""What the cases start from: a corpus of noise, configurations that are composed once, runs that nothing disturbed."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from chaos_imports import import_noted
from chaos_oracle import diary, run_folder
from chaos_process import Command, run

from lasasr.cli import compose as composing
from lasasr.configuration.identity import system_digest

RECIPE = "synthetic/las_char"
CORPUS = ("corpus=table", "corpus.train={}/train.tsv", "corpus.dev={}/dev.tsv", "corpus.test={}/test.tsv")
TRAINER = ("trainer.max_epochs=3", "trainer.val_check_interval=1.0", "trainer.check_val_every_n_epoch=1")
SMALL = (
    "listen.hidden_dim=4",
    "listen.layers=1",
    "listen.subsampling_factor=2",
    "listen.dropout=0.1",
    "spell.hidden_dim=4",
    "attend.dim=4",
    "sampling.most=0.2",
    "augment=specaugment_ld",
    "batching.max_utterances=2",
    "trainer.accelerator=cpu",
    *TRAINER,
    "checkpoint.every_s=0",  # a checkpoint after every update
    "checkpoint.best=2",
    "evaluate.maps=0",
    "validation.maps=0",
    "search=greedy",
)
OVERRIDES: dict[str, tuple[str, ...]] = {
    "alone": (*SMALL, "trainer.accumulate_grad_batches=2"),
    "workers": (*SMALL, "trainer.accumulate_grad_batches=2", "loading.num_workers=1"),
    "ranks": (*SMALL, "trainer=ddp", "trainer.accelerator=cpu", *TRAINER, "trainer.strategy.timeout_s=20.0"),
    "own-table": (*SMALL, "trainer.accumulate_grad_batches=2"),  # a table that the case may edit
}
ALL = tuple(OVERRIDES)
VERB_WORDS: Mapping[str, tuple[str, ...]] = {
    "evaluate": ("evaluate", "run", "evaluate.splits=[dev,test]"),
    "average": ("average", "run", "--last", "2"),
    "compare": ("compare", "run", "twin", "--out", "comparison.json", "--html", "page.html"),
    "export": ("export", "run", "--out", "bundle"),
}
UNDISTURBED_S = 600.0  # that a reference may take: a machine with much to do is no fault
UTTERANCES = {"train": 12, "dev": 3, "test": 3}


@dataclass(frozen=True)
class Reference:
    """A run that nothing disturbed, and the points that it reached."""

    folder: Path  # of the case
    points: Counter[str]
    took_s: float

    @property
    def run(self) -> Path:
        """The run folder."""
        return run_folder(self.folder)


@dataclass(frozen=True)
class Ground:
    """A folder with the corpus, and references by their names."""

    folder: Path
    references: dict[str, Reference]

    def copy(self, work: Path) -> None:
        """Give a case its own corpus, prepared."""
        shutil.copytree(self.folder / "corpus", work)


def words_of(name: str) -> tuple[str, ...]:
    """What is typed to train a configuration, or for another verb."""
    if name == "prepare":
        return ("prepare", RECIPE, *OVERRIDES["alone"])
    return VERB_WORDS.get(name) or ("train", RECIPE, *OVERRIDES[name])


def ranks_of(name: str) -> int:
    """Processes of a configuration."""
    return 2 if name == "ranks" else 1


def build(folder: Path, names: tuple[str, ...]) -> Ground:
    """Make it.

    Args:
        names: of the references: of `OVERRIDES` and of `VERB_WORDS`.
    """
    places = {"LASASR_RUNS": "runs", "LASASR_PREPARED": "prepared", "LASASR_DATA": "data"}
    os.environ.update(places, OMP_NUM_THREADS="1")
    for name in ("LASASR_ALLOW", "HYDRA_FULL_ERROR"):
        os.environ.pop(name, None)
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    _write_corpus(corpus)
    os.chdir(corpus)
    for name, overrides in OVERRIDES.items():
        place = "." if name == "own-table" else str(corpus)
        OVERRIDES[name] = (*(word.format(place) for word in CORPUS), *overrides)
    _compose_once({"alone", *names} & OVERRIDES.keys())
    ground = Ground(folder, {})
    for name in dict.fromkeys(("prepare", "alone", *names)):
        if name == "prepare":
            shutil.copytree(corpus, folder / name)
        elif name in OVERRIDES:
            ground.copy(folder / name)
        else:
            shutil.copytree(_finished(ground), folder / name)
        ground.references[name] = _reference(folder / name, name)
        if name == "prepare":
            shutil.copytree(folder / name / "prepared", corpus / "prepared")
    return ground


def _finished(ground: Ground) -> Path:
    """A folder with a finished run and a twin of it."""
    place = ground.folder / "finished"
    if not place.exists():
        ground.copy(place)
        for name in ("run", "twin"):
            shutil.copytree(ground.references["alone"].run, place / name)
    return place


def _reference(work: Path, name: str) -> Reference:
    ended = run(Command(words_of(name), ranks=ranks_of(name)), work, record=True, patience_s=UNDISTURBED_S)
    if ended.status:
        killed = f", killed after {UNDISTURBED_S:.0f} s" if ended.hung else ""
        reached = [line.get("point", "") for line in diary(work, 0)]
        raise RuntimeError(
            f"undisturbed {name} ended with status {ended.status} (of ranks: {ended.ranks}) after {ended.took_s:.0f} s"
            f"{killed}; the last points of rank 0: {reached[-3:]}; it said: {ended.said or 'nothing'}"
        )
    import_noted(work)
    return Reference(work, Counter(line["point"] for line in diary(work, 0) if "point" in line), ended.took_s)


def _write_corpus(folder: Path) -> None:
    random = np.random.default_rng(0)
    words = {"train": ("a b", "b a", "a", "b b"), "dev": ("a a", "b a b", "a a b"), "test": ("b b b", "b a a", "a b a")}
    for split, count in UTTERANCES.items():
        rows = ["id\taudio\ttext"]
        for number in range(count):
            name = f"{split}{number}"
            soundfile.write(folder / f"{name}.wav", random.uniform(-0.5, 0.5, 4000 + 173 * number), 16_000)
            rows.append(f"{name}\t{name}.wav\t{words[split][number % len(words[split])]}")
        (folder / f"{split}.tsv").write_text("\n".join(rows) + "\n")


def _compose_once(names: set[str]) -> None:
    """Composing is not what is tried here, and takes as long as a training."""
    original = composing.compose
    made = {OVERRIDES[name]: original(RECIPE, list(OVERRIDES[name])) for name in names}
    for config in made.values():
        system_digest(config)  # reads the defaults of all parts from their source, and keeps them

    def compose(recipe: str, overrides: Any = (), before_loading: Any = lambda config: None) -> Any:
        config = copy.deepcopy(made[tuple(overrides)])
        before_loading(config)
        return config

    composing.compose = compose


def mounted(folder: Path, bytes_: int) -> bool:
    """Whether `folder` is a file system of its own of that size from now on; False: this user may not."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={bytes_}", "tmpfs", str(folder)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def enlarged(folder: Path) -> None:
    """Make room in it."""
    subprocess.run(["mount", "-o", "remount,size=67108864", str(folder)], capture_output=True, check=True)


def unmounted(folder: Path) -> None:
    """Let go of it, and of what is in it."""
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)
