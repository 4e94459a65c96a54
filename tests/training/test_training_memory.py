"""The peak of memory is that of what was held, also where it is given back before the end."""

import pytest
import torch

from lasasr.training.memory import peak_mib, watch_peak


def test_a_cpu_tells_none() -> None:
    watch_peak(torch.device("cpu"))
    assert peak_mib(torch.device("cpu")) is None


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_peak_is_seen_and_forgotten() -> None:
    device = torch.device("cuda")
    watch_peak(device)
    before = peak_mib(device)
    torch.ones(128 * 2**18, device=device).sum()  # 128 MiB, freed at once
    after = peak_mib(device)
    assert before is not None
    assert after is not None
    assert after >= before + 127
    watch_peak(device)
    assert peak_mib(device) == before
