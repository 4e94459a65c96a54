"""The `lasasr` command: finds the verb, runs it, turns what goes wrong into one line and an exit status."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from lasasr import __version__
from lasasr.cli.home_folder import with_home_folder
from lasasr.distributed import launch
from lasasr.errors import Interrupted, LasasrError, LostRankError, UsageError, nearest
from lasasr.escaping import escaping_output, one_line

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
GRACE_S = 10.0  # that the first of several ranks has to say what they all have met

# One module of this package per verb, with `run(arguments: list[str]) -> int`; imported only when the verb is used.
# It is called as the verb, or as MODULES says.
VERBS: Final = {
    "prepare": "RECIPE [override ...]       corpus -> manifests, tokenizer, statistics (train does it too)",
    "train": "RECIPE [override ...] [-m]  train a recognizer into a run folder; --resume RUN goes on",
    "evaluate": "RUN [override ...] [-m]     decode the evaluation splits: WER/CER/PER with intervals",
    "score": "REF HYP ...                 texts of any toolkit: WER/CER/PER with intervals",
    "compare": "RUN|SWEEP|NAME=HYP ...      systems side by side: error rates, cost, what can be believed",
    "adapted": "BEFORE AFTER ...            what adapting gained on the target, what it forgot of the source",
    "minutes": "BASE SWEEP                  minutes of one speaker's own speech, and the error rate they bring",
    "plan": "PILOT --difference 1.0      how many seeds, speakers and hours would show a difference",
    "race": "RECIPE attend=a,b,c ...     seeds where they decide; worse systems are dropped early",
    "diff": "RUN RUN                     two runs: configuration, error rate, flipped utterances",
    "transcribe": "RUN|BUNDLE AUDIO ...        recordings -> text, subtitles, word times",
    "app": "RUN|BUNDLE ...              a page on this machine: speak, see text and attention",
    "calibrate": "RUN                         how sure it is of each word, fitted on dev",
    "average": "RUN --best N | --last N     the mean of a run's checkpoints, as a run of its own",
    "fisher": "RUN                         how much each weight matters for its own data, for adapt=ewc",
    "ngram": "TEXT ... --out FILE.arpa    word n-grams of text, for search.lm",
    "export": "RUN --out DIR               write the bundle that transcribe needs",
    "doctor": "RECIPE [override ...]       look for what would corrupt a result before hours are spent",
    "check": "GROUP=NAME                  try the promises of one attention, encoder, loss, ..., shipped or your own",
    "import": "SOURCE --out table.tsv      recordings as Kaldi, NeMo, Hugging Face or a folder list them -> a table",
    "recipes": "                            the recipes that there are",
    "options": "[GROUP|KEY]                 what can be chosen and set, one line each",
    "runs": "[FOLDER]                    the runs that there are: status, error rate, when",
}
MODULES: Final = {
    "import": "import_table",
    "recipes": "list_recipes",
    "options": "list_options",
    "runs": "list_runs",
    "-sc": "completion",
    "--shell-completion": "completion",
}

USAGE: Final = """\
lasasr trains Listen-Attend-Spell speech recognizers and compares attention variants.

usage: lasasr VERB ...
{verbs}

  lasasr VERB --help     what the verb takes
  lasasr --version
  -v, --verbose          show the traceback of an error (as HYDRA_FULL_ERROR=1 does)
  -sc install=bash       completion by Tab: eval "$(lasasr -sc install=bash)"; also fish and zsh

RECIPE is a name below recipes/ (synthetic/las_char) or a path to a yaml file of yours; an override is key=value:
  lasasr train synthetic/las_char attend=dot listen.layers=2 seed=3"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status.

    0: done. 1: the work failed. 2: the request is wrong. 128 + signal: interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    # idle OpenMP threads sleep instead of spinning; must stand before torch is imported
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    verbose = os.environ.get("HYDRA_FULL_ERROR") == "1" or any(
        argument in ("-v", "--verbose") for argument in arguments
    )
    arguments = [with_home_folder(argument) for argument in arguments if argument not in ("-v", "--verbose")]
    launch.end_with_parent()
    with _terminable(), escaping_output():
        try:
            status = _dispatch(arguments)
            sys.stdout.flush()
            return status
        except BaseException as error:
            _deafen()
            if launch.orphaned():  # what else it meets comes of that
                return 1
            if launch.helper() and isinstance(error, Exception):
                _let_the_first_speak()
            if verbose and not isinstance(error, SystemExit):
                traceback.print_exc()
            return _status(error)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE.format(verbs="\n".join(f"  {verb:<11} {text}" for verb, text in VERBS.items())))
        return 0
    if arguments[0] == "--version":
        print(f"lasasr {__version__}")
        return 0
    verb = arguments[0]
    if verb not in VERBS and verb not in MODULES:
        raise UsageError(f"unknown verb {verb!r}; {nearest(verb, VERBS)} (lasasr --help lists all)")
    return int(importlib.import_module(f"lasasr.cli.{MODULES.get(verb, verb)}").run(arguments[1:]))


def _status(error: BaseException) -> int:
    """The exit status of what escaped a verb, after saying it in one line."""
    match error:
        case SystemExit() if isinstance(error.__context__, KeyboardInterrupt):  # Lightning's, while it sets up, too
            return _say("interrupted by SIGINT", 128 + signal.SIGINT)
        case SystemExit():  # argparse's --help
            return error.code if isinstance(error.code, int) else int(error.code is not None)
        case KeyboardInterrupt():
            return _say("interrupted by SIGINT", 128 + signal.SIGINT)
        case Interrupted():
            return _say(str(error), 128 + error.signum)
        case BrokenPipeError():
            # the reader of our output has gone; what is still buffered goes nowhere, silently
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        case LostRankError() if launch.helper():  # the first one says it
            return error.exit_status
        case LasasrError():
            return _say(str(error), error.exit_status)
        case ModuleNotFoundError() if line := _missing(error):
            return _say(line, 1)
        case Exception() if fault := _of_users_part(error):
            return _say(f"{fault} (-v shows the traceback)", 1)
        case OSError() if error.strerror:
            where = f"{error.filename}: " if error.filename else ""
            return _say(f"{where}{error.strerror} (-v shows the traceback)", 1)
        case Exception():
            return _say(f"internal error: {type(error).__name__}: {error} (-v shows the traceback)", 1)
    raise error


def _missing(error: ModuleNotFoundError) -> str | None:
    """What to install where a package of an extra is missing; None: it is of no extra."""
    from lasasr.cli import missing_packages

    return missing_packages.line(error)


def _of_users_part(error: Exception) -> str | None:
    """What went wrong inside a part of the user's; None: it was elsewhere."""
    from lasasr.configuration import users_parts  # not for --help

    return users_parts.fault(error)


def _say(message: str, status: int) -> int:
    who = launch.helper()
    print(f"lasasr: {f'{who}: ' if who else ''}{one_line(message)}", file=sys.stderr)
    return status


def _deafen() -> None:
    """What ends is not interrupted any more; launchers send signals on to those that have had them already."""
    if threading.current_thread() is threading.main_thread():
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)


def _let_the_first_speak() -> None:
    """Where all ranks have met the same, the launcher ends this one before it repeats what the first has said."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(GRACE_S)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM and SIGUSR1 unwind the stack, so that temporary files go, instead of killing on the spot."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(signum: int, frame: FrameType | None) -> None:
        raise Interrupted(signum)

    before = {number: signal.getsignal(number) for number in ENDING}
    for number in (signal.SIGTERM, signal.SIGUSR1):  # SIGINT is Python's KeyboardInterrupt
        signal.signal(number, terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
