"""While a large library is loaded no garbage is searched for; afterwards it is, but not in what was loaded."""

import gc
import subprocess
import sys
import weakref
from types import ModuleType

import pytest

from lasasr.configuration.loading import MANY, loading


class Ring:
    """Garbage that only a search finds."""

    def __init__(self) -> None:
        self.itself = self


def test_garbage_is_not_searched_for_meanwhile_and_is_afterwards() -> None:
    frozen = gc.get_freeze_count()
    with loading():
        assert not gc.isenabled()
        ring = weakref.ref(Ring())
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen
    gc.collect()
    assert ring() is None


def test_an_import_that_fails_leaves_all_as_it_was() -> None:
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()


def test_who_searches_for_none_goes_on_so() -> None:
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(("modules", "frozen"), [(MANY - 1, False), (MANY, True)])
def test_only_what_came_with_many_modules_is_left_out_of_later_searches(
    modules: int, frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    names = [f"lasasr_test_loading_{number}" for number in range(modules)]
    try:
        with loading():
            sys.modules.update({name: ModuleType(name) for name in names})
    finally:
        for name in names:
            sys.modules.pop(name)
    assert calls == ["freeze"] * frozen


def test_after_torch_was_loaded_little_is_searched() -> None:
    script = (
        "import gc; from lasasr.configuration.loading import loading\nwith loading():\n    import torch\n"
        "assert gc.isenabled(); print(gc.get_freeze_count(), len(gc.get_objects()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    left_out, searched = map(int, done.stdout.split())
    assert left_out > 10 * searched
