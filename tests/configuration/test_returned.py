"""What a marked function or a class returns at a place is what the place takes, or it is named."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lasasr.cli.main import main
from lasasr.configuration.contracts import CONTRACTS, contract_of
from lasasr.configuration.returned import check_returned
from lasasr.errors import UsageError
from lasasr.models import factory

PLACES = sorted({place.replace("*", "mine") for place in CONTRACTS})
MAKERS = "from lasasr.configuration.configurable import configurable\n" + "".join(
    f"""
@configurable({place.replace("mine", "*")!r}, {place!r})
def of_{place.replace(".", "_")}(value=None, **others):
    return value
"""
    for place in PLACES
)


@pytest.fixture
def makers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module with a marked function for every place, which returns what it is told."""
    (tmp_path / "own_makers.py").write_text(
        MAKERS
        + """
@configurable("search")
class Alike:
    pass
"""
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LASASR_ALLOW", "own_makers")
    yield
    sys.modules.pop("own_makers", None)


@pytest.mark.usefixtures("makers")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("value", "described"),
    [({"a": 1}, "an object of class dict"), (None, "nothing"), (3.0, "an object of class float")],
    ids=["dict", "None", "float"],
)
@pytest.mark.parametrize("partial", [False, True])
def test_something_else_is_refused_in_one_line_at_every_place(
    place: str, value: Any, described: str, partial: bool
) -> None:
    target = f"own_makers.of_{place.replace('.', '_')}"
    config = {"_target_": target, "_partial_": True} if partial else {"_target_": target, "value": value}
    with pytest.raises(UsageError) as raised:
        factory.build(config, place, **({"value": value} if partial else {}))
    message = str(raised.value)
    assert message.startswith(f"{place} ({target}) returned {described}; ")
    contract = contract_of(place)
    assert contract is not None
    assert all(base in message for base in contract.bases)
    assert "\n" not in message


@pytest.mark.usefixtures("makers")
@pytest.mark.parametrize("place", [place for place in PLACES if CONTRACTS.get(place) and CONTRACTS[place].called])
def test_what_is_called_may_be_any_callable(place: str) -> None:
    target = f"own_makers.of_{place.replace('.', '_')}"
    assert factory.build({"_target_": target, "_partial_": True}, place, value=len) is len
    with pytest.raises(UsageError, match=r"returned the class builtins\.int itself"):
        factory.build({"_target_": target, "_partial_": True}, place, value=int)


@pytest.mark.usefixtures("makers")
def test_nested_parts_are_checked_too_also_those_that_are_finished_later() -> None:
    nested = {"_target_": "own_makers.of_search_limits", "value": 5}
    beam = {"_target_": "lasasr.search.greedy.GreedySearch", "limits": nested}
    with pytest.raises(
        UsageError, match=r"search\.limits \(own_makers\.of_search_limits\) returned an object of class i"
    ):
        factory.build(beam, "search")
    finish = factory._argument({"_target_": "own_makers.of_listen", "_partial_": True}, "listen")
    with pytest.raises(UsageError, match=r"listen \(own_makers\.of_listen\) returned nothing"):
        finish()


def test_an_argument_that_the_toolkit_supplies_is_refused_and_not_written_over() -> None:
    config = {"_target_": "lasasr.attend.content.DotAttention", "_partial_": True, "dim": 4, "query_dim": 9}
    with pytest.raises(UsageError, match=r"^attend\.query_dim cannot be set: the toolkit supplies it"):
        factory.build(config, "attend", encoded_dim=3, query_dim=3)


@pytest.mark.usefixtures("makers")
def test_a_marked_class_keeps_the_contract_without_the_base() -> None:
    assert type(factory.build({"_target_": "own_makers.Alike"}, "search")).__name__ == "Alike"


def test_a_place_without_a_contract_takes_what_is_marked_for_it() -> None:
    assert check_returned(3, "mine.make", "listen.block") == 3


def test_a_loss_is_named_before_anything_trains(
    makers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check", "loss._target_=own_makers.of_loss"]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"lasasr: loss \(own_makers.of_loss\) returned nothing; loss takes a subclass of .*\n", said)
