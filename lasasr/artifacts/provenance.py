"""Where a number comes from: code, versions, machine and command, for the card of a run."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import lasasr
from lasasr import __version__

PACKAGES: Final = (
    "torch",
    "torchaudio",
    "lightning",
    "hydra-core",
    "omegaconf",
    "lhotse",
    "numpy",
    "sentencepiece",
    "jiwer",
    "transformers",
)


def provenance(gpus: Sequence[str] = ()) -> dict[str, Any]:
    """Commit, versions, hardware and command.

    Args:
        gpus: names of the devices used; this module does not import torch to find them.
    """
    return {
        "commit": commit(),
        "versions": versions(),
        "hardware": hardware() | {"gpus": list(gpus)},
        "command": command(),
    }


def placeless(command: str) -> str:
    """A command line in which each absolute path, also that of `key=/a/path`, is reduced to its last part."""
    words = []
    for word in shlex.split(command):
        key, equals, value = ("", "", word) if word.startswith("/") else word.partition("=")
        words.append(f"{key}{equals}{Path(value).name}" if value.startswith("/") else word)
    return shlex.join(words)


def commit() -> str | None:
    """The commit of the checkout this code runs from, with `+changed` if files differ from it; None if installed."""
    source = Path(lasasr.__file__).resolve().parent.parent
    if not (source / ".git").exists():
        return None
    try:
        head = _git(source, "rev-parse", "HEAD")
        return f"{head}+changed" if _git(source, "status", "--porcelain", "--untracked-files=no") else head
    except (OSError, subprocess.SubprocessError):
        return None


def short_commit(commit: str | None) -> str:
    """The first digits, and whether the code had changes that were not committed; "" for none."""
    if not commit:
        return ""
    return commit[:7] + (" (changed)" if commit.endswith("+changed") else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """Version of Python, of this package and of those it computes with."""
    installed = {"python": platform.python_version(), "lasasr": __version__}
    for name in PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed[name] = "not installed"
    return installed


def hardware() -> dict[str, Any]:
    """Kind of processor, cores this process may use, memory in GiB."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": _processor(), "cores": cores, "memory_gib": _memory_gib()}


def machine(hardware: Mapping[str, Any] | None) -> str:
    """`hardware` of a card in words; "" where it is not known."""
    if not hardware:
        return ""
    devices = hardware.get("gpus") or []
    cores = hardware.get("cores")
    text = f"{cores} core{'' if cores == 1 else 's'} of {hardware.get('processor')}"
    return f"{len(devices)} × {devices[0]}, {text}" if devices else text


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def command() -> str:
    """The command line, as a shell would take it again; `python -m lasasr` is called `lasasr`."""
    program = Path(sys.argv[0])
    return shlex.join([program.parent.name if program.name == "__main__.py" else program.name, *sys.argv[1:]])
