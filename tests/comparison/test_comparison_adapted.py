"""adapted.json: methods by name, numbers of the runs, and a sentence for each verdict."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import lines, write_run
from rich.console import Console

from lasasr.artifacts.runs import Run
from lasasr.comparison.adapted import DecodedSide, document
from lasasr.comparison.entries import find
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.significance.verdict import Rules
from lasasr.report.adapted_chart import svg
from lasasr.report.adapted_table import adapted_page, adapted_table

FAST = Rules(resamples=100)


def sides(before: Sequence[Run], after: Sequence[Run], name: str | None = None) -> Any:
    """The same runs on test, and on a copy of their results that stands for another test set."""

    def decoded(runs: Sequence[Run]) -> Any:
        return find([run.folder for run in runs])

    return {
        "target": DecodedSide("after:test", decoded(before), {name: decoded(after)}),
        "source": DecodedSide("before:test", decoded(before), {name: decoded(after)}),
    }


def three(root: Path) -> tuple[list[Run], list[Run]]:
    """One recognizer with two seeds, and two methods: one far better, one far worse."""
    before = [write_run(root, "dot", seed, 0.3) for seed in (1, 2)]
    after = [write_run(root, "dot", seed, rate, dim=dim) for dim, rate in ((9, 0.05), (10, 0.7)) for seed in (1, 2)]
    return before, after


def test_methods_are_named_by_what_differs_and_judged_on_both_test_sets(tmp_path: Path) -> None:
    contents = document(sides(*three(tmp_path)), FAST)
    assert json.loads(json.dumps(contents, allow_nan=False)) == contents
    assert [method["name"] for method in contents["methods"]] == ["attend.dim=9", "attend.dim=10"]
    assert [len(method["runs"]) for method in contents["methods"]] == [2, 2]
    better, worse = contents["methods"]
    assert (better["target"]["word"], better["source"]["word"]) == ("gained", "improved")
    assert (worse["target"]["word"], worse["source"]["word"]) == ("lost", "forgot")
    assert better["target"]["before"] == pytest.approx(contents["target"]["before"])
    assert better["target"]["points"] == pytest.approx(better["target"]["after"] - better["target"]["before"])
    assert contents["rules"]["questions"] == 4
    assert better["target"]["sentence"].startswith("gained: WER of after:test ")
    assert "about these trained models on other speakers" in better["target"]["sentence"]


def test_a_run_and_its_copy_show_no_forgetting(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs", rate=0.3)
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    contents = document(sides([run], [Run(copy)]), FAST)
    (method,) = contents["methods"]
    assert method["name"] == "copy"
    assert method["source"]["word"] == "no forgetting shown"
    assert "both make the same errors on every speaker" in method["source"]["sentence"]


def test_a_method_has_the_name_that_it_was_given(tmp_path: Path) -> None:
    before, after = three(tmp_path)
    (method,) = document(sides(before, after[:2], "mine"), FAST)["methods"]
    assert (method["name"], len(method["runs"])) == ("mine", 2)
    with pytest.raises(UsageError, match=r"mine must be one recognizer.*attend.dim=9, attend.dim=10"):
        document(sides(before, after, "mine"), FAST)


def test_a_loss_that_would_have_shown_is_said(tmp_path: Path) -> None:
    before = write_run(tmp_path, result_lines=lines(0.3, 1))
    after = write_run(tmp_path, result_lines=lines(0.301, 2), dim=9, choices={"attend": "dot", "adapt": "lora"})
    contents = document(sides([before], [after]), FAST)
    (method,) = contents["methods"]
    assert method["name"] == "adapt=lora"
    detectable = method["source"]["detectable_points"]
    assert f"a loss of {detectable:.2f} points alone would have shown with 80% power" in method["source"]["sentence"]
    assert f"a gain of {method['target']['detectable_points']:.2f} points" in method["target"]["sentence"]


def test_where_several_methods_are_asked_about_what_one_alone_would_show_is_said(tmp_path: Path) -> None:
    before = write_run(tmp_path, result_lines=lines(0.3, 1))
    methods = [write_run(tmp_path, result_lines=lines(0.301, dim), dim=dim) for dim in (9, 10)]
    contents = document(sides([before], methods), FAST)
    assert contents["rules"]["questions"] == 4
    for method in contents["methods"]:
        target = method["target"]
        assert target["p_holm_alone"] <= target["p_holm"]
        alone = f"({target['p_holm_alone']:.3g} for the two questions of this method alone)"
        assert (alone in target["sentence"]) == (target["p_holm_alone"] != target["p_holm"])
    assert any("of this method alone" in method["target"]["sentence"] for method in contents["methods"])
    (single,) = document(sides([before], methods[:1]), FAST)["methods"]
    assert single["target"]["p_holm_alone"] == single["target"]["p_holm"]
    assert "this method alone" not in single["target"]["sentence"]


def test_runs_that_are_no_before_or_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    dot, additive = write_run(tmp_path, "dot"), write_run(tmp_path, "additive")
    with pytest.raises(UsageError, match=r"BEFORE must be one recognizer.*attend=dot"):
        document(sides([dot, additive], [dot]), FAST)
    other = write_run(tmp_path, "none", summary_fields={"normalizer": "other/1"})
    with pytest.raises(LasasrError, match="cannot be compared: their normalizer"):
        document(sides([dot], [other]), FAST)


def test_table_picture_and_page_hold_every_method_and_run_nothing(tmp_path: Path) -> None:
    before, after = three(tmp_path)
    contents = document(sides(before, after), FAST)
    contents["methods"][0]["name"] = "<script>$x^{</script>"
    console = Console(width=100, record=True, file=(tmp_path / "out").open("w"))
    console.print(adapted_table(contents))
    text = console.export_text()
    assert all(
        word in text
        for word in (
            "gained",
            "forgot",
            "attend.dim=10",
            "after:test",
            "after Holm for 4 questions, two of each method",
        )
    )
    contents["methods"][0]["name"] = "short"
    narrow = Console(width=80, record=True, file=(tmp_path / "narrow").open("w"))
    narrow.print(adapted_table(contents))
    (row,) = (line for line in narrow.export_text().splitlines() if line.startswith("short "))
    assert row.split()[1:3] == ["2", "target"]
    assert row.rstrip().endswith(f") {contents['methods'][0]['target']['word']}")
    contents["methods"][0]["name"] = "<script>$x^{</script>"
    picture = tmp_path / "picture.svg"
    svg(contents, picture)
    drawn = picture.read_text()
    svg(contents, picture)
    assert picture.read_text() == drawn
    assert "attend.dim=10: lost; forgot" in drawn
    page = adapted_page(contents)
    assert "<script" not in page
    assert "attend.dim=10" in page
    assert "<svg" in page
    assert "http-equiv" in page
