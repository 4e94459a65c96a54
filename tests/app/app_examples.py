"""Recognizers and recordings that the tests of the page use."""

from __future__ import annotations

from pathlib import Path

import soundfile
import torch
from tiny_recognizer import greedy, parts

from lasasr.audio.pauses import Lengths
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer

RATE = 16_000
LIMITS = {"_target_": "lasasr.search.limits.Limits", "min_length": 5, "max_length": 9}
BEAM = {"_target_": "lasasr.search.beam.BeamSearch", "beam": 4, "limits": LIMITS}


def recognizer(beam: bool = False, ctc_weight: float = 0.3, longest_s: float = 5.0) -> Recognizer:
    """An untrained one that always says something."""
    torch.manual_seed(0)
    tokenizer = CharacterTokenizer.train(["ab c", "ba"])
    search = BEAM if beam else greedy(5, 9)
    made = Recognizer.build(parts(ctc_weight, search=search), tokenizer, "english/1").eval()
    made.trained_on = Lengths(usual_s=longest_s / 2.0, longest_s=longest_s)
    return made


def noise(path: Path, seconds: float = 1.0) -> Path:
    """A recording that is neither silent nor steady."""
    samples = torch.randn(int(seconds * RATE), generator=torch.Generator().manual_seed(1)) * 0.1
    swell = 1.3 + torch.cos(torch.arange(len(samples)) * (2 * torch.pi * 3.0 / RATE))
    soundfile.write(path, (samples * swell).numpy(), RATE)
    return path
