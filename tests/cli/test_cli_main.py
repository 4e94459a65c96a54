"""The command's door: verbs, exit statuses, one line per error, nothing heavy before it is needed."""

import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import pytest

import lasasr
from lasasr import cli
from lasasr.cli.main import MODULES, VERBS, main
from lasasr.errors import Interrupted, LasasrError, UsageError

HEAVY = ("torch", "torchaudio", "lightning", "hydra", "omegaconf", "lhotse", "numpy", "scipy", "matplotlib", "yaml")


def verb(monkeypatch: pytest.MonkeyPatch, run: Callable[[list[str]], int]) -> None:
    """Let `lasasr train` call `run`."""
    module = types.ModuleType("lasasr.cli.train")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lasasr.cli.train", module)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)


def raising(error: BaseException) -> Callable[[list[str]], int]:
    def run(arguments: list[str]) -> int:
        raise error

    return run


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_verb(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in VERBS)
    assert max(map(len, out.splitlines())) <= 120


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lasasr {lasasr.__version__}\n"


def test_the_table_names_every_verb_there_is() -> None:
    modules = {path.stem for path in Path(cli.__file__).parent.glob("*.py") if "\ndef run(" in path.read_text()}
    assert {MODULES.get(name, name) for name in VERBS} == modules - {"completion"}


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_its_module_and_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: lasasr {name} ")


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_refuses_an_unknown_option_in_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "x", "--nonsense"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_unknown_verb_is_one_line_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert (
        captured.err == "lasasr: unknown verb 'trian'; nearest: train, transcribe, options (lasasr --help lists all)\n"
    )


def test_the_verb_gets_what_stands_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    verb(monkeypatch, lambda arguments: seen.append(arguments) or 7)  # type: ignore[func-returns-value]
    assert main(["train", "a", "-v", "b=1", "-m"]) == 7
    assert seen == [["a", "b=1", "-m"]]


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (LasasrError("no\ncorpus"), 1, "no corpus"),
        (UsageError("unknown key x"), 2, "unknown key x"),
        (ZeroDivisionError("0/0"), 1, "internal error: ZeroDivisionError: 0/0 (-v shows the traceback)"),
        (KeyboardInterrupt(), 130, "interrupted by SIGINT"),
        (Interrupted(signal.SIGTERM, "saved; go on with --resume"), 143, "saved; go on with --resume"),
    ],
)
def test_what_goes_wrong_is_one_line_and_a_status(
    error: BaseException, status: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb(monkeypatch, raising(error))
    assert main(["train"]) == status
    assert capsys.readouterr().err == f"lasasr: {line}\n"


def test_an_interruption_that_lightning_turns_into_an_exit_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(arguments: list[str]) -> int:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)

    verb(monkeypatch, run)
    assert main(["train"]) == 130
    assert capsys.readouterr().err == "lasasr: interrupted by SIGINT\n"


@pytest.mark.parametrize("how", ["-v", "--verbose", "environment"])
def test_the_traceback_shows_when_asked(
    how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb(monkeypatch, raising(LasasrError("no corpus")))
    if how == "environment":
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert main(["train", *([how] if how != "environment" else [])]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("lasasr: no corpus\n")


def test_sigterm_unwinds_and_the_handler_before_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    unwound = []

    def run(arguments: list[str]) -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)  # the handler runs before the next line of Python
            return 0
        finally:
            unwound.append(True)

    verb(monkeypatch, run)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["train"]) == 143
    assert unwound == [True]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "lasasr", "--help"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from lasasr.cli.main import main; main(['--help']); main(['--version']); main(['trian']);"
        f"print('loaded:', sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.endswith("loaded: []\n")


def test_omp_waits_passively_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    main(["--version"])
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    main(["--version"])
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_recognizer_is_imported_when_asked_for() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        _ = lasasr.Recogniser
    from lasasr import Recognizer
    from lasasr.models.recognizer import Recognizer as Direct

    assert Recognizer is Direct
