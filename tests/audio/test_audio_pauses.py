"""Where long audio is cut: every sample of speech once or in an overlap, in pauses where there are any."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from lasasr.audio.pauses import Lengths, Stretch, longest_run, power_db, stretches
from lasasr.errors import UsageError

RATE = 1000
LENGTHS = Lengths(usual_s=2.0, longest_s=4.0)


def speech(seconds: float, seed: int = 0, gain: float = 0.1) -> Tensor:
    return torch.randn(int(seconds * RATE), generator=torch.Generator().manual_seed(seed)) * gain


def silence(seconds: float) -> Tensor:
    return torch.zeros(int(seconds * RATE))


def stretched(waveform: Tensor, block: int | None = None, lengths: Lengths = LENGTHS) -> list[Stretch]:
    return list(stretches(waveform.split(block or len(waveform)), RATE, lengths))


def drawn(seed: int) -> Tensor:
    """Speech and pauses of all lengths, some pauses noisy."""
    rng = np.random.default_rng(seed)
    parts = [
        part
        for i in range(rng.integers(3, 9))
        for part in (
            speech(rng.uniform(0.2, 7.0), seed * 100 + i, rng.choice([0.05, 0.1, 0.3])),
            speech(rng.uniform(0.0, 3.0), seed * 100 + i, rng.choice([0.0, 0.001, 0.01])),
        )
    ]
    return torch.cat(parts)


def is_silence(waveform: Tensor) -> bool:
    return all(float(frame.square().sum()) / 10 < 10 ** (-65 / 10) * 1.001 for frame in waveform.split(10))


@pytest.mark.parametrize("seed", range(40))
def test_stretches_are_the_waveform_but_for_silence(seed: int) -> None:
    waveform = drawn(seed)
    pieces = stretched(waveform)
    reached = 0
    for piece in pieces:
        end = piece.begin + len(piece.waveform)
        assert torch.equal(piece.waveform, waveform[piece.begin : end])
        assert 0 < len(piece.waveform) <= LENGTHS.longest_s * RATE
        assert piece.overlaps == (piece.begin < reached)
        assert is_silence(waveform[reached : piece.begin])
        assert end > reached
        reached = end
    assert is_silence(waveform[reached:])


@pytest.mark.parametrize("block", [137, 1000, 9999])
def test_blocks_change_nothing(block: int) -> None:
    waveform = drawn(5)
    whole = stretched(waveform)
    for ours, theirs in zip(whole, stretched(waveform, block), strict=True):
        assert (ours.begin, ours.overlaps) == (theirs.begin, theirs.overlaps)
        assert torch.equal(ours.waveform, theirs.waveform)


@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_utterances_with_pauses_between_are_told_apart(noise: float) -> None:
    lengths_s = [1.9, 2.2, 1.5, 2.8, 2.0, 1.7]
    parts = [part for i, s in enumerate(lengths_s) for part in (speech(s, i), silence(0.5))][:-1]
    waveform = torch.cat(parts)
    pieces = stretched(waveform + noise * torch.randn(len(waveform), generator=torch.Generator().manual_seed(9)))
    begins = np.cumsum([0.0] + [s + 0.5 for s in lengths_s])[:-1]
    assert not any(piece.overlaps for piece in pieces)
    for piece, begin_s, length_s in zip(pieces, begins, lengths_s, strict=True):
        assert piece.begin / RATE <= begin_s + 1e-6
        assert (piece.begin + len(piece.waveform)) / RATE >= begin_s + length_s - 1e-6
        assert len(piece.waveform) / RATE <= length_s + 0.5 + 0.02


def test_of_two_pauses_the_longer_is_taken_and_a_short_one_is_none() -> None:
    waveform = torch.cat([speech(1.2, 1), silence(0.3), speech(0.6, 2), silence(0.5), speech(3.0, 3)])
    pieces = stretched(waveform)
    assert [round(piece.begin / RATE, 2) for piece in pieces][:2] == [0.0, 2.6]  # without the silence
    hesitating = torch.cat([speech(1.5, 1), silence(0.1), speech(3.5, 2)])
    first, second, *_ = stretched(hesitating)
    assert second.overlaps
    assert first.begin + len(first.waveform) - second.begin == int(LENGTHS.longest_s * RATE * 0.25)


def test_speech_without_a_pause_is_cut_at_its_quietest_place() -> None:
    waveform = speech(5.0)
    waveform[2900:3100] *= 0.5
    first, second = stretched(waveform)
    seam = (first.begin + len(first.waveform) + second.begin) / 2
    assert seam == pytest.approx(3000, abs=30)
    assert second.overlaps


def test_the_end_is_cut_in_pauses_only() -> None:
    joined = torch.cat([speech(4.5, 1), silence(0.4), speech(1.8, 2), silence(0.4), speech(1.2, 3)])
    assert [piece.overlaps for piece in stretched(joined)] == [False, True, False, False]
    assert len(stretched(speech(3.9))) == 1


def test_silence_is_no_stretch() -> None:
    assert stretched(silence(20.0)) == []
    (piece,) = stretched(torch.cat([silence(9.0), speech(1.0), silence(7.0)]))
    assert piece.begin == 9000
    assert len(piece.waveform) == 1000
    assert list(stretches([], RATE, LENGTHS)) == []


def test_power_and_runs_by_counting() -> None:
    waveform = drawn(3)
    positions, levels = power_db(waveform, RATE)
    for position, level in list(zip(positions.tolist(), levels.tolist(), strict=True))[::97]:
        mean = float(waveform[position - 100 : position + 100].double().square().mean())
        assert level == pytest.approx(10 * np.log10(max(mean, 1e-12)), abs=1e-2)
    for quiet in itertools.product([False, True], repeat=7):
        spans = [(a, b) for a in range(7) for b in range(a, 7) if all(quiet[a : b + 1])]
        assert longest_run(quiet) == max(spans, key=lambda span: (span[1] - span[0], span[0]), default=None)


@pytest.mark.parametrize("longest_s", [0.5, -1.0, float("nan")])
def test_pieces_too_short_to_hold_a_word_are_refused(longest_s: float) -> None:
    with pytest.raises(UsageError, match="at least 1 s"):
        stretched(speech(9.0), lengths=Lengths(1.0, longest_s))
