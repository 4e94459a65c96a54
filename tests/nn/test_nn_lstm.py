"""The LSTM that keeps autocast's dtype does what torch's own does."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from lasasr.nn import tree
from lasasr.nn.lstm import LSTM, in_one_piece, onednn_computes

FORMS: list[dict[str, Any]] = [
    {"bidirectional": True},
    {"num_layers": 2, "batch_first": False},
    {"num_layers": 2, "bidirectional": True, "bias": False},
]


def both(form: dict[str, Any]) -> tuple[LSTM, nn.LSTM]:
    torch.manual_seed(0)
    options = {"batch_first": True, **form}
    ours, theirs = LSTM(5, 7, **options), nn.LSTM(5, 7, **options)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def close(ours: Any, theirs: Any, **tolerance: float) -> None:
    for our, their in zip(tree.leaves(ours), tree.leaves(theirs), strict=True):
        torch.testing.assert_close(our, their, **tolerance)


@pytest.mark.parametrize("given", [False, True], ids=["zeros", "state"])
@pytest.mark.parametrize("packed", [False, True], ids=["frames", "packed"])
@pytest.mark.parametrize("form", FORMS)
def test_what_a_gpu_runs_under_autocast_is_torchs_own(form: dict[str, Any], packed: bool, given: bool) -> None:
    """In float32, where nothing is rounded: the same outputs, states and gradients."""
    ours, theirs = both(form)
    frames = torch.randn(4, 6, 5) if ours.batch_first else torch.randn(6, 4, 5)
    rows = ours.num_layers * (2 if ours.bidirectional else 1)
    state = (torch.randn(rows, 4, 7), torch.randn(rows, 4, 7)) if given else None
    input: Any = frames
    if packed:  # not sorted, so that states must be put in order
        lengths = torch.tensor([3, 6, 2, 5])
        input = pack_padded_sequence(frames, lengths, batch_first=ours.batch_first, enforce_sorted=False)
    results = []
    for module in (ours, theirs):
        output, after = module.computed_in(torch.float32, input, state) if module is ours else module(input, state)
        data: Tensor = output.data if isinstance(output, PackedSequence) else output
        data.square().sum().backward()  # type: ignore[no-untyped-call]
        results.append([data, *after, *(parameter.grad for parameter in module.parameters())])
    close(results[0], results[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("packed", [False, True], ids=["frames", "packed"])
def test_in_bfloat16_everything_is_bfloat16(packed: bool) -> None:
    ours, _ = both({"bidirectional": True})
    frames = torch.randn(4, 6, 5)
    input: Any = pack_padded_sequence(frames, torch.tensor([6, 5, 3, 2]), batch_first=True) if packed else frames
    output, state = ours.computed_in(torch.bfloat16, input)
    data = output.data if packed else output
    assert {data.dtype, *(leaf.dtype for leaf in state)} == {torch.bfloat16}


AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def check_half_precision() -> None:
    """Under autocast, each dtype gives outputs, states and gradients that are those of float64 but for its rounding."""
    for dtype in (torch.bfloat16, torch.float16):
        for packed in (False, True):
            ours, theirs = both({"num_layers": 2})
            theirs = theirs.double()
            frames, lengths = torch.randn(4, 6, 5), torch.tensor([6, 5, 3, 2])
            results = []
            for module, input in ((ours, frames), (theirs, frames.double())):
                given = pack_padded_sequence(input, lengths, batch_first=True) if packed else input
                with torch.autocast("cpu", dtype, enabled=module is ours):
                    output, state = module(given)
                data = output.data if packed else output
                assert module is theirs or packed or data.dtype == dtype  # of packed frames torch makes float32
                data.double().square().sum().backward()
                results.append([data, *state, *(parameter.grad for parameter in module.parameters())])
            (mine, exact) = ([leaf.double() for leaf in of] for of in results)
            close(mine, exact, rtol=0, atol=0.05 if dtype == torch.bfloat16 else 0.01)


def test_that_onednn_has_an_lstm_is_what_torchs_own_says_under_autocast() -> None:
    for dtype in (torch.bfloat16, torch.float16):
        try:
            with torch.autocast("cpu", dtype):
                nn.LSTM(5, 7)(torch.randn(6, 4, 5))[0].float().sum().backward()
            computes = True
        except RuntimeError:
            computes = False
        assert onednn_computes(dtype) is computes


def test_half_precision_is_computed_on_every_processor() -> None:
    check_half_precision()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="AVX2 is of x86")
def test_half_precision_is_computed_where_onednn_ends_at_avx2() -> None:
    """Which a process is told as it begins; oneDNN then has no LSTM in bfloat16."""
    code = "import test_nn_lstm as t; t.check_half_precision(); print(t.onednn_computes(t.torch.bfloat16))"
    environment = {**os.environ, **AVX2, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr


def test_without_autocast_it_is_torchs_own_code() -> None:
    ours, theirs = both({"bidirectional": True})
    close(ours(torch.ones(2, 3, 5)), theirs(torch.ones(2, 3, 5)), rtol=0, atol=0)


def test_weights_in_one_piece_hold_the_same_values_and_lie_one_after_the_other() -> None:
    ours, _ = both({"bidirectional": True})
    weights = list(ours.parameters())
    pieces = in_one_piece(weights, torch.float64)
    for piece, weight in zip(pieces, weights, strict=True):
        torch.testing.assert_close(piece, weight.double(), rtol=0, atol=0)
    matrices_first = sorted(pieces, key=lambda piece: piece.dim() == 1)
    ends = [piece.storage_offset() + piece.numel() for piece in matrices_first]
    assert [piece.storage_offset() for piece in matrices_first] == [0, *ends[:-1]]
    assert len({piece.untyped_storage().data_ptr() for piece in pieces}) == 1
