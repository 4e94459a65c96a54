"""Made the artefacts beside it, with lasasr 0.1.0 at the commit that README.md names; kept to show how.

    python make_artefacts.py WORK FROZEN

trains in WORK (a folder that is not there yet) and writes into FROZEN what is kept of it. It uses internals of that
commit, and is not kept running under any other.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import soundfile
import torch
import yaml
from numpy.typing import NDArray
from torch.nn.utils.rnn import pad_sequence

from lasasr import Recognizer, provenance
from lasasr.cli.main import main
from lasasr.text.character import CharacterTokenizer
from lasasr.text.phone import PhoneTokenizer
from lasasr.text.sentencepiece import SentencePieceTokenizer
from lasasr.text.storage import type_name
from lasasr.training.module import Training

RATE_HZ = 8000
TONES_HZ = {"a": 500.0, "b": 900.0, "d": 1500.0, "e": 2400.0}  # every letter is a tone
PHONES = {"a": "aa", "b": "b", "d": "d", "e": "eh"}
TONE_S, GAP_S, PAUSE_S = 0.06, 0.015, 0.1  # a pause between words
WORDS = ("add", "bad", "be", "bead", "bed", "bee", "dab", "dead", "deed", "ebb")
SPLITS = {"train": 32, "dev": 8, "test": 24}  # utterances
SPEAKERS = {"train": 4, "dev": 4, "test": 8}  # fewer than 6 could not decide a comparison
RECIPE = "synthetic/las_char"
TERMINATED = 128 + signal.SIGTERM
ROOT = Path(provenance.__file__).parents[1]  # of the checkout that runs
TABLES = [f"corpus.{split}=data/{split}.tsv" for split in SPLITS]
TINY = (
    "corpus=table",
    "frontend.sample_rate_hz=8000",
    "frontend.bins=20",
    "listen.hidden_dim=8",
    "listen.layers=2",
    "listen.stack=1",
    "listen.subsampling_factor=2",
    "attend.dim=8",
    "spell.hidden_dim=12",
    "spell.embedding_dim=8",
    "spell.readout_dim=12",
    "batching.max_utterances=8",
    "optimizer.lr=1e-2",
    "schedule.warmup_steps=20",
    "trainer.accelerator=cpu",
    "bf16_if_fast=false",
    "validation.maps=0",
    "evaluate.maps=0",
    "search.beam=4",
    "search.nbest=3",
)
SHORT = ("search.limits.max_length=12", "validation.search.limits.max_length=12")  # of those that know nothing yet


def command(*arguments: str, status: int = 0) -> None:
    """The command, as a user types it; it writes the line into the card."""
    sys.argv = ["lasasr", *arguments]
    sys.stderr.write(f"$ {' '.join(sys.argv)}\n")
    if (found := main(list(arguments))) != status:
        raise SystemExit(f"exit status {found}, not {status}: lasasr {' '.join(arguments)}")


def steps(count: int, validate_every: int | None = None) -> list[str]:
    """Overrides for so many updates."""
    return [f"trainer.max_steps={count}", f"trainer.val_check_interval={validate_every or count}"]


def the_run(pattern: str) -> Path:
    """The one run folder that `pattern` finds."""
    (found,) = (path for path in Path("runs").glob(pattern) if (path / "card.json").exists())
    return found


@contextmanager
def interrupted_at(update: int) -> Iterator[None]:
    """SIGTERM when the training step has been called so often, over all runs of the command."""
    step, calls = Training.training_step, 0

    def counting(self: Training, batch: Any, batch_idx: int) -> Any:
        nonlocal calls
        calls += 1
        if calls == update:
            signal.raise_signal(signal.SIGTERM)
        return step(self, batch, batch_idx)

    with patch.object(Training, "training_step", counting):
        yield


# The corpus


def sentence(draw: random.Random) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(2, 3)))


def phones(text: str) -> str:
    return " ".join(PHONES[letter] for letter in text if letter != " ")


def spoken(text: str, pitch: float, noise: np.random.Generator) -> NDArray[np.float32]:
    """A tone per letter, a pause between words, a little noise."""
    fade = np.minimum(1.0, np.arange(int(TONE_S * RATE_HZ)) / 80.0)
    time_s = np.arange(len(fade)) / RATE_HZ
    gap, pause = np.zeros(int(GAP_S * RATE_HZ)), np.zeros(int(PAUSE_S * RATE_HZ))
    parts = [pause]
    for word in text.split():
        for letter in word:
            parts += [np.sin(2 * np.pi * TONES_HZ[letter] * pitch * time_s) * fade * fade[::-1], gap]
        parts.append(pause)
    clean = np.concatenate(parts)
    return (0.003 * clean + 3e-5 * noise.normal(size=len(clean))).astype(np.float32)


def write_corpus() -> None:
    """data/: audio and a table per split, of letters and of phones; text/: sentences for the language model."""
    draw, noise = random.Random(1), np.random.default_rng(1)
    Path("data/audio").mkdir(parents=True)
    for split, count in SPLITS.items():
        rows = []
        for number in range(count):
            who, name, text = number % SPEAKERS[split], f"{split}-{number:02d}", sentence(draw)
            samples = spoken(text, 0.94 + 0.12 * who / SPEAKERS[split], noise)
            soundfile.write(f"data/audio/{name}.flac", samples, RATE_HZ, subtype="PCM_16")
            rows.append((name, f"audio/{name}.flac", text, f"{split}-{who}"))
        write_table(Path(f"data/{split}.tsv"), rows)
        of_phones = [(name, audio, phones(text), speaker) for name, audio, text, speaker in rows]
        write_table(Path(f"data/{split}-phones.tsv"), of_phones)
    write_table(Path("data/few.tsv"), rows[:4])
    Path("text").mkdir()
    for split, count in {"train": 300, "dev": 40}.items():
        Path(f"text/{split}.txt").write_text("".join(f"{sentence(draw)}\n" for _ in range(count)))


def write_table(path: Path, rows: Sequence[Sequence[str]]) -> None:
    lines = [("id", "audio", "text", "speaker"), *rows]
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")


# What is trained on it


def tiny_without(*keys: str) -> list[str]:
    return [one for one in TINY if one.partition("=")[0] not in keys]


def train(*overrides: str, status: int = 0) -> None:
    command("train", RECIPE, *TABLES, *TINY, *overrides, status=status)


def unfinished() -> Path:
    """A run that was interrupted; with what puts something of its own into a checkpoint."""
    own = ("seed=9", "attend.kernel_size=31", "ema=0.9", "augment=speed_specaugment")
    with interrupted_at(15):
        train(*steps(24, 8), *own, *SHORT, status=TERMINATED)
    return the_run(f"{RECIPE}/*-s9-*")


def sweep() -> Path:
    """Two attentions with two seeds, finished."""
    train(*steps(200, 50), "-m", "attend=dot,location", "seed=1,2")
    (note,) = Path("runs", RECIPE).glob("*/sweep.json")
    return note.parent


def interrupted_sweep() -> Path:
    """Of other seeds, a few updates each: one run finished, one interrupted, one not begun."""
    small = (*tiny_without("listen.hidden_dim", "listen.layers"), "listen.hidden_dim=4", "listen.layers=1")
    with interrupted_at(8 + 6):
        sweep = ("-m", "attend=dot", "seed=5,6,7")
        command("train", RECIPE, *TABLES, *small, *SHORT, *steps(8, 4), *sweep, status=TERMINATED)
    (note,) = (one for one in Path("runs", RECIPE).glob("*/sweep.json") if "seed=5,6,7" in one.read_text())
    return note.parent


def bundles(recognizer: Path, lm: Path) -> None:
    """bundles/: one that carries a language model, one of pieces, one of phones; their runs are not kept."""
    begin = f"warm_start.run={recognizer}"
    fused = ("warm_start.parts=[encoder,decoder,ctc]", begin, f"search.lm={lm}", "search.lm_weight=0.3")
    train(*steps(40), "seed=11", "attend.kernel_size=31", *fused)
    pieces = ("tokenizer=bpe", "tokenizer.vocabulary_size=14", "listen=conv_blstm", "listen.channels=[2,4]")
    searched = ("search=beam", "search.rescore.ctc_weight=0.2", "search.normalise=true", "search.length_bonus=0.1")
    plain = tiny_without("listen.layers", "listen.stack", "listen.subsampling_factor")
    attend = ("attend=coverage_location", "attend.kernel_size=31")
    command("train", RECIPE, *TABLES, *plain, *steps(400), "seed=12", *pieces, *attend, *searched)
    tables = [f"corpus.{split}=data/{split}-phones.tsv" for split in SPLITS]
    spoken = ("corpus.transcript=phones", "tokenizer=phone", "frontend.cmvn=global")
    parts = ("listen=blstm", "spell=gru", "attend=gmm", "loss=joint_even")
    plain = tiny_without("listen.stack", "listen.subsampling_factor")
    command("train", RECIPE, *tables, *plain, *steps(240), "seed=13", *spoken, *parts)
    for seed, name in ((11, "language_model"), (12, "bpe"), (13, "phone")):
        run = the_run(f"{RECIPE}/*-s{seed}-*")
        command("export", str(run), "--out", f"bundles/{name}")
        shutil.rmtree(run)


def make() -> dict[str, Path]:
    """Everything, in the working directory; what is called how."""
    write_corpus()
    train(*steps(300, 75), "evaluate.splits=[dev,test]", "attend.kernel_size=31")
    recognizer = the_run(f"{RECIPE}/*-s1-*")
    sizes = ("lm.hidden_dim=12", "lm.embedding_dim=8", "batching.max_sentences=16", "trainer.accelerator=cpu")
    text = ("corpus.train=text/train.txt", "corpus.dev=text/dev.txt", "corpus.layout=lines")
    own = ("tokenizer=of_run", f"tokenizer.run={recognizer}", "trainer.max_epochs=4", "trainer.val_check_interval=1.0")
    command("train", "lm/text_char", *text, *sizes, *own, "schedule.warmup_steps=10", "optimizer.lr=1e-2")
    lm = the_run("lm/text_char/*")
    bundles(recognizer, lm)
    found = {"recognizer": recognizer, "lm": lm, "unfinished": unfinished(), "sweep": sweep()}
    publish(found["sweep"])
    found["interrupted_sweep"] = interrupted_sweep()
    few = ("corpus=table", "corpus.train=data/few.tsv", "corpus.dev=data/few.tsv", "corpus.test=data/test.tsv")
    command("prepare", RECIPE, *few, "--shards", "shards", "--shard-size", "12")
    return found


def publish(swept: Path) -> None:
    """published/: a card and the page whose table is made from it; comparison.json lies in the sweep."""
    name = "attention.json"
    Path("published").mkdir()
    marks = "".join(f"<!-- lasasr compare {name} {what} -->\n" for what in ("begins", "ends"))
    Path("published/README.md").write_text(f"# Tones\n\n{marks}")
    command("compare", str(swept), "--card", f"published/{name}", "--readme", "published/README.md")


# What is kept, and what is expected of it


def targets() -> list[str]:
    """Every name of a class or function that a configuration of this version can hold, or a tokenizer.json."""
    files = [path for folder in ("configs", "recipes") for path in (ROOT / folder).rglob("*.yaml")]
    named = {name for path in files for name in named_in(yaml.safe_load(path.read_text(encoding="utf-8")))}
    return sorted(named | {type_name(kind) for kind in (CharacterTokenizer, PhoneTokenizer, SentencePieceTokenizer)})


def named_in(plain: Any) -> Iterator[str]:
    inner = plain.values() if isinstance(plain, dict) else plain if isinstance(plain, list) else ()
    if isinstance(plain, dict) and "_target_" in plain:
        yield plain["_target_"]
    for one in inner:
        yield from named_in(one)


def nbests(bundle: Path, audio: Sequence[Path]) -> dict[str, list[list[Any]]]:
    """File name → (text, score) of each hypothesis."""
    waveforms = [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in audio]
    lengths = torch.tensor([len(one) for one in waveforms])
    found = Recognizer.load(bundle).recognize(pad_sequence(waveforms, batch_first=True), lengths)
    return {path.name: [[one.text, one.score] for one in nbest] for path, nbest in zip(audio, found, strict=True)}


def expected(found: dict[str, Path]) -> dict[str, Any]:
    """What later versions must find again; results/, perplexity.json and comparison.json hold the rest."""
    audio = sorted(Path("data/audio").glob("test-*.flac"))[:8]
    bundle_folders = [found["recognizer"] / "bundle", *sorted(Path("bundles").iterdir())]
    return {
        "folders": {name: path.as_posix() for name, path in found.items()},
        "planned": {name: planned(found[name]) for name in ("sweep", "interrupted_sweep")},
        "nbests": {folder.as_posix(): nbests(folder, audio) for folder in bundle_folders},
    }


def planned(swept: Path) -> list[str]:
    """Names of the run folders of a sweep."""
    return [Path(one).name for one in json.loads((swept / "sweep.json").read_text(encoding="utf-8"))["runs"]]


def freeze(frozen: Path, found: dict[str, Path]) -> None:
    """Copy what is kept: nothing that is made again, drawn, or tells of the machine."""
    left_out = shutil.ignore_patterns("prepared", "tensorboard", "plots", "before.ckpt", "multirun.yaml")
    shutil.copytree(Path(), frozen / "work", ignore=left_out)
    kept = frozen / "work"
    for name in [*planned(found["sweep"]), planned(found["interrupted_sweep"])[0]]:
        shutil.rmtree(kept / "runs" / RECIPE / name / "checkpoints")
    write_json(frozen / "expected.json", expected(found))
    write_json(frozen / "targets.json", targets())


def write_json(path: Path, plain: Any) -> None:
    path.write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    place, out = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
    place.mkdir()
    os.chdir(place)
    with patch.object(provenance, "hardware", lambda: {"processor": "a processor", "cores": 2, "memory_gib": 8.0}):
        freeze(out, make())
