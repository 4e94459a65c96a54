"""What the arguments of several verbs have in common."""

import pytest
import torch

from lasasr.cli.arguments import usable
from lasasr.cli.main import main
from lasasr.errors import LasasrError, UsageError


def test_a_device_that_is_there_is_taken() -> None:
    assert usable("cpu") == "cpu"
    assert usable("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    ("device", "kind", "message"),
    [
        ("gpu", UsageError, "--device gpu: write cpu, cuda, cuda:1 or auto"),
        ("cuda:99", LasasrError, "--device cuda:99 cannot be used here "),
        ("meta", LasasrError, "--device meta cannot be used here "),
    ],
)
def test_a_device_that_is_not_is_one_line(device: str, kind: type[LasasrError], message: str) -> None:
    with pytest.raises(LasasrError, match=message) as raised:
        usable(device)
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("verb", "missing"), [("evaluate", "RUN"), ("prepare", "RECIPE"), ("doctor", "RECIPE")])
def test_overrides_are_not_asked_for(verb: str, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb]) == 2
    assert f"required: {missing} (" in capsys.readouterr().err
