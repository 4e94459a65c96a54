"""Which searches are the same: language models count by their content, wherever they lie."""

from dataclasses import replace
from pathlib import Path

import pytest
from comparison_runs import SEARCH, write_run

from lasasr.comparison.comparable import refuse
from lasasr.comparison.entries import DecodedRun, find
from lasasr.errors import LasasrError


def decoded(folder: Path, path: str, content: str | None) -> DecodedRun:
    """A run whose search has a language model at a path."""
    run = find([write_run(folder).folder]).runs[0]
    models = {} if content is None else {"search_models": {"lm": content}}
    return replace(run, summary={**run.summary, "search": {**SEARCH, "lm": path, "lm_weight": 0.3}, **models})


@pytest.mark.parametrize("first", [("a/lm", "sha256 1"), ("a/lm", None)])
@pytest.mark.parametrize("second", [("a/lm", "sha256 1"), ("a/lm", "sha256 2"), ("b/lm", "sha256 1"), ("b/lm", None)])
def test_language_models_by_content_where_it_is_known_else_by_path(
    first: tuple[str, str | None], second: tuple[str, str | None], tmp_path: Path
) -> None:
    known = first[1] is not None and second[1] is not None
    same = first[1] == second[1] if known else first[0] == second[0]
    runs = [decoded(tmp_path / str(number), *one) for number, one in enumerate((first, second))]
    if same:
        assert refuse(runs) == []
        return
    told = "lm: sha256 1 / sha256 2" if known else "lm: a/lm / b/lm"
    with pytest.raises(LasasrError, match=f"decoded by different searches \\({told}\\)"):
        refuse(runs)
    assert refuse(runs, any_search=True) == [f"decoded by different searches: {told}"]
