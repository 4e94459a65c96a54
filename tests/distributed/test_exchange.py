"""What ranks exchange is the same on each, in the order of the ranks; a process alone answers for itself."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist

from lasasr.distributed import exchange


def test_alone_is_its_own_answer() -> None:
    assert exchange.world_size() == 1
    assert exchange.gathered({"a": 1}) == [{"a": 1}]
    assert exchange.largest(torch.tensor([3, 0])).tolist() == [3, 0]


def test_two_ranks_hear_of_each_other(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(_rank, (tmp_path,), nprocs=2)  # type: ignore[no-untyped-call]
    assert [(tmp_path / f"{rank}").read_text() for rank in range(2)] == ["2 ['rank 0', 'rank 1'] [1, 5]"] * 2


def _rank(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    largest = exchange.largest(torch.tensor([rank, 5 - rank]))
    answer = f"{exchange.world_size()} {exchange.gathered(f'rank {rank}')} {largest.tolist()}"
    (folder / f"{rank}").write_text(answer)
    dist.destroy_process_group()


def test_a_lost_connection_is_told_from_other_errors() -> None:
    assert exchange.is_lost_connection(dist.DistBackendError("reset"))
    assert exchange.is_lost_connection(RuntimeError("[../third_party/gloo] Connection closed by peer"))
    assert not exchange.is_lost_connection(RuntimeError("out of memory"))


def test_a_lost_connection_is_said_without_place_and_advice() -> None:
    said = "[/a/gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:17602. This is caused by. GLHF!"
    assert exchange.is_lost_connection(RuntimeError(said))
    assert exchange.connection_fault(RuntimeError(said)) == "Connection closed by peer [127.0.0.1]:17602"
    assert exchange.connection_fault(RuntimeError("gloo: timed out\n" * 99)) == ("gloo: timed out " * 99)[:120]
