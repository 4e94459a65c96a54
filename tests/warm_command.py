"""Commands in processes that are forked after all imports: each costs its work, not seconds of imports as well.

A server, started once by `conftest.py`: it reads one order in JSON from each line of standard input, and answers with
a line that holds the exit status. It imports everything first and starts no thread, so that what it forks is what a
new process would be after its imports.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

CHAOS = Path(__file__).parent / "chaos"  # where the list of what verbs import is
PATIENCE_S = 300
RECIPE = "synthetic/las_char"


class WarmCommands:
    """The server, and the way to have a command run by it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run `lasasr WORDS` in a folder, with these variables and no others."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        with tempfile.TemporaryDirectory() as said:
            order = {"words": list(words), "folder": str(folder), "environment": dict(environment), "said": said}
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            answer = self._server.stdout.readline()
            assert answer, "the server of commands has ended; its error stands above"
            out, err = ((Path(said) / name).read_bytes().decode() for name in ("out", "err"))
        return subprocess.CompletedProcess(["lasasr", *words], json.loads(answer), out, err)

    def close(self) -> None:
        """End the server."""
        self._server.communicate()


def _serve() -> None:
    sys.path.append(str(CHAOS))
    from chaos_imports import import_all

    import_all()
    _compose_once()
    gc.collect()
    gc.freeze()  # the forked ones search what they made themselves, and share the rest
    for line in sys.stdin:
        order = json.loads(line)
        process = os.fork()
        if process == 0:
            _become(order["words"], Path(order["folder"]), order["environment"], Path(order["said"]))
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _compose_once() -> None:
    """Have what a first composition finds out of Hydra's plugins, its grammar and the source of parts."""
    from lasasr.cli.compose import compose
    from lasasr.configuration.identity import system_digest

    system_digest(compose(RECIPE, ["attend=dot"]))


def _become(words: Sequence[str], folder: Path, environment: Mapping[str, str], said: Path) -> None:
    """Be the command."""
    from lasasr.cli.main import main

    signal.alarm(PATIENCE_S)
    for number, name in ((0, os.devnull), (1, said / "out"), (2, said / "err")):
        opened = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, closefd=False)  # noqa: SIM115
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["lasasr", *words]
    _end(main(list(words)))


def _end(status: int) -> NoReturn:
    """Do what an interpreter does at its end, but for taking apart all that was imported, which takes seconds here."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _serve()
