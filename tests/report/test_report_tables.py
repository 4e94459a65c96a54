from typing import Any

import pytest
from rich.console import Console

from lasasr.errors import LasasrError
from lasasr.report.tables import evaluation_table


def result(**changes: Any) -> dict[str, Any]:
    return {
        "split": "test",
        "metric": "wer",
        "percent": 4.2105,
        "ci95": [3.6, 4.9],
        "substitutions": 40,
        "deletions": 7,
        "insertions": 5,
        "reference_length": 1235,
        "utterances": 150,
        "cer_percent": 1.8,
        "rtf": 0.0114,
        "attend": "location",
    } | changes


def printed(*results: dict[str, Any]) -> list[list[str]]:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(evaluation_table(results))
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in captured.get().splitlines()]


def test_a_row_per_split_with_every_value() -> None:
    header, row, other = printed(result(), result(split="dev", percent=100.0, ci95=None))
    expected = ["split", "utterances", "WER %", "95 % int., %", "sub", "del", "ins", "of", "CER %", "RTF"]
    assert header == expected
    assert row == ["test", "150", "4.21", "3.60 to 4.90", "40", "7", "5", "1235", "1.80", "0.011"]
    assert other == ["dev", "150", "100.00", "–", "40", "7", "5", "1235", "1.80", "0.011"]


def test_the_rate_is_named_after_what_was_counted() -> None:
    assert "PER %" in printed(result(metric="per"))[0]


def test_the_search_stands_below_once_or_for_each_split() -> None:
    greedy = {"_target_": "lasasr.search.greedy.GreedySearch"}
    beam = {"_target_": "lasasr.search.beam.BeamSearch", "beam": 4}
    assert printed(result(search=beam), result(split="dev", search=beam))[-1] == ["search: beam beam=4"]
    assert printed(result(search=beam), result(split="dev", search=greedy))[-1] == [
        "search: test: beam beam=4; dev: greedy"
    ]


def test_below_settings_stands_what_their_searches_share() -> None:
    searches = [{"_target_": "lasasr.search.beam.BeamSearch", "beam": beam, "ctc_weight": 0.3} for beam in (4, 8)]
    console = Console(width=200)
    with console.capture() as captured:
        console.print(
            evaluation_table([result(search=search) for search in searches], ["search.beam=4", "search.beam=8"])
        )
    assert captured.get().splitlines()[-1].strip() == "search, beside the setting: beam ctc_weight=0.3"


@pytest.mark.parametrize(
    ("method", "speakers", "words"),
    [
        ("95% percentile bootstrap over speakers, 10000 resamples, seed 0", 4, "of the WER, over 4 speakers"),
        ("95% percentile bootstrap over utterances, 10000 resamples, seed 0", None, "of the WER, over utterances"),
        ("95% percentile bootstrap over utterances, 10000 resamples, seed 0", 6, "over utterances of 6 speakers"),
        ("95% percentile bootstrap over utterances, 10000 resamples, seed 0", 1, "over utterances of one speaker"),
        ("none: one of utterances shows no spread", 1, "none: one of utterances shows no spread"),
    ],
)
def test_below_stands_what_the_intervals_are_over(method: str, speakers: int | None, words: str) -> None:
    (line,) = printed(result(ci_method=method, speakers=speakers))[-1]
    assert line.startswith("95 % int.: of the WER, ")
    assert line.endswith(words)


def test_intervals_of_splits_that_differ_are_named_for_each() -> None:
    methods = [
        f"95% percentile bootstrap over {units}, 10000 resamples, seed 0" for units in ("speakers", "utterances")
    ]
    rows = [result(ci_method=methods[0], speakers=4), result(split="dev", ci_method=methods[1], speakers=1)]
    below = " ".join(words for line in printed(*rows)[3:] for words in line)
    assert below == "95 % int.: of the WER, test: over 4 speakers; dev: over utterances of one speaker"


def test_it_fits_a_terminal_of_80_columns() -> None:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(evaluation_table([result(split="test-other", reference_length=52343)]))
    assert len(captured.get().splitlines()) == 2
    assert "…" not in captured.get()


def test_a_long_setting_breaks_and_takes_nothing_from_the_numbers() -> None:
    setting = "search=beam_ctc search.lm=runs/lm/synthetic_char/default-s1-83ded449 search.lm_weight=0.25"
    console = Console(width=80)
    with console.capture() as captured:
        console.print(evaluation_table([result(split="test-other")], [setting]))
    text = captured.get()
    assert "…" not in text
    assert "3.60 to 4.90" in text
    first = text.splitlines()[1:]
    pieces = [line.split("  ")[0].strip() for line in first]
    assert "".join(pieces).replace(" ", "") == setting.replace(" ", "")


def test_no_results_make_an_empty_table() -> None:
    assert evaluation_table([]).row_count == 0


def test_a_missing_field_is_named() -> None:
    old = result()
    del old["rtf"]
    with pytest.raises(LasasrError, match="'test' lack 'rtf'"):
        evaluation_table([old])
