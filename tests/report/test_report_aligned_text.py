import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasasr.metrics.error_rates import compare
from lasasr.report.aligned_text import aligned_text

words = st.lists(st.sampled_from(["a", "on", "the", "cats"]), max_size=9).map(" ".join)


def test_it_reads_like_sclite() -> None:
    assert aligned_text("the cat sat on a mat", "a cat on a mat now", "wer") == (
        "REF: THE cat SAT on a mat ***\n"  #
        "HYP: A   cat *** on a mat NOW"
    )


@pytest.mark.parametrize("metric", ["wer", "cer"])
@given(reference=words, hypothesis=words, width=st.sampled_from([None, 0, 12, 30]))
def test_columns_show_both_texts_and_every_error(
    metric: str, reference: str, hypothesis: str, width: int | None
) -> None:
    blocks = [block.split("\n") for block in aligned_text(reference, hypothesis, metric, width).split("\n\n")]
    assert all(block[0].startswith("REF:") and block[1].startswith("HYP:") for block in blocks)
    upper, lower = (" ".join(block[side][5:] for block in blocks).split() for side in (0, 1))
    gap = set("*")
    for shown, text in ((upper, reference), (lower, hypothesis)):
        kept = [unit for unit in shown if set(unit) != gap]
        expected = text.split() if metric == "wer" else list(text.replace(" ", "_"))
        assert [unit.lower() for unit in kept] == expected
    errors = compare(reference, hypothesis, metric)
    assert sum(set(unit) == gap for unit in lower) == errors.deletions
    assert sum(set(unit) == gap for unit in upper) == errors.insertions
    if width:
        assert all(len(line) <= max(width, 9) for block in blocks for line in block)


def test_empty_reference_and_empty_hypothesis() -> None:
    assert aligned_text("", "") == "REF:\nHYP:"
    assert aligned_text("", "ho ho") == "REF: ** **\nHYP: HO HO"
