"""`make site-check`: runs the commands that pages show, shortened, on small data; says which ones it does not run.

python scripts/site_check.py                        all pages, in a temporary folder
python scripts/site_check.py docs/comparing.md      one page, or several
python scripts/site_check.py --verbs score compare  of these verbs only
python scripts/site_check.py --list                 what is run, and why the rest is not

Every command is either run or matches a row of `NOT_RUN`, which says why not. Trainings are shortened to a few updates
of a tiny model, sweeps to two runs. Words in capitals stand for the files of `site_workplace.py`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from page_commands import Command, commands
from site_workplace import TINY, TINY_TEXT, make, placeholders, reset, several_runs, shortened

LIMIT_S: Final = 600.0  # of one command
# loaded once, before the processes of the commands are forked; none of them starts a thread by that
LOADED_BEFORE: Final = ("torch", "lightning.pytorch", "lhotse", "hydra", "scipy.stats", "matplotlib.pyplot")

FINDS: Final = r"subsampling_factor=16 --quick"  # doctor says what is wrong, and so ends with 1
# (what matches "page | line", why such a command is not run here)
NOT_RUN: Final = (
    (r"^docs/extending\.md \|", "tests/test_extending.py plays the page"),
    (r"^docs/tutorial\.md \|", "tests/test_tutorial.py plays the page"),
    (r"\| (export|cd|eval) ", "sets the reader's shell"),
    (r"\| pip ", "installs packages"),
    (r"\| make ", "a target for people, up to hours long; that it exists is tested"),
    (r"\| (\w+=\S+ )*python scripts/", "a tool for people, up to hours long; that it exists is tested"),
    (r"\| ffmpeg ", "needs ffmpeg"),
    (r"\| docker ", "needs Docker"),
    (r"corpus\.train=/scratch/", "needs shards that Lhotse has made; tests/corpora/test_corpora_shar.py"),
    (r"torchrun|sbatch|submitit", "needs a launcher of a cluster"),
    (r"librispeech|timit/|speechocean762/", "needs a corpus that has to be obtained; composed by a test"),
    (
        r"hydra\.searchpath|LASASR_ALLOW|_target_=my\.",
        "needs a part of the reader's own; tests/test_extending.py has each kind",
    ),
    (r"listen=pretrained|^docs/pretrained\.md \|", "needs the weights of a pretrained encoder"),
    (r"adapt\.speaker=|lasasr minutes ", "needs a speaker with minutes of speech; tests/cli/test_cli_adapting.py"),
    (r"sweeper=optuna", "needs hydra-optuna-sweeper; tests/cli/test_cli_optuna.py"),
    (r"logger=(wandb|mlflow)", "needs the package of the logger, or a server"),
    (r"--push|user/name", "needs the Hugging Face hub"),
    (r"--hub", "needs the extra hub; tests/artifacts/test_artifacts_hub.py"),
    (
        r"lasasr calibrate|--min-confidence|pseudo\.tsv",
        "needs a recognizer that has learnt; tests/evaluation/test_evaluation_calibration.py",
    ),
    (r"lasasr app ", "serves until it is ended; tests/app/test_app_page.py"),
    (r"--onnx", "needs the extra onnx; tests/onnx"),
    (r"--normalizer whisper", "needs the extra whisper"),
    (r"RUN-OF-SEED-1 \.\.\.", "needs runs beside those of a sweep; tests/cli/test_cli_compare.py"),
    (r"lm/text_phone", "needs a pronouncing dictionary"),
    (r"loss\.texts=texts\.tsv", "needs the texts of a teacher; tests/cli/test_cli_distillation.py"),
)


def reason(command: Command) -> str | None:
    """Why a command is not run; None: it is."""
    text = f"{command.page} | {command.line}"
    return next((why for pattern, why in NOT_RUN if re.search(pattern, text)), None)


def runnable(command: Command, root: Path) -> list[str]:
    """The words behind `lasasr`, shortened, with real files in the place of words in capitals."""
    words = [placeholders(word, root) for word in several_runs(command.words[1:], root)]
    tiny = TINY_TEXT if any(word.startswith("lm/") for word in words) else TINY
    return shortened(words, tiny)


def run(words: list[str], root: Path, log: Path) -> int | None:
    """The exit status of the command in a process of its own that has the packages loaded; None: it took too long."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _become(words, root, log)
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return None


def _become(words: list[str], root: Path, log: Path) -> None:
    """Run the command in this process, and end with it."""
    from lasasr.cli.main import main

    status = 70
    try:
        os.chdir(root)
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        status = main(words)
        sys.stdout.flush()
    finally:
        os._exit(status)


def check(chosen: list[Command], root: Path) -> list[str]:
    """Run the commands; the lines that say what failed."""
    failed, log = [], root / "output.txt"
    for command in chosen:
        if (why := reason(command)) is not None:
            print(f"not run  {command.page}: {command.line}\n         {why}", flush=True)
            continue
        words = runnable(command, root)
        reset(words, root)
        begun = time.monotonic()
        status = run(words, root, log)
        sound = status == int(bool(re.search(FINDS, command.line)))
        outcome = "ran" if sound else "FAILED"
        print(f"{outcome:<8} {command.page}: {command.line} ({time.monotonic() - begun:.0f} s)", flush=True)
        if not sound:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
            failed.append(
                f"{command.page}: {command.line}\n  as: lasasr {shlex.join(words)}\n  {status}: {' | '.join(said)}"
            )
            print(failed[-1], flush=True)
    return failed


def main() -> int:
    """Run all commands, or list them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", help="docs/comparing.md ... (default: all)")
    parser.add_argument("--verbs", nargs="+", help="of lasasr (default: all)")
    parser.add_argument("--list", action="store_true", help="say what is run, and run nothing")
    parser.add_argument("--folder", type=Path, help="to work in, kept (default: a temporary one)")
    options = parser.parse_args()
    chosen = [command for command in commands() if not options.pages or command.page in options.pages]
    chosen = [command for command in chosen if not options.verbs or command.verb in options.verbs]
    if options.list:
        for command in chosen:
            print(f"{command.page}: {command.line}\n    {reason(command) or 'run'}")
        return 0
    for name in LOADED_BEFORE:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as temporary:
        root = (options.folder or Path(temporary)).resolve()
        make(root, run)
        failed = check(chosen, root)
    not_run = sum(reason(command) is not None for command in chosen)
    ran = len(chosen) - not_run
    print(
        f"{len(chosen)} commands: {ran - len(failed)} ran, {len(failed)} failed, {not_run} are not run (each says why)"
    )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
