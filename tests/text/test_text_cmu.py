import pytest

from lasasr.errors import LasasrError
from lasasr.text.cmu import PHONES_39, plain


def test_there_are_39() -> None:
    assert len(set(PHONES_39)) == 39


@pytest.mark.parametrize("phone", PHONES_39)
def test_marks_are_taken_off(phone: str) -> None:
    for stress in ("", "0", "1", "2"):
        for position in ("", "_B", "_I", "_E", "_S"):
            assert plain(f"{phone}{stress}{position}") == phone


@pytest.mark.parametrize("wrong", ["", "XX", "aa", "AA3", "AA_X", "SIL", "AA0_B ", "<unk>"])
def test_what_is_no_phone_is_named(wrong: str) -> None:
    with pytest.raises(LasasrError, match="39 phones of the CMU dictionary"):
        plain(wrong)
