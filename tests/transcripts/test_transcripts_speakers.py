import pytest

from lasasr.errors import LasasrError, UsageError
from lasasr.transcripts.speakers import speaker_rule


@pytest.mark.parametrize(
    ("rule", "key", "speaker"),
    [
        ("id[:4]", "1089-134686-0000", "1089"),
        ("id.split('-')[0]", "1089-134686-0000", "1089"),
        ("id.rsplit('-', 1)[0]", "1089-134686-0000", "1089-134686"),
        ("id[-3:]", "u-abc", "abc"),
        ("id.split('_')[0] + '/' + id.split('_')[1]", "a_b_c", "a/b"),
    ],
)
def test_rules(rule: str, key: str, speaker: str) -> None:
    assert speaker_rule(rule)(key) == speaker


@pytest.mark.parametrize(
    "rule", ["__import__('os')", "id.__class__", "id.upper()", "open('x')", "id[:", "", "id if 1 else 2", "9 ** 9 ** 9"]
)
def test_a_rule_can_do_nothing_else(rule: str) -> None:
    with pytest.raises(UsageError, match="a rule is like"):
        speaker_rule(rule)


def test_a_rule_that_fails_for_an_id_names_it() -> None:
    with pytest.raises(LasasrError, match="fails for utterance abc: list index out of range"):
        speaker_rule("id.split('-')[1]")("abc")
    with pytest.raises(LasasrError, match="gives '' for utterance -abc, not a name"):
        speaker_rule("id.split('-')[0]")("-abc")
