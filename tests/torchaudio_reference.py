"""torchaudio, with which results are compared; its compiled part does not load beside every build of torch."""

from __future__ import annotations

from types import ModuleType

import pytest


def torchaudio() -> ModuleType:
    """The library with what tests use of it; the test is skipped where it cannot be loaded."""
    try:
        import torchaudio
        import torchaudio.compliance.kaldi
        import torchaudio.functional
        import torchaudio.transforms
    except (ImportError, OSError) as error:
        pytest.skip(f"torchaudio cannot be loaded here: {' '.join(str(error).split())[:120]}")
    return torchaudio
