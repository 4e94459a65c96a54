import pytest

from lasasr.errors import LasasrError
from lasasr.text.timit import (
    FOLD_48_TO_39,
    FOLD_61_TO_48,
    PHONES_39,
    PHONES_48,
    PHONES_61,
    fold_to_39,
    fold_to_48,
)

# Lee & Hon 1989, §IV: the groups inside which confusions are no errors
GROUPS = ("sil cl vcl epi", "el l", "en n", "sh zh", "ao aa", "ih ix", "ah ax")


def test_the_sets_have_their_sizes() -> None:
    assert (len(set(PHONES_61)), len(PHONES_48), len(PHONES_39)) == (61, 48, 39)


def test_folds_are_defined_on_their_sets_and_idempotent() -> None:
    assert set(FOLD_61_TO_48) <= set(PHONES_61)
    assert set(FOLD_48_TO_39) <= set(PHONES_48)
    assert fold_to_39(fold_to_39(PHONES_48)[:5]) == fold_to_39(PHONES_48)[:5]
    assert set(fold_to_48(PHONES_61)) == set(PHONES_48)
    assert not set(FOLD_48_TO_39) & set(PHONES_39)


def test_the_39_are_the_48_with_the_papers_groups_merged() -> None:
    classes = {}
    for phone in PHONES_48:
        classes.setdefault(fold_to_39([phone])[0], set()).add(phone)
    assert {frozenset(members) for members in classes.values() if len(members) > 1} == {
        frozenset(group.split()) for group in GROUPS
    }


def test_a_sentence_is_folded_and_the_glottal_stop_left_out() -> None:
    folded = fold_to_48(["h#", "sh", "ix", "hv", "eh", "dcl", "q", "axr", "nx", "ux", "pau", "h#"])
    assert folded == ["sil", "sh", "ix", "hh", "eh", "vcl", "er", "n", "uw", "sil", "sil"]
    assert fold_to_39(folded) == ["sil", "sh", "ih", "hh", "eh", "sil", "er", "n", "uw", "sil", "sil"]


def test_a_label_of_another_set_is_named() -> None:
    with pytest.raises(LasasrError, match="'SH' is none of the 61"):
        fold_to_48(["SH"])
    with pytest.raises(LasasrError, match="'h#' is none of the 48"):
        fold_to_39(["h#"])
