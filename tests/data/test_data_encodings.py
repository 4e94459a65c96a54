"""Encodings in files: what is written is read, in whole files, by several processes."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lasasr.data.encodings import Encodings, Kept, digest, write
from lasasr.errors import LasasrError

GENERATOR = torch.Generator().manual_seed(0)
FRAMES = {f"{number:02d}": torch.randn(3 + number, 4, generator=GENERATOR) for number in range(9)}


def test_what_is_written_is_read_in_float16(tmp_path: Path) -> None:
    write(tmp_path, FRAMES.items())
    kept = Encodings(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    for name, frames in FRAMES.items():
        assert name in kept
        assert torch.equal(kept.get(name), frames.half())
    assert "other" not in kept


def test_files_are_of_a_size_and_add_up(tmp_path: Path) -> None:
    write(tmp_path, FRAMES.items(), shard_bytes=100)
    assert len(list(tmp_path.iterdir())) > 3
    write(tmp_path, [("more", torch.ones(2, 4))])
    kept = pickle.loads(pickle.dumps(Encodings(tmp_path)))
    assert all(name in kept for name in (*FRAMES, "more"))


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def interrupted() -> object:
        yield from list(FRAMES.items())[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, interrupted(), shard_bytes=48)  # type: ignore[arg-type]
    kept = Encodings(tmp_path)
    assert [name in kept for name in FRAMES] == [True, True, True, True] + [False] * 5
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, LasasrError, SystemExit])
def test_what_came_before_an_interruption_is_kept(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupted() -> Iterator[tuple[str, torch.Tensor]]:
        yield from list(FRAMES.items())[:4]
        raise error

    with pytest.raises(error):
        write(tmp_path, interrupted())  # of one file, which is not full
    kept = Encodings(tmp_path)
    assert [name in kept for name in FRAMES] == [True] * 4 + [False] * 5
    write(tmp_path, list(FRAMES.items())[4:])
    assert all(torch.equal(Encodings(tmp_path).get(name), frames.half()) for name, frames in FRAMES.items())


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def full(*_: object) -> None:
        raise OSError(error, os.strerror(error), "x")

    monkeypatch.setattr("lasasr.artifacts.tensor_file.save", full)
    with pytest.raises(LasasrError, match=rf"cannot write into {tmp_path} .{os.strerror(error)}.: make room"):
        write(tmp_path, FRAMES.items(), shard_bytes=48)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("byte", [-1, -100])
def test_a_byte_that_has_changed_is_noticed(tmp_path: Path, byte: int) -> None:
    write(tmp_path, FRAMES.items())
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)
    with safe_open(path, "pt") as opened:
        changed = [name for name, frames in FRAMES.items() if not torch.equal(opened.get_tensor(name), frames.half())]
    kept = pickle.loads(pickle.dumps(Encodings(tmp_path)))
    (damaged,) = changed
    with pytest.raises(LasasrError, match=rf"{path.name} is damaged .what it holds does not match its checksum.; del"):
        kept.get(damaged)
    assert all(torch.equal(kept.get(name), frames.half()) for name, frames in FRAMES.items() if name != damaged)


def test_files_without_checksums_are_read(tmp_path: Path) -> None:
    """As earlier versions wrote them."""
    save_file({name: frames.half() for name, frames in FRAMES.items()}, tmp_path / "one.safetensors")
    assert all(torch.equal(Encodings(tmp_path).get(name), frames.half()) for name, frames in FRAMES.items())


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, FRAMES.items())
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(LasasrError, match=rf"{path.name} is damaged .*delete it, and it is computed again"):
        Encodings(tmp_path)


def test_what_does_not_fit_float16_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LasasrError, match="values of up to 70000, and float16 ends at 65504"):
        write(tmp_path, [("a", torch.full((1, 1), 70_000.0))])
    assert not list(tmp_path.iterdir())


def test_a_batch_is_padded_with_zeros(tmp_path: Path) -> None:
    write(tmp_path, FRAMES.items())
    frames, lengths = Kept(Encodings(tmp_path), [list(FRAMES)]).batch([5, 0], [0, 0])
    assert lengths.tolist() == [8, 3]
    assert torch.equal(frames[1, :3], FRAMES["00"].half())
    assert not frames[1, 3:].any()


def test_a_batch_has_the_form_that_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, FRAMES.items())
    names = list(FRAMES)
    frames, lengths = Kept(Encodings(tmp_path), [names, names[::-1]]).batch([1, 1, 2], [0, 1, 1])
    assert lengths.tolist() == [4, 10, 9]
    assert torch.equal(frames[1], FRAMES["07"].half())


def test_the_name_of_a_folder_depends_on_values_not_on_their_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})
