import sys
from types import ModuleType

import pytest

from lasasr.errors import LasasrError, UsageError
from lasasr.text import transcript
from lasasr.text.normalizers import NAMES, normalizer


@pytest.mark.parametrize("name", [name for name in NAMES if name != "whisper"])
def test_a_rule_is_applied_as_it_is_scored(name: str) -> None:
    rule, text = transcript.rule(name), "sh ix hv" if name.startswith("timit") else "Hello,  World!"
    assert normalizer(name)(text) == rule.scored(rule(text))
    assert str(normalizer(name)) == str(rule)


def test_every_rule_can_be_chosen() -> None:
    assert set(NAMES) == {*transcript._RULES, "whisper"}


def test_an_unknown_name_names_all() -> None:
    with pytest.raises(UsageError, match=r"--normalizer Whisper: nearest: .*whisper"):
        normalizer("Whisper")


def test_whispers_is_its_own_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "whisper_normalizer", None)
    with pytest.raises(LasasrError, match=r"pip install 'lasasr\[whisper\]'"):
        normalizer("whisper")


def test_whispers_normalizer_is_named_with_the_version_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a module in place of the package, which the tests do not install."""
    english = ModuleType("whisper_normalizer.english")
    english.EnglishTextNormalizer = lambda: str.swapcase  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "whisper_normalizer", ModuleType("whisper_normalizer"))
    monkeypatch.setitem(sys.modules, "whisper_normalizer.english", english)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.8")
    whisper = normalizer("whisper")
    assert str(whisper) == "whisper-english (whisper-normalizer 9.8)"
    assert whisper("aB") == "Ab"
