"""What is fetched is whole or not there at all, whatever the other side does; an error says what and what to do."""

import errno
import hashlib
import http.server
import importlib.util
import threading
from pathlib import Path

import fsspec
import pytest

from lasasr.data import remote
from lasasr.errors import LasasrError

CONTENT = bytes(range(256)) * 50_000  # more than any library reads at once
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(remote, "PAUSE_S", 0.0)


@pytest.fixture
def stored():
    """The address of a file in a store that is no web server."""
    system = fsspec.filesystem("memory")
    system.pipe_file("/bucket/shard.tar", CONTENT)
    yield "memory://bucket/shard.tar"
    system.rm("/bucket", recursive=True)


@pytest.fixture
def server():
    """(address, what was asked for, faults: what to do with each GET, one after another, before all is well)."""
    requests, faults = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self._answer(200 if self.path == "/shard.tar" else 404)

        def do_GET(self):
            requests.append(self.path)
            fault = faults.pop(0) if faults else "none"
            if isinstance(fault, int) or self.path != "/shard.tar":
                self._answer(fault if isinstance(fault, int) else 404)
                return
            self._answer(200, packed=fault == "called packed")
            content = {"broken off": CONTENT[:300_000], "other bytes": CONTENT[::-1]}.get(fault, CONTENT)
            self.wfile.write(content)

        def _answer(self, status, packed=False):
            self.send_response(status)
            if packed:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(CONTENT) if status == 200 else 0))
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", requests, faults
        running.shutdown()
        thread.join()


def test_bytes_arrive_as_they_were(stored, server, tmp_path):
    (tmp_path / "plain.tar").write_bytes(CONTENT)
    for number, url in enumerate((stored, f"file://{tmp_path}/plain.tar", f"{server[0]}/shard.tar")):
        path = tmp_path / "here" / f"{number}.tar"
        remote.fetch(url, path, len(CONTENT), MD5)
        assert path.read_bytes() == CONTENT
    remote.fetch(stored, tmp_path / "unknown.tar")
    assert (tmp_path / "unknown.tar").read_bytes() == CONTENT


def test_what_a_server_calls_packed_is_not_unpacked(server, tmp_path):
    server[2].append("called packed")
    remote.fetch(f"{server[0]}/shard.tar", tmp_path / "shard.tar", len(CONTENT), MD5)
    assert len(server[1]) == 1


@pytest.mark.parametrize("faults", [["broken off"], [503, "broken off", "other bytes", 429]])
def test_what_passes_is_tried_again(server, tmp_path, faults):
    server[2].extend(faults)
    remote.fetch(f"{server[0]}/shard.tar", tmp_path / "shard.tar", len(CONTENT), MD5)
    assert (tmp_path / "shard.tar").read_bytes() == CONTENT
    assert len(server[1]) == len(faults) + 1


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (["broken off"], r"shard\.tar cannot be fetched: .*(payload|Payload)"),
        (["other bytes"], rf"it brought 12,800,000 bytes with MD5 \w+ instead of {MD5}; if the shards there are new"),
        ([500], r"shard\.tar cannot be fetched: 500"),
    ],
)
def test_what_does_not_pass_leaves_nothing(server, tmp_path, faults, message):
    server[2].extend(faults * remote.TRIES)
    with pytest.raises(LasasrError, match=message) as caught:
        remote.fetch(f"{server[0]}/shard.tar", tmp_path / "in" / "shard.tar", len(CONTENT), MD5)
    assert "\n" not in str(caught.value)
    assert len(server[1]) == remote.TRIES
    assert list((tmp_path / "in").iterdir()) == []


def test_another_size_is_named(stored, tmp_path):
    with pytest.raises(
        LasasrError, match=r"bucket/shard\.tar cannot be fetched: it brought 12,800,000 bytes instead of 7"
    ):
        remote.fetch(stored, tmp_path / "shard.tar", 7)
    assert list(tmp_path.iterdir()) == []


def test_what_will_not_pass_is_said_at_once(stored, server, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "PAUSE_S", None)  # a pause would be an error
    server[2].append(403)
    for url, message in (
        ("memory://bucket/none.tar", r"memory://bucket/none\.tar cannot be fetched: it is not there"),
        (f"{server[0]}/shard.tar", r"http://\S+/shard\.tar cannot be fetched: 403"),
        (f"{server[0]}/none.tar", r"http://\S+/none\.tar cannot be fetched: it is not there"),
        ("nonsense://x", "nonsense://x cannot be fetched: Protocol not known: nonsense"),
        (f"file://{tmp_path}/none.tar", r"none\.tar cannot be fetched: it is not there"),
    ):
        with pytest.raises(LasasrError, match=message):
            remote.fetch(url, tmp_path / "shard.tar")


def test_a_missing_library_is_named(tmp_path):
    if importlib.util.find_spec("s3fs"):
        pytest.skip("s3fs is installed")
    with pytest.raises(LasasrError, match=r"s3://bucket/shards\.json cannot be fetched: Install s3fs to access S3"):
        remote.fetch("s3://bucket/shards.json", tmp_path / "shards.json")


def test_a_full_disk_is_named(stored, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(remote, "_transfer", full)
    with pytest.raises(LasasrError, match=r"the disk of .* is full; free some, or set corpus\.cache_gb"):
        remote.fetch(stored, tmp_path / "shard.tar")


def test_an_older_file_stays_when_nothing_better_comes(stored, tmp_path):
    path: Path = tmp_path / "shard.tar"
    path.write_bytes(b"old")
    with pytest.raises(LasasrError, match="instead of 7"):
        remote.fetch(stored, path, 7)
    assert path.read_bytes() == b"old"
