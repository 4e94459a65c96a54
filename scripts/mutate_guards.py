"""Takes each guard of tests/guards/guards.py away in a copy of the tree, and sees that its tests fail (`make guards`).

python scripts/mutate_guards.py                 all of them
python scripts/mutate_guards.py flush lock      those whose names hold one of the words
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "guards"))

from guards import GUARDS, Guard  # noqa: E402

PARTS = ("lasasr", "tests", "configs", "recipes", "scripts", "docs", "pyproject.toml", "README.md", "Makefile")
FAILED = 1  # pytest's exit status where a test has failed
PATIENCE_S = 900.0


def main() -> int:
    """Report; 1 where a guard can go without being missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", help="of the names of the guards")
    parser.add_argument("--jobs", type=int, default=2, help="guards at a time (default: 2)")
    options = parser.parse_args()
    guards = [guard for guard in GUARDS if not options.words or any(word in guard.name for word in options.words)]
    with tempfile.TemporaryDirectory(prefix="lasasr-guards-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        caught = list(pool.map(lambda guard: seen(guard, Path(folder)), guards))
    survived = [guard.name for guard, is_caught in zip(guards, caught, strict=True) if not is_caught]
    print(f"guards {len(guards)} | caught {sum(caught)} | survived: {', '.join(survived) or 'none'}")
    return int(bool(survived))


def seen(guard: Guard, folder: Path) -> bool:
    """Whether the tests fail without the guard."""
    tree = Path(tempfile.mkdtemp(dir=folder))
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copyfile
        copy(ROOT / part, tree / part)
    source = tree / "lasasr" / guard.file
    source.write_text(source.read_text(encoding="utf-8").replace(guard.text, guard.without), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n", "0"]
    begun = time.monotonic()
    status, said = _run([*command, *(f"tests/{test}" for test in guard.tests)], tree)
    shutil.rmtree(tree)
    word = "caught  " if status == FAILED else "SURVIVED" if status == 0 else f"pytest {status}"
    print(f"{word} {guard.name} ({time.monotonic() - begun:.0f} s)", flush=True)
    if status not in (0, FAILED):
        print(said[-1500:], flush=True)
    return status == FAILED


def _run(command: list[str], tree: Path) -> tuple[int, str]:
    """(exit status, what it said); no process of it outlives it, though without its guard a test may leave some."""
    with tempfile.TemporaryFile() as output:  # a pipe would be open for as long as any of them lives
        process = subprocess.Popen(
            command,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},  # for what tests start
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:  # what waits for ever is seen too
            status = FAILED
            output.write(b"it hung")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.seek(0)
        return status, output.read().decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
