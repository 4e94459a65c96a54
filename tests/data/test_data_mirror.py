"""The shards that are here never take more than their room, and each is fetched once for all processes."""

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from lasasr.data import mirror, remote
from lasasr.errors import LasasrError

SIZES = {"train/recording.0.tar": 1000, "train/recording.1.tar": 3000, "dev/recording.0.tar": 2000}


@pytest.fixture
def mirrored(tmp_path, monkeypatch):
    """(folder of the mirror, what was fetched); shards come from a folder."""
    fetched, real = [], remote.fetch

    def counting(url, path, size, md5):
        fetched.append(f"{path.parent.name}/{path.name}")
        real(url, path, size)

    monkeypatch.setattr(remote, "fetch", counting)
    for name, size in SIZES.items():
        path = tmp_path / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * (size // len(name)) + b" " * (size % len(name)))
    return tmp_path / "here", fetched


def establish(folder, room_gb=None):
    files = {name: (size, "unknown") for name, size in SIZES.items()}
    mirror.establish(folder, f"file://{folder.parent}/store", files, room_gb)


def read(folder, name):
    with mirror.opened(folder / name) as file:
        return file.read()


def used(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.tar"))


def test_a_shard_is_fetched_when_it_is_read_and_kept(mirrored):
    folder, fetched = mirrored
    establish(folder)
    for name in [*SIZES, *SIZES]:
        assert read(folder, name) == (folder.parent / "store" / name).read_bytes()
    assert fetched == list(SIZES)


def test_the_one_not_used_for_longest_makes_room(mirrored):
    folder, fetched = mirrored
    establish(folder, 5000e-9)
    small, large, dev = SIZES
    for name in (small, large, small, dev):  # the last has no room beside both others
        read(folder, name)
        assert used(folder) <= 5000
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.tar")} == {small, dev}
    read(folder, small)
    assert Counter(fetched) == {small: 1, large: 1, dev: 1}
    establish(folder, 3000e-9)  # less room: kept from the next one on
    read(folder, large)
    assert used(folder) == 3000


def test_what_is_open_stays_readable(mirrored):
    folder, _ = mirrored
    establish(folder, 3000e-9)
    small, large, _ = SIZES
    with mirror.opened(folder / small) as file:
        read(folder, large)
        assert not (folder / small).exists()
        assert file.read() == (folder.parent / "store" / small).read_bytes()


def test_what_a_killed_process_left_is_cleared(mirrored):
    folder, _ = mirrored
    establish(folder)
    left = folder / "train" / ".recording.1.tar.abc.tmp"
    left.parent.mkdir()
    left.write_bytes(b"half")
    read(folder, "dev/recording.0.tar")
    assert not left.exists()


def test_a_shard_that_nobody_knows_is_missing(mirrored, tmp_path):
    establish(mirrored[0])
    with pytest.raises(LasasrError, match=r"train/recording\.7\.tar is missing"):
        mirror.opened(mirrored[0] / "train" / "recording.7.tar")
    with pytest.raises(FileNotFoundError):
        mirror.opened(tmp_path / "else" / "train" / "recording.0.tar")


def test_shards_wanted_soon_come_meanwhile(mirrored):
    folder, fetched = mirrored
    establish(folder)
    shard = folder / "train" / "recording.1.tar"
    before = set(threading.enumerate())
    for _ in range(3):
        mirror.fetch_soon(shard)
    mirror.fetch_soon(folder / "train" / "recording.7.tar")  # what is wrong is said when it is read
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert shard.exists()
    assert fetched == ["train/recording.1.tar"]
    mirror.fetch_soon(folder.parent / "elsewhere" / "train" / "recording.0.tar")


def test_two_processes_fetch_a_shard_once(mirrored):
    folder, _ = mirrored
    establish(folder)
    program = """
import sys, time
from pathlib import Path
from lasasr.data import mirror, remote
real = remote.fetch
def counting(url, path, size, md5):
    print("fetched", path.name, flush=True)
    time.sleep(0.05)  # long enough for the other one to come
    real(url, path, size)
remote.fetch = counting
print("ready", flush=True)
sys.stdin.readline()
for name in sys.argv[2:]:
    with mirror.opened(Path(sys.argv[1]) / name) as file:
        print(len(file.read()))
"""
    command = [sys.executable, "-c", program, str(folder), *SIZES, *SIZES]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": {**os.environ}}
    processes = [subprocess.Popen(command, **options) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    output = []
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output += process.communicate()[0].splitlines()
    assert sum(line.startswith("fetched") for line in output) == len(SIZES)
    assert sum(int(line) for line in output if line.isdigit()) == 4 * sum(SIZES.values())
    assert all(Path(folder / name).stat().st_size == size for name, size in SIZES.items())
