"""Whether the tests keep their level on one's own data: halves of one system, which are equal, are compared.

Each trial divides the seeds of one system at random into two groups, and takes half of the speakers, drawn without
replacement. The groups are two systems without any difference, so a test at 5 % should call about 5 % of the trials
different. Trials share seeds and speakers: with few seeds there are few ways to divide them, and the share is rough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from lasasr.metrics.significance.mixed import p_value, run_uncertainty, system_uncertainty, variance_parts
from lasasr.metrics.significance.scores import Scores

TRIALS = 2_000
FEWEST_SPEAKERS = 12  # half of which can still decide


@dataclass(frozen=True)
class Calibration:
    """How often halves of one system are called different."""

    system: str
    groups: tuple[int, int]  # seeds of each half
    splits: int  # ways to divide the seeds
    speakers: int  # of each trial
    trials: int
    called: Mapping[str, float | None]  # test → share of the trials, percent; None: it needs more seeds


def calibrate(scores: Scores, level: float = 0.05, trials: int = TRIALS, seed: int = 0) -> Calibration | None:
    """Divide the seeds of one system and its speakers; None: it has one seed, or fewer than two speakers.

    Speakers whose references are empty take no part. Below `FEWEST_SPEAKERS` every trial has all speakers, and each way
    to divide the seeds is one trial.
    """
    heard = scores.speaker_lengths > 0
    errors, lengths = scores.speaker_errors[:, heard], scores.speaker_lengths[heard]
    runs, speakers = errors.shape
    if runs < 2 or speakers < 2:
        return None
    half = runs // 2
    splits = comb(runs, half) // (2 if runs == 2 * half else 1)
    generator = np.random.default_rng(seed)
    halved = speakers >= FEWEST_SPEAKERS
    if halved:
        orders = generator.permuted(np.tile(np.arange(runs), (trials, 1)), axis=1)
        kept = generator.permuted(np.tile(np.arange(speakers), (trials, 1)), axis=1)[:, : speakers // 2]
    else:
        groups = [group for group in combinations(range(runs), half) if runs != 2 * half or 0 in group]
        orders = np.array([[*group, *(run for run in range(runs) if run not in group)] for group in groups])
        kept = np.tile(np.arange(speakers), (len(orders), 1))
    drawn = errors[orders[:, :, None], kept[:, None, :]]
    parts = variance_parts([drawn[:, :half], drawn[:, half:]], lengths[kept], (1.0, -1.0))
    p_values = {
        "systems": None if parts.seeds is None else p_value(parts.estimate, system_uncertainty(parts)),
        "runs": p_value(parts.estimate, run_uncertainty(parts)),
    }
    called = {
        name: None if p is None else 100.0 * float((np.nan_to_num(p, nan=0.0) <= level).mean())
        for name, p in p_values.items()
    }
    return Calibration(scores.name, (half, runs - half), splits, kept.shape[1], len(orders), called)
