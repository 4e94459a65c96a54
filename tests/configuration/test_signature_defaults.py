"""Defaults read from source are those of Python itself; what cannot be read has none."""

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.utils import get_object

from lasasr.configuration import source
from lasasr.configuration.moved import RENAMED_VALUES, current_path
from lasasr.configuration.signature_defaults import defaults, is_default, same, without_defaults

CONFIGS = Path(__file__).parents[2] / "configs"
TARGETS = sorted(
    {found for path in CONFIGS.rglob("*.yaml") for found in re.findall(r"_target_: *([\w.]+)", path.read_text())}
)


def signatures(part: Any) -> Iterator[inspect.Signature]:
    """Its own, and in the order of resolution those of the classes that its `**options` may go to."""
    yield inspect.signature(part)
    for base in part.__mro__[1:] if isinstance(part, type) else ():
        if "__init__" in vars(base) and base is not object:
            yield inspect.signature(base.__init__)


@pytest.mark.parametrize("target", TARGETS)
def test_they_are_those_of_the_imported_class(target: str) -> None:
    read = defaults(target)
    first, *others = signatures(get_object(target))
    plain = (int, float, str, bool, tuple, type(None))
    for name, parameter in first.parameters.items():
        known = parameter.default is not parameter.empty and isinstance(parameter.default, plain)
        assert (name in read) == known, name
        assert not known or same(read[name][0], parameter.default)
    for name in set(read) - set(first.parameters):
        assert any(parameter.kind == parameter.VAR_KEYWORD for parameter in first.parameters.values())
        inherited = [one.parameters[name].default for one in others if name in one.parameters]
        assert not inherited or same(read[name][0], inherited[0])


def test_options_that_are_handed_on_are_among_them() -> None:
    read = defaults("lasasr.attend.location.LocationAttention")
    assert (read["dim"], read["scale"], read["weights"], read["kernel_size"]) == ((128,), (1.0,), ("softmax",), (201,))


def test_null_and_a_part_made_in_its_place_are_the_same() -> None:
    searching = {"_target_": "lasasr.search.greedy.GreedySearch"}
    limits = {"_target_": "lasasr.search.limits.Limits", "min_ratio": 0, "max_ratio": 2}
    assert without_defaults({**searching, "limits": limits, "keep_weights": True}) == searching
    assert without_defaults({**searching, "limits": None}) == searching
    longer = {"_target_": "lasasr.search.limits.Limits", "max_ratio": 3.0}
    assert without_defaults({**searching, "limits": {**limits, **longer}}) == {**searching, "limits": longer}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of one's own on Python's path, whose import would leave a mark."""
    files = {
        "mine/__init__.py": "raise AssertionError('imported')\nfrom .encoders import Encoder as Listener\n",
        "mine/encoders.py": """
            from dataclasses import dataclass, field
            import typing
            from .sizes import WIDTH

            LAYERS, RATE = 3, -0.5

            def computed(): return 7

            class Base:
                def __init__(self, rate=RATE, hidden=True, **more): ...

            class Encoder(Base, typing.Generic):
                def __init__(self, dim, /, width=WIDTH, layers=LAYERS, *, sizes=(1, 2), late=computed(), x=None, **o):
                    self.part = x or Part()
                    super().__init__(hidden=False, **o)

            class Plain(Encoder): ...

            @dataclass(frozen=True)
            class Part:
                size: int
                share: float = 0.5
                names: list = field(default_factory=list)
                depth: int = field(default=4)

            class Whole:
                def __init__(self, part=Part(size=2, share=0.5), other=Part(1)): ...

                @classmethod
                def train(cls, text, size: int = 9): ...
            """,
        "mine/sizes.py": "WIDTH: int = 16\n",
        "mine/broken.py": "def no(:\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    source.load.cache_clear()
    defaults.cache_clear()
    assert not [name for name in sys.modules if name.split(".")[0] == "mine"]


@pytest.mark.parametrize("target", ["mine.encoders.Encoder", "mine.encoders.Plain", "mine.Listener"])
def test_a_class_of_ones_own(written: Path, target: str) -> None:
    assert defaults(target) == {
        "width": (16,),
        "layers": (3,),
        "sizes": ((1, 2),),
        "x": (None, {"_target_": "mine.encoders.Part"}),
        "rate": (-0.5,),  # `hidden` is given by the subclass, `late` is computed
    }


def test_fields_parts_and_classmethods_of_ones_own(written: Path) -> None:
    assert defaults("mine.encoders.Part") == {"share": (0.5,), "names": ([],), "depth": (4,)}
    assert defaults("mine.encoders.Whole") == {"part": ({"_target_": "mine.encoders.Part", "size": 2},)}
    assert defaults("mine.encoders.Whole.train") == {"size": (9,)}


@pytest.mark.parametrize(
    "target",
    [
        "mine.broken.no",
        "mine.nowhere.X",
        "mine.encoders",
        "mine.encoders.Encoder.absent",
        "nowhere.X",
        "x",
        "",
        "..",
        "a b.c",
    ],
)
def test_what_cannot_be_read_has_none(written: Path, target: str) -> None:
    assert defaults(target) == {}
    assert without_defaults({"_target_": target, "size": 1}) == {"_target_": target, "size": 1}


def test_values_of_another_kind_are_no_default() -> None:
    assert is_default([5.0, [1]], ((5, (1.0,)),))
    assert not is_default(True, (1,))
    assert not is_default([True], ([1],))
    assert not is_default(None, ())
    assert not is_default("1", (1,))


def test_every_part_of_the_configs_is_known() -> None:
    """But for those whose signature has no default at all."""
    empty = [target for target in TARGETS if not defaults(target)]
    for target in empty:
        parameters = inspect.signature(get_object(target)).parameters.values()
        assert all(parameter.default is parameter.empty for parameter in parameters), target
    assert len(yaml.safe_load((CONFIGS / "base.yaml").read_text())) > 5
    assert len(TARGETS) - len(empty) > 40


PROMISED = json.loads((Path(__file__).parent.parent / "data" / "absent_keys.json").read_text())


@pytest.mark.parametrize("target", PROMISED)
def test_what_an_absent_key_meant_it_means_for_ever(target: str) -> None:
    """Runs that are older than a key had its default. To begin with another value is for yaml to say.

    The file holds the defaults of 0.1.0; whoever adds a parameter adds its default.
    """
    read = defaults(current_path(target))
    names_of_today = {key.rpartition(".")[2]: values for key, values in RENAMED_VALUES.items()}
    promised = {
        name: names_of_today.get(name, {}).get(str(value), (value,))[0] for name, value in PROMISED[target].items()
    }
    assert {name: read[name][0] for name in promised} == {
        name: tuple(value) if isinstance(value, list) else value for name, value in promised.items()
    }
