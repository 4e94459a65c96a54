"""The page as served: answers over Gradio's own client, nothing from elsewhere, nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest
from app_examples import noise, recognizer

pytestmark = pytest.mark.slow


class Served(NamedTuple):
    """A page, its process, and the folder that the system gives it for temporary files."""

    address: str
    process: subprocess.Popen[str]
    temporary: Path

    def files(self) -> list[Path]:
        return [path for path in self.temporary.rglob("*") if path.is_file()]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Two bundles on a page, started as a terminal does: Ctrl-C reaches it."""
    pytest.importorskip("gradio", reason="gradio is not installed (the extra app)")
    for name, beam in (("a", False), ("b", True)):
        recognizer(beam).save(tmp_path / name)
    temporary, port = tmp_path / "temporary", free_port()
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "lasasr", "app", "a", "b", "--port", str(port)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temporary), "HTTP_PROXY": "http://127.0.0.1:9", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said == f"http://127.0.0.1:{port}/  (Ctrl-C ends it)\n", process.communicate(timeout=10)[1]
    yield Served(f"http://127.0.0.1:{port}/", process, temporary)
    process.kill()
    process.communicate()


def test_it_answers_is_of_this_machine_alone_and_leaves_nothing(served: Served, tmp_path: Path) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    client = gradio_client.Client(
        served.address, verbose=False, analytics_enabled=False, download_files=str(tmp_path / "client")
    )
    (expected,) = recognizer().transcribe(noise(tmp_path / "voice.wav"))
    html = client.predict(gradio_client.handle_file(tmp_path / "voice.wav"), "", api_name="/transcribe")
    assert html.count("<section>") == 2
    assert expected.text in html
    assert "voice.wav, 1.0 s" in html
    again = client.predict("ab\t30", api_name="/again")
    assert "the list of hot words needs a beam search" in again
    (tmp_path / "text.wav").write_text("this is no audio")
    odd = client.predict(gradio_client.handle_file(tmp_path / "text.wav"), "", api_name="/transcribe")
    assert "text.wav cannot be read as audio" in odd

    page = urlopen(served.address).read().decode()
    loaded = re.findall(r'<(?:script|link)[^>]+(?:src|href)="([^"]+)"', page)
    assert loaded
    assert not [link for link in loaded if re.match(r"(https?:)?//", link)]
    assert "google" not in page

    port = int(served.address.rstrip("/").rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):  # another address of this machine
        socket.create_connection(("127.0.0.2", port), timeout=5)

    end = time.monotonic() + 60.0
    while served.files() and time.monotonic() < end:
        time.sleep(0.5)
    assert served.files() == []
    served.process.send_signal(signal.SIGINT)
    _, said = served.process.communicate(timeout=60)
    assert (served.process.returncode, said) == (130, "lasasr: interrupted by SIGINT\n")
    assert (served.files(), list(served.temporary.glob("lasasr-app-*"))) == ([], [])
