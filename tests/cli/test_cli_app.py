"""`lasasr app`: what cannot be served is said in one line, before anything is served."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest

from lasasr.cli.main import main

GRADIO = pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="gradio is not installed (extra app)")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: RUN|BUNDLE"),
        (["search=beam"], "no run is named"),
        (["x", "attend=dot"], "of a trained recognizer only search can be changed"),
        (["x", "--port", "0"], "--port must lie in 1 to 65535, got 0"),
        (["x", "--nbest", "0"], "--nbest must be at least 1, got 0"),
        (["x", "--keep", "file"], "--keep file is a file, not a folder"),
    ],
)
def test_a_request_that_is_wrong_is_one_line(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert main(["app", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_port_in_use_is_named_with_a_free_one(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["app", "x", "--port", str(port)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"lasasr: --port {port} cannot be used on 127.0.0.1: Address already in use; ")
    assert said.endswith(" is free\n")


def test_without_gradio_its_command_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gradio", None)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert main(["app", "x", "--port", str(port)]) == 1
    assert capsys.readouterr().err == "lasasr: this needs gradio, which is not installed: pip install 'lasasr[app]'\n"


@GRADIO
def test_what_is_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert main(["app", str(tmp_path), "--port", str(port)]) == 1
    assert f"{tmp_path} is no run folder" in capsys.readouterr().err
