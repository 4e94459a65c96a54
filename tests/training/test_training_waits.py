"""How often a training step waits for the device, on a pretend one (`pretend_device.py`), in a process of its own.

The gradients are compared with those of the CPU on the way, so what is counted is a step that is right.
"""

from __future__ import annotations

import json
import os
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from shipped_parts import names
from torch.utils import backend_registration
from warm_command import WarmCommands

SCRIPT = Path(__file__).with_name("pretend_updates.py")
IN_CTC = {"CTC": 6}  # torch's own kernels: three copies of lengths each way
NORM = {"_local_scalar_dense": 1}  # the one wait of an update: is the gradient finite?
FEW = ["pyramid/location", "blstm/dot", "conv_blstm/monotonic", "pyramid_stacked/location_recurrent"]
FEW += ["transformer/dot", "conformer/location", "conformer_blstm/additive"]
pytestmark = pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this torch has no backends in Python",
)


def waits(warm_commands: WarmCommands, folder: Path, models: list[str]) -> Any:
    done = warm_commands.run_script(SCRIPT, [str(folder), *models], folder, os.environ)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found(warm_commands: WarmCommands, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return waits(warm_commands, tmp_path_factory.mktemp("waits"), [f"{one}/lstm" for one in FEW])


def check(steps: list[dict[str, Any]]) -> None:
    for one in steps:
        assert one["model"] == IN_CTC, one
        assert one["update"] == NORM, one
        assert one["apart"] < 1e-3, one  # rounding, against the norm of the gradient


def test_a_step_waits_once(found: Any) -> None:
    assert {one["name"].partition("/")[0] for one in found["steps"]} == set(names("listen"))
    check(found["steps"])


@pytest.mark.slow
def test_a_step_of_any_model_waits_once(warm_commands: WarmCommands, tmp_path: Path) -> None:
    models = [*map("/".join, product(names("listen"), names("attend"), ["lstm"]))]
    models += [f"pyramid/location/{spell}" for spell in names("spell")]
    steps = waits(warm_commands, tmp_path, models)["steps"]
    assert [one["name"] for one in steps] == models
    check(steps)


def test_waits_are_seen(found: Any) -> None:
    """Without what the host knows: the lengths of both layers, and those and the tokens in the CTC loss."""
    assert found["unknown"][0]["model"]["copy to the CPU"] >= 4


def test_the_whole_loop_waits_once_and_more_only_for_logs_and_looks(found: Any) -> None:
    updates = found["updates"]
    assert len(updates) == 8
    for number, update in enumerate(updates[1:], 2):  # the first has what is set up
        more = sum(update.values()) - sum((IN_CTC | NORM).values())
        assert more == (3 if number % 4 == 0 else 0), (number, update)
