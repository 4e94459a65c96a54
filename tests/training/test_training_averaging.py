"""The mean of checkpoints."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from tiny_recognizer import parts
from torch import Tensor, nn

from lasasr.adapt.lora import Lora
from lasasr.errors import LasasrError
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer
from lasasr.training.averaging import PREFIX, mean, refuse_factors


def save(folder: Path, number: int, state: dict[str, Tensor]) -> Path:
    path = folder / f"step={number}-wer=1.00.ckpt"
    torch.save(
        {"state_dict": {f"{PREFIX}{name}": value for name, value in state.items()} | {"loss": torch.ones(1)}}, path
    )
    return path


def random_state(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"weight": torch.randn(40, generator=generator), "bias": torch.randn(3, generator=generator)}


def test_the_mean_is_the_exact_one_rounded_once(tmp_path: Path) -> None:
    states = [random_state(seed) for seed in range(7)]
    states[0]["weight"][0], states[1]["weight"][0] = 1e8, -1e8  # float32 would lose the other five
    found = mean([save(tmp_path, number, state) for number, state in enumerate(states)])
    for name in ("weight", "bias"):
        columns = zip(*(state[name].tolist() for state in states), strict=True)
        exact = torch.tensor([float(sum(map(Fraction, column)) / 7) for column in columns], dtype=torch.float64)
        assert torch.equal(found[name], exact.float())
    assert set(found) == {"weight", "bias"}


def test_equal_checkpoints_give_themselves_and_order_does_not_matter(tmp_path: Path) -> None:
    paths = [save(tmp_path, number, random_state(3)) for number in range(3)]
    assert torch.equal(mean(paths)["weight"], random_state(3)["weight"])
    paths = [save(tmp_path, number, random_state(number)) for number in range(3)]
    assert torch.equal(mean(paths)["weight"], mean(paths[::-1])["weight"])


def test_counts_and_masks_are_those_of_the_last(tmp_path: Path) -> None:
    states = [{"steps": torch.tensor(n), "mask": torch.tensor([n > 1]), "w": torch.tensor([float(n)])} for n in (1, 2)]
    found = mean([save(tmp_path, number, state) for number, state in enumerate(states)])
    assert found["steps"] == 2
    assert found["steps"].dtype == torch.int64
    assert found["mask"].tolist() == [True]
    assert found["w"].tolist() == [1.5]


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    def tied(seed: int) -> nn.Sequential:
        torch.manual_seed(seed)
        made = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        made[1].weight = made[0].weight
        return made

    made = tied(0)
    made.load_state_dict(mean([save(tmp_path, seed, tied(seed).state_dict()) for seed in range(3)]))
    assert made[0].weight is made[1].weight
    expected = torch.stack([tied(seed)[0].weight for seed in range(3)]).double().mean(0).float()
    torch.testing.assert_close(made[0].weight, expected)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path: Path, value: float) -> None:
    states = [random_state(seed) for seed in range(3)]
    states[1]["bias"][2] = value
    paths = [save(tmp_path, number, state) for number, state in enumerate(states)]
    with pytest.raises(LasasrError, match=r"step=1-wer=1.00.ckpt holds NaN or infinity in bias"):
        mean(paths)


def test_checkpoints_of_another_model_are_refused(tmp_path: Path) -> None:
    one = save(tmp_path, 1, random_state(1))
    with pytest.raises(LasasrError, match=r"step=2.*weight has shape \(39,\), not \(40,\)"):
        mean([one, save(tmp_path, 2, random_state(2) | {"weight": torch.zeros(39)})])
    with pytest.raises(LasasrError, match=r"step=2.*extra is in one but not in the other"):
        mean([one, save(tmp_path, 2, random_state(2) | {"extra": torch.zeros(1)})])


def test_the_mean_of_low_rank_factors_is_refused() -> None:
    recognizer = Recognizer.build(parts(0.3), CharacterTokenizer.train(["abcd"]), "none/1")
    refuse_factors(recognizer, Path("run"))
    Lora(rank=2).add(recognizer, 1)
    with pytest.raises(LasasrError, match="run was adapted by low-rank factors, whose mean is not that of the weights"):
        refuse_factors(recognizer, Path("run"))
