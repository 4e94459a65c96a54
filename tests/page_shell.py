"""Runs the commands of a page in one process: `python page_shell.py < commands.json`, in the folder where they belong.

A process of its own, because training sets what a process has once: threads, seeds, signal handlers.
"""

from __future__ import annotations

import io
import json
import os
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from lasasr.cli.main import main


def words(line: str) -> list[str]:
    """The words of a line, with variables and `*` replaced as a shell does."""
    split = shlex.split(os.path.expandvars(line))
    return [name for word in split for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]


def run(line: str) -> int:
    """The exit status of one command."""
    command = words(line)
    variables = {}
    while "=" in command[0]:
        name, _, value = command.pop(0).partition("=")
        variables[name] = value
    with _set(variables):
        return _run(command)


def _run(command: Sequence[str]) -> int:
    match command:
        case ["export", *assignments]:
            for name, _, value in (one.partition("=") for one in assignments):
                _export(name, value)
        case ["cd", folder]:
            os.chdir(folder)
            os.environ["PWD"] = str(Path.cwd())
        case ["python", script]:
            runpy.run_path(script, run_name="__main__")
        case ["lasasr", *arguments]:
            return main(arguments)
        case _:
            return subprocess.run(command, check=False).returncode
    return 0


def _export(name: str, value: str) -> None:
    """A new PYTHONPATH counts as it does for a process that begins: what came from the old one is forgotten."""
    if name == "PYTHONPATH":
        before = os.environ.get(name)
        for module in [one for one in sys.modules if one.partition(".")[0] == "mine"]:
            del sys.modules[module]
        sys.path[:] = [value, *(one for one in sys.path if one != before)]
    os.environ[name] = value


@contextmanager
def _set(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name)
            os.environ.update({name: before[name]} if name in before else {})


def _captured(line: str) -> dict[str, str | int]:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as error:
        status = run(line)
    return {"line": line, "status": status, "out": out.getvalue(), "error": error.getvalue()}


if __name__ == "__main__":
    os.environ["PWD"] = str(Path.cwd())
    sys.stdout.write(json.dumps([_captured(line) for line in json.load(sys.stdin)]))
