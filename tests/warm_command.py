"""Commands and scripts in processes that are forked after all imports: each costs its work, not imports as well.

A server, started once by `conftest.py`: it reads one order in JSON from each line of standard input, and answers with
a line that holds the exit status. It imports everything first and starts no thread, so that what it forks is what a
new process would be after its imports.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

CHAOS = Path(__file__).parent / "chaos"  # where the list of what verbs import is
PATIENCE_S = 600
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
        return self._ordered(None, words, folder, environment, "")

    def run_script(
        self, script: Path, words: Sequence[str], folder: Path, environment: Mapping[str, str], given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run `python SCRIPT WORDS` in a folder, with these variables; `given` is what it reads from standard input."""
        return self._ordered(script, words, folder, environment, given)

    def _ordered(
        self, script: Path | None, words: Sequence[str], folder: Path, environment: Mapping[str, str], given: str
    ) -> subprocess.CompletedProcess[str]:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        with tempfile.TemporaryDirectory() as streams:
            (Path(streams) / "in").write_text(given)
            order = {
                "script": script and str(script),
                "words": list(words),
                "folder": str(folder),
                "environment": dict(environment),
                "streams": streams,
            }
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            answer = self._server.stdout.readline()
            assert answer, "the server of commands has ended; its error stands above"
            out, err = ((Path(streams) / name).read_bytes().decode() for name in ("out", "err"))
        return subprocess.CompletedProcess([script or "lasasr", *words], json.loads(answer), out, err)

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
            _become(**order)
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _compose_once() -> None:
    """Have what a first composition finds out of Hydra's plugins, its grammar and the source of parts."""
    from lasasr.cli.compose import compose
    from lasasr.configuration.identity import system_digest

    system_digest(compose(RECIPE, ["attend=dot"]))


def _become(
    script: str | None, words: Sequence[str], folder: str, environment: Mapping[str, str], streams: str
) -> None:
    """Be the command, or the script."""
    from lasasr.cli.main import main

    signal.alarm(PATIENCE_S)
    for number, name in enumerate(("in", "out", "err")):
        opened = os.open(
            Path(streams) / name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, closefd=False)  # noqa: SIM115
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [script or "lasasr", *words]
    _end(_status_of(script) if script else main(list(words)))


def _status_of(script: str) -> int:
    """Run it as an interpreter does."""
    sys.path.insert(0, str(Path(script).parent))
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end(status: int) -> NoReturn:
    """Do what an interpreter does at its end, but for taking apart all that was imported, which takes seconds here."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _serve()
