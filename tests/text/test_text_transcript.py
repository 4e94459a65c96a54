import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasasr.errors import UsageError
from lasasr.text.transcript import rule

NAMES = ("english", "librispeech", "phones", "none")


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("english", "  Don’t  STOP, well-known “Mr. O'Neil”! ", "don't stop well known mr o'neil"),
        ("english", "a ' b '' c", "a b c"),
        ("english", "snake_case 3 caf\u0065\u0301", "snake case 3 café"),
        ("english", "`tis so", "'tis so"),
        ("english", "?!...", ""),
        ("english", "हिन्दी", "हिन्दी"),
        ("librispeech", "HE SAID  IT'S ME", "he said it's me"),
        ("phones", " h#  sh ix\tax-h ", "h# sh ix ax-h"),
        ("none", " As It, Is ", " As It, Is "),
    ],
)
def test_rules_do_what_they_say(name: str, raw: str, expected: str) -> None:
    assert rule(name)(raw) == expected


@pytest.mark.parametrize("name", NAMES)
@given(st.text(max_size=30))
def test_rules_are_idempotent(name: str, raw: str) -> None:
    once = rule(name)(raw)
    assert rule(name)(once) == once


def test_english_is_idempotent_on_every_character() -> None:
    english = rule("english")
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) not in ("Cs", "Cn", "Co"):
            once = english(f"a{chr(code)}b")
            assert english(once) == once, hex(code)
            assert "," not in once
            assert "▁" not in once


@given(st.text(max_size=40) | st.text(alphabet="aB'`_-, \u0301\u00b4\u0939\u093f\u0130", max_size=20))
def test_english_sign_by_sign(raw: str) -> None:
    apostrophes = dict.fromkeys(map(ord, "\u2019\u2018\u02bc\u00b4`"), "'")
    plain = unicodedata.normalize("NFKC", raw.translate(apostrophes)).translate(apostrophes).lower()
    signs = [sign if sign == "'" or unicodedata.category(sign)[0] in "LMN" or sign.isalnum() else " " for sign in plain]
    words = [word for word in "".join(signs).split() if word.strip("'")]
    assert rule("english")(raw) == unicodedata.normalize("NFKC", " ".join(words))


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_names_itself_and_its_version(name: str) -> None:
    assert str(rule(name)) == f"{name}/{rule(name).version}"


def test_an_unknown_rule_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'librispech'; nearest: librispeech"):
        rule("librispech")
