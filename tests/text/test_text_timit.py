import pytest
from lhotse.recipes.timit import get_phonemes

from lasasr.errors import LasasrError
from lasasr.text import transcript
from lasasr.text.timit import (
    FOLD_48_TO_39,
    FOLD_61_TO_48,
    PHONES_39,
    PHONES_48,
    PHONES_61,
    fold_to_39,
    fold_to_48,
    folded,
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


def test_the_table_is_that_of_an_independent_library() -> None:
    from_48, from_39 = get_phonemes(48), get_phonemes(39)
    for phone in PHONES_61:
        if phone != "q":
            assert folded(phone, 48) == from_48[phone]
            assert folded(phone, 39) == from_39[phone]


def test_folding_at_once_is_folding_in_steps_from_any_set() -> None:
    text = " ".join(PHONES_61)
    assert folded(text, 61) == text
    assert folded(text, 48).split() == fold_to_48(PHONES_61)
    assert folded(text, 39).split() == fold_to_39(fold_to_48(PHONES_61))
    for start in (48, 39):
        for end in (48, 39):
            assert folded(folded(text, start), end) == folded(text, min(start, end))
    with pytest.raises(LasasrError, match="'SH' is none of"):
        folded("sh SH", 39)


@pytest.mark.parametrize("phones", [61, 48, 39])
def test_errors_are_counted_on_39_phones_without_q_whatever_is_modelled(phones: int) -> None:
    rule = transcript.from_name(f"timit{phones}/1")
    modelled = rule("h# q ix ax-h kcl k q h#")
    assert rule.scored(modelled) == "sil ih ah sil k sil"
    assert ("q" in modelled.split()) == (phones == 61)
    assert rule(modelled) == modelled
    assert "7,215" in rule.protocol


def test_other_rules_score_what_they_give() -> None:
    assert transcript.from_name("english/1").scored("as it, is") == "as it, is"
    assert transcript.from_name("english/1").protocol == ""
