"""Figures for print: both formats, the same bytes each time, told apart without colour."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparison_runs import write_run

from lasasr.comparison.details import details
from lasasr.comparison.document import document
from lasasr.comparison.entries import find
from lasasr.comparison.grouping import groups
from lasasr.metrics.significance.verdict import Rules
from lasasr.report.page import page
from lasasr.report.paper_figures import PALETTE, _line_style, draw
from lasasr.report.pictures import picture


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    root = tmp_path_factory.mktemp("runs")
    folders = [
        write_run(root, attend, seed, rate).folder for attend, rate in (("dot", 0.1), ("none", 0.5)) for seed in (1, 2)
    ]
    selection = find(folders)
    systems, notes = groups(selection)
    return document(selection, systems, notes, None, Rules(resamples=200)), details(systems)


def maps() -> dict[str, Any]:
    values = np.random.default_rng(0).random((10, 30))
    drawn = {"image": picture(values, "Blues", 0.0, 1.0), "begin_s": 0.0, "end_s": 1.2, "tokens": 10}
    return {"a/b": {"spectrogram": picture(values, "magma", 0.0, 1.0), "duration_s": 1.2, "maps": {"dot 1": drawn}}}


def test_every_figure_is_written_in_both_formats(compared: tuple[Any, Any], tmp_path: Path) -> None:
    paths = draw(*compared, maps(), tmp_path)
    names = {"differences", "learning-curves", "by-duration", "by-reference-length", "by-speaker", "alignment-a-b"}
    assert {path.name for path in paths} == {f"{name}.{kind}" for name in names for kind in ("svg", "pdf")}
    for path in paths:
        assert path.read_bytes().startswith(b"<?xml" if path.suffix == ".svg" else b"%PDF")
    assert "dot − none" in (tmp_path / "differences.svg").read_text()  # text stays text


def test_equal_comparisons_give_equal_files(compared: tuple[Any, Any], tmp_path: Path) -> None:
    for first, second in zip(draw(*compared, {}, tmp_path / "a"), draw(*compared, {}, tmp_path / "b"), strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_a_card_gives_the_differences(compared: tuple[Any, Any], tmp_path: Path) -> None:
    assert [path.name for path in draw(compared[0], None, {}, tmp_path)] == ["differences.svg", "differences.pdf"]


def test_systems_are_told_apart_in_grey() -> None:
    shapes = {(style["linestyle"], style["marker"]) for style in map(_line_style, range(28))}
    assert len(shapes) == 28
    assert len(set(PALETTE)) == 8


def test_a_page_from_a_card_has_what_the_card_holds(compared: tuple[Any, Any]) -> None:
    from lasasr.comparison.card import card

    text = page(card(compared[0]), None, {}, [])
    assert "made from the card of a published table" in text
    assert 'id="differences"' in text
    for absent in ("curves", "parts", "pairs", "utterances", "configuration"):
        assert f'<section id="{absent}"' not in text
        assert f'href="#{absent}"' not in text
