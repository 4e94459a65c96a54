"""Downloads from a server on this machine: broken off, gone on with, damaged, dangerous."""

import hashlib
import http.server
import io
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora_tiny import silent

from lasasr.corpora import download, librispeech, librispeech_parts
from lasasr.corpora.download import Archive, fetch, unpack
from lasasr.corpora.librispeech import LibriSpeechCorpus
from lasasr.corpora.librispeech_parts import download_librispeech, download_lm_text
from lasasr.errors import LasasrError, UsageError


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; `breaks` times it hangs up after `after` bytes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.ranges, self.breaks, self.after, self.supports_ranges = {}, [], 0, 1000, True

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        byte_range = self.headers.get("Range")
        server.ranges.append(byte_range)
        if self.path not in server.files:
            self.send_error(404)
            return
        content = server.files[self.path]
        start = int(byte_range.removeprefix("bytes=").rstrip("-")) if byte_range and server.supports_ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if server.breaks:
            server.breaks -= 1
            self.wfile.write(content[start : start + server.after])
            self.connection.close()
        else:
            self.wfile.write(content[start:])

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(download, "PAUSE_S", 0.0)


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


CONTENT = np.random.default_rng(0).bytes(5000)


def archive_of(content, url, size=True):
    return Archive(url, hashlib.md5(content).hexdigest(), len(content) if size else None)


@pytest.mark.parametrize("size", [True, False])
@pytest.mark.parametrize("supports_ranges", [True, False])
def test_a_download_that_breaks_off_goes_on(server, tmp_path, size, supports_ranges):
    server.files["/a"], server.breaks, server.supports_ranges = CONTENT, 2, supports_ranges
    fetch(archive_of(CONTENT, f"{server.address}/a", size), tmp_path / "a", silent)
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-", "bytes=2000-" if supports_ranges else "bytes=1000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_earlier_call_left_a_part(server, tmp_path):
    server.files["/a"] = CONTENT
    (tmp_path / "a.part").write_bytes(CONTENT[:1234])
    fetch(archive_of(CONTENT, f"{server.address}/a"), tmp_path / "a", silent)
    assert server.ranges == ["bytes=1234-"]
    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [True, False])
def test_an_earlier_call_got_all_but_was_not_checked(server, tmp_path, size):
    server.files["/a"] = CONTENT
    (tmp_path / "a.part").write_bytes(CONTENT)
    fetch(archive_of(CONTENT, f"{server.address}/a", size), tmp_path / "a", silent)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_what_is_there_is_not_downloaded(server, tmp_path):
    (tmp_path / "a").write_bytes(b"here")
    fetch(archive_of(CONTENT, f"{server.address}/a"), tmp_path / "a", silent)
    assert server.ranges == []


@pytest.mark.parametrize("wrong", [CONTENT[:-1] + b"?", CONTENT + b"more", CONTENT[:-1]])
def test_another_file_is_refused_and_deleted(server, tmp_path, wrong):
    server.files["/a"] = wrong
    with pytest.raises(LasasrError) as caught:
        fetch(archive_of(CONTENT, f"{server.address}/a"), tmp_path / "a", silent)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a").exists()
    if len(wrong) >= len(CONTENT):  # else the rest may still come
        assert "it is deleted" in str(caught.value)
        assert list(tmp_path.iterdir()) == []


def test_a_server_that_always_hangs_up_keeps_what_came(server, tmp_path):
    server.files["/a"], server.breaks, server.after = CONTENT, 99, 0
    (tmp_path / "a.part").write_bytes(CONTENT[:10])
    with pytest.raises(LasasrError, match="10 bytes are kept"):
        fetch(archive_of(CONTENT, f"{server.address}/a"), tmp_path / "a", silent)


def test_nothing_there_and_nobody_there(server, tmp_path):
    with pytest.raises(LasasrError, match="404"):
        fetch(archive_of(CONTENT, f"{server.address}/absent"), tmp_path / "a", silent)
    with pytest.raises(LasasrError, match="cannot be downloaded"):
        fetch(archive_of(CONTENT, "http://127.0.0.1:9/a"), tmp_path / "a", silent)
    with pytest.raises(UsageError, match="https://"):
        fetch(archive_of(CONTENT, "file:///etc/passwd"), tmp_path / "a", silent)


def test_a_disk_that_is_too_small(tmp_path):
    with pytest.raises(LasasrError, match="MB free"):
        fetch(Archive("http://127.0.0.1:9/a", "0", 1 << 60), tmp_path / "a", silent)


def tar(*members):
    """A tar.gz of (name, content) files; a member may also be a TarInfo."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return raw.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "member",
    [
        special("link", tarfile.SYMTYPE, "/etc"),
        special("link", tarfile.SYMTYPE, "inside"),
        special("link", tarfile.LNKTYPE, "inside"),
        special("pipe", tarfile.FIFOTYPE),
        special("device", tarfile.CHRTYPE),
        ("../outside", b"x"),
        ("a/../../outside", b"x"),
    ],
)
def test_dangerous_archives_are_refused(tmp_path, member):
    (tmp_path / "here").mkdir()
    path = tmp_path / "here" / "a.tar.gz"
    path.write_bytes(tar(("inside", b"fine"), member))
    taken = []
    with pytest.raises(LasasrError, match=r"a.tar.gz cannot be unpacked"):
        unpack(path, taken.append, silent)
    assert taken == []
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["here", "here/a.tar.gz"]


# ids of their own: the archive holds the time of its making, and test processes would not agree on a name
@pytest.mark.parametrize("content", [b"no archive", tar(("a", bytes(9999)))[:-20]], ids=["none", "cut"])
def test_damaged_archives_are_named(tmp_path, content):
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(LasasrError, match=r"a.tar.gz cannot be unpacked"):
        unpack(tmp_path / "a.tar.gz", lambda folder: None, silent)


def part_of_librispeech(part, speaker):
    flac = io.BytesIO()
    soundfile.write(flac, np.full(1600, 0.1), 16000, format="FLAC")
    base = f"LibriSpeech/{part}/{speaker}/1/{speaker}-1"
    return tar(
        ("LibriSpeech/README.TXT", b"read me"),
        (f"{base}-0000.flac", flac.getvalue()),
        (f"{base}.trans.txt", f"{speaker}-1-0000 SOME WORDS\n".encode()),
    )


@pytest.fixture
def published(server):
    """Two parts as OpenSLR has them."""
    archives = {}
    for number, part in enumerate(("train-clean-5", "dev-clean-2"), start=1):
        content = part_of_librispeech(part, number)
        server.files[f"/31/{part}.tar.gz"] = content
        archives[part] = archive_of(content, f"31/{part}.tar.gz")
    return archives


def test_librispeech_is_downloaded_once(server, published, tmp_path):
    for _ in range(2):
        download_librispeech(["train-clean-5", "dev-clean-2"], tmp_path, silent, server.address, published)
    assert len(server.ranges) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["LibriSpeech"]
    assert sorted(path.name for path in (tmp_path / "LibriSpeech").iterdir()) == [
        "README.TXT",
        "dev-clean-2",
        "train-clean-5",
    ]
    with pytest.raises(UsageError, match="no part train-clean-6; nearest: train-clean-5"):
        download_librispeech(["dev-clean-2", "train-clean-6"], tmp_path / "new", silent, server.address, published)
    assert len(server.ranges) == 2


def test_the_corpus_downloads_only_when_asked(server, published, tmp_path, monkeypatch):
    monkeypatch.setattr(
        librispeech, "download_librispeech", lambda *arguments: download_librispeech(*arguments, archives=published)
    )
    named = {"train": ["train-clean-5"], "dev": ["dev-clean-2"], "test": [], "source": server.address}
    root = tmp_path / "data"
    LibriSpeechCorpus(str(root), **named).fetch(silent)
    assert not root.exists()
    corpus = LibriSpeechCorpus(str(root), **named, download=True)
    corpus.fetch(silent)
    assert set(corpus.prepare(tmp_path / "prepared", silent)) == {"train", "dev"}
    assert corpus.fingerprint() == LibriSpeechCorpus(str(root), **named).fingerprint()


def test_an_archive_without_its_part(server, tmp_path):
    content = part_of_librispeech("dev-other", 1)
    server.files["/a.tar.gz"] = content
    with pytest.raises(LasasrError, match="cannot be unpacked"):
        download_librispeech(
            ["dev-clean"], tmp_path, silent, server.address, {"dev-clean": archive_of(content, "a.tar.gz")}
        )
    assert not (tmp_path / "LibriSpeech" / "dev-clean").exists()


def test_the_text_for_language_models(server, tmp_path):
    server.files["/11/text.gz"] = CONTENT
    path = download_lm_text(tmp_path, silent, server.address, archive_of(CONTENT, "11/text.gz", size=False))
    assert path == tmp_path / "text.gz"
    assert path.read_bytes() == CONTENT


def test_the_table_of_parts_is_well_formed():
    parts = librispeech_parts.PARTS
    assert {Path(archive.url).name for archive in parts.values()} == {f"{part}.tar.gz" for part in parts}
    assert all(len(archive.md5) == 32 and int(archive.md5, 16) for archive in parts.values())
    assert len({archive.md5 for archive in parts.values()} | {librispeech_parts.LM_TEXT.md5}) == len(parts) + 1
