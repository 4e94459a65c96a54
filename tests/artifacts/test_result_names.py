"""Names of results say what differs, hold no path, and are read back as what they were."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lasasr.artifacts.result_names import (
    ResultName,
    data_difference,
    other_result_name,
    parse_result_name,
    sanitised,
    search_difference,
)
from lasasr.errors import LasasrError

OWN: dict[str, Any] = {"_target_": "lasasr.search.beam.BeamSearch", "beam": 10, "ctc_weight": 0.1, "length_bonus": 0.5}
GREEDY = {"_target_": "lasasr.search.greedy.GreedySearch"}


@pytest.mark.parametrize(
    ("search", "text"),
    [
        ({**OWN, "beam": 20}, "beam-20"),
        ({**OWN, "beam": 20.0}, "beam-20"),
        ({**OWN, "lm": "runs/lm/lmrun", "lm_weight": 0.3}, "lm_weight-0.3_lm-lmrun"),
        ({**OWN, "length_bonus": 0.0}, "length_bonus-0"),
        ({key: value for key, value in OWN.items() if key != "length_bonus"}, "length_bonus-default"),
        (GREEDY, "greedy"),
        ({**OWN, "scorers": {"mine": {"_target_": "mine.Mine", "_partial_": True}}}, "scorers.mine._target_-mine.Mine"),
        ({**OWN, "scorers": {"mine": {"_target_": "mine.Mine", "_partial_": True, "weight": 0.2}}}, "weight-0.2"),
        ({**GREEDY, "limits": {"_target_": "lasasr.search.limits.Limits", "max_ratio": 1.5}}, "greedy_max_ratio-1.5"),
    ],
)
def test_what_differs_from_the_runs_own_is_the_text(search: dict[str, Any], text: str) -> None:
    assert search_difference(OWN, search).text() == text


def test_a_choice_stands_for_what_it_brings() -> None:
    base = {"_target_": OWN["_target_"], "beam": 10}
    assert search_difference(OWN, base, "beam", base).text() == "beam"
    assert search_difference(OWN, {**base, "beam": 4}, "beam", base).text() == "beam_beam-4"


def test_paths_of_search_and_data_come_last() -> None:
    config = {"choices": {"corpus": "table"}, "corpus": {"test": "/data/old.tsv", "rate": 1}}
    changed = {**config, "corpus": {"test": "/data/new.tsv", "rate": 2}}
    lm = search_difference(OWN, {**OWN, "lm": "/x/lmrun", "lm_weight": 0.3})
    assert lm.text(data_difference(config, changed)) == "lm_weight-0.3_rate-2_lm-lmrun_test-new.tsv"
    assert data_difference(config, config).text() == "data"
    assert data_difference(config, {**config, "choices": {"corpus": "timit"}}).text() == "timit"


@pytest.mark.parametrize(
    "text",
    ["x" * 5000, "../../etc/passwd", "a\x00b\nc", "ä" * 300, "", "-._", "$(rm -rf ~)`x`", "@@@", "a@b-12345678", "-rf"],
)
def test_any_text_is_a_short_part_of_a_files_name(text: str) -> None:
    name = other_result_name("test", text, "identity", "data")
    assert re.fullmatch(r"test@[A-Za-z0-9_.,][A-Za-z0-9_.,-]{0,59}-[0-9a-f]{8}", str(name))
    assert parse_result_name(str(name)) == name
    assert sanitised(sanitised(text)) == sanitised(text)


def test_a_name_is_of_search_and_data() -> None:
    codes = {other_result_name("test", "x", search, data).code for search in "ab" for data in "cd"}
    assert len(codes) == 4


@pytest.mark.parametrize(
    "stem", ["test@", "test@x", "test@x-1234567", "test@x-1234567g", "@x-12345678", "test@-12345678"]
)
def test_other_stems_are_no_results(stem: str) -> None:
    assert parse_result_name(stem) is None


def test_a_stem_without_the_sign_is_a_split() -> None:
    assert parse_result_name("test-other") == ResultName("test-other")
    assert parse_result_name("test-other@greedy-0123abcd") == ResultName("test-other", "greedy", "0123abcd")
    with pytest.raises(LasasrError, match="'a@b' has @ in its name"):
        other_result_name("a@b", "x", "i", "d")
