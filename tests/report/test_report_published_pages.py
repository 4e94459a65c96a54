"""The pages below docs/pages are what their cards make (`make tables` writes them again)."""

from pathlib import Path

import pytest

from lasasr.comparison import card
from lasasr.report.page import page

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "pages").glob("*.html"))


def test_there_are_pages() -> None:
    assert len(PAGES) >= 2


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_is_that_of_its_card(path: Path) -> None:
    corpus, _, name = path.stem.partition("-")
    content = card.read(ROOT / "recipes" / corpus / "results" / f"{name}.json")
    assert path.read_text(encoding="utf-8") == page(content, None, {}, [])
