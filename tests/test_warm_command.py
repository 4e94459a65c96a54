"""What is run in a forked process ends as it would in a new one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from warm_command import WarmCommands


@pytest.mark.parametrize(
    ("ending", "status", "error"),
    [
        ("pass", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit(None)", 0, ""),
        ("sys.exit('no')", 1, "no\n"),
        ("raise ValueError('wrong')", 1, "ValueError: wrong\n"),
    ],
)
def test_a_script_is_run_as_by_an_interpreter(
    warm_commands: WarmCommands, tmp_path: Path, ending: str, status: int, error: str
) -> None:
    (tmp_path / "beside.py").write_text("NAME = 'beside'\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys, beside\n"
        "print(__name__, beside.NAME, sys.argv[1:], os.environ['OWN'], os.getcwd(), sys.stdin.read())\n"
        f"{ending}\n"
    )
    (tmp_path / "place").mkdir()
    done = warm_commands.run_script(script, ["a", "b"], tmp_path / "place", {**os.environ, "OWN": "1"}, "given")
    assert done.stdout == f"__main__ beside ['a', 'b'] 1 {tmp_path / 'place'} given\n"
    assert (done.returncode, done.stderr.endswith(error)) == (status, True)
    assert bool(done.stderr) == bool(error)
