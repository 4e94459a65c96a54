"""Texts of other toolkits in a comparison: the same numbers whatever the format, and refused where they differ."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import line, write_run
from text_files import (
    recognised,
    references,
    write_csv,
    write_espnet,
    write_kaldi,
    write_manifest,
    write_speechbrain,
    write_trn,
)

from lasasr.comparison.details import details
from lasasr.comparison.document import document
from lasasr.comparison.entries import RunSelection, find
from lasasr.comparison.pairs import NO_SPEAKERS
from lasasr.comparison.reference_set import Scoring
from lasasr.comparison.texts import NamedTexts, text_comparison
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.error_rates import compare, pooled
from lasasr.metrics.significance.verdict import Rules
from lasasr.text.normalizers import normalizer
from lasasr.transcripts.formats import read

FAST = Rules(resamples=200)
PLAIN = Scoring("wer", normalizer("none"), False)
ENGLISH = Scoring("wer", normalizer("english"), True)
REFERENCES = references()
SPEAKERS = {key: key[:2] for key in REFERENCES}


def by_prefix(key: str) -> str:
    return key[:2]


def compared(named: dict[str, list[Path]], reference: Path | None = None, **options: Any) -> dict[str, Any]:
    """comparison.json of these files."""
    systems = [NamedTexts(name, tuple(map(read, paths))) for name, paths in named.items()]
    selection, grouped, notes, _ = text_comparison(
        None if reference is None else read(reference),
        systems,
        options.get("runs"),
        options.get("scoring", PLAIN),
        options.get("rule", by_prefix),
        options.get("table"),
    )
    return document(selection, grouped, notes, None, FAST)


def of_format(root: Path, kind: str, texts: dict[str, str]) -> Path:
    writers: dict[str, Callable[[], Path]] = {
        "trn": lambda: write_trn(root / "hyp.trn", texts),
        "kaldi": lambda: write_kaldi(root / "hyp", texts),
        "espnet": lambda: write_espnet(root / "espnet", REFERENCES, texts, SPEAKERS),
        "speechbrain": lambda: write_speechbrain(root / "wer.txt", REFERENCES, texts),
        "nemo": lambda: write_manifest(root / "nemo.json", REFERENCES, texts),
        "csv": lambda: write_csv(root / "hyp.csv", REFERENCES, texts),
    }
    return writers[kind]()


@pytest.mark.parametrize("kind", ["trn", "kaldi", "espnet", "speechbrain", "nemo", "csv"])
def test_every_format_gives_the_pooled_rate(tmp_path: Path, kind: str) -> None:
    texts = recognised(REFERENCES, 0.2, 1)
    expected = pooled(compare(reference, texts[key], "wer") for key, reference in REFERENCES.items())
    characters = pooled(compare(reference, texts[key], "cer") for key, reference in REFERENCES.items())
    reference = write_trn(tmp_path / "ref.trn", REFERENCES)
    (system,) = compared({"x": [of_format(tmp_path, kind, texts)]}, reference)["systems"]
    assert system["percent"] == expected.percent
    assert system["cer_percent"] == characters.percent
    assert (system["substitutions"], system["deletions"], system["insertions"]) == (
        expected.substitutions,
        expected.deletions,
        expected.insertions,
    )


def test_texts_are_compared_as_runs_of_the_same_texts_are(tmp_path: Path) -> None:
    """The second truth: the same utterances as run folders, through the path that existed before."""
    runs, named = [], {}
    for system, rate in (("dot", 0.1), ("additive", 0.3)):
        named[system] = []
        for seed in (1, 2, 3, 4):
            texts = recognised(REFERENCES, rate, seed)
            named[system].append(write_trn(tmp_path / f"{system}{seed}.trn", texts))
            lines = [line(key, key[:2], reference, texts[key]) for key, reference in REFERENCES.items()]
            runs.append(write_run(tmp_path / "runs", system, seed, result_lines=lines).folder)
    from lasasr.comparison.grouping import groups

    selection = find(runs)
    expected = document(selection, *groups(selection), None, FAST)
    actual = compared(named, write_trn(tmp_path / "ref.trn", REFERENCES))
    names = ("points", "verdict", "why", "systems", "runs", "tests", "relative_interval")
    for theirs, ours in zip(expected["pairs"], actual["pairs"], strict=True):
        assert {name: ours[name] for name in names} == {name: theirs[name] for name in names}
    for theirs, ours in zip(expected["systems"], actual["systems"], strict=True):
        assert ours["percents"] == theirs["percents"]
        assert ours["intervals"] == theirs["intervals"]


def test_runs_stand_beside_texts_and_bring_references_and_speakers(tmp_path: Path) -> None:
    texts = recognised(REFERENCES, 0.1, 1)
    lines = [line(key, key[:2], reference, texts[key]) for key, reference in REFERENCES.items()]
    selection = find([write_run(tmp_path, "dot", 1, result_lines=lines).folder])
    other = write_kaldi(tmp_path / "hyp", recognised(REFERENCES, 0.3, 1))
    comparison = compared({"kaldi": [other]}, runs=selection, rule=None)
    assert [system["name"] for system in comparison["systems"]] == ["kaldi", "attend=dot"]
    assert comparison["speakers"] == 8
    assert comparison["settings"] == []
    assert NO_SPEAKERS not in comparison["notes"]
    assert comparison["systems"][1]["percent"] == selection.runs[0].summary["percent"]


def test_raw_and_normalised_rates(tmp_path: Path) -> None:
    reference = write_trn(tmp_path / "ref.trn", {"a": "Hello, World!", "b": "Good day"})
    hypothesis = write_trn(tmp_path / "hyp.trn", {"a": "hello world", "b": "good night"})
    comparison = compared({"x": [hypothesis]}, reference, scoring=ENGLISH)
    (system,) = comparison["systems"]
    assert (system["percent"], system["raw_percent"]) == (25.0, 100.0)
    assert comparison["normalizer"] == "english/1"
    (system,) = compared({"x": [hypothesis]}, reference)["systems"]
    assert (system["percent"], system["raw_percent"]) == (100.0, None)


def test_unknown_speakers_are_said(tmp_path: Path) -> None:
    reference = write_trn(tmp_path / "ref.trn", REFERENCES)
    hypothesis = write_trn(tmp_path / "hyp.trn", recognised(REFERENCES, 0.2, 1))
    comparison = compared({"x": [hypothesis]}, reference, rule=None)
    assert comparison["notes"] == [NO_SPEAKERS]
    assert comparison["speakers"] == len(REFERENCES)
    table = ("utt2spk", dict.fromkeys(list(REFERENCES)[1:], "s"))
    with pytest.raises(LasasrError, match=r"utt2spk does not say the speaker of 1 of 48 utterances \(s0-u0"):
        compared({"x": [hypothesis]}, reference, rule=None, table=table)


def test_seeds_that_may_be_copies_are_named(tmp_path: Path) -> None:
    reference = write_trn(tmp_path / "ref.trn", REFERENCES)
    seeds = [write_trn(tmp_path / f"{number}.trn", recognised(REFERENCES, 0.2, number)) for number in (1, 2)]
    copy = write_trn(tmp_path / "copy.trn", recognised(REFERENCES, 0.2, 1))
    right = [write_trn(tmp_path / f"right{number}.trn", REFERENCES) for number in (1, 2)]
    notes = compared({"x": [*seeds, copy], "right": right}, reference, rule=by_prefix)["notes"]
    (note,) = [note for note in notes if "same hypotheses" in note]
    assert note.startswith("seeds of x have the same hypotheses (1 and 3): if they are copies")


def test_other_utterances_and_missing_ones_are_refused(tmp_path: Path) -> None:
    reference = write_trn(tmp_path / "ref.trn", REFERENCES)
    texts = recognised(REFERENCES, 0.2, 1)
    more = write_trn(tmp_path / "more.trn", {**texts, "extra": "x"})
    with pytest.raises(LasasrError, match=r"more.trn has 1 of 49 utterances that .*ref.trn has not \(extra"):
        compared({"x": [more]}, reference)
    fewer = write_trn(tmp_path / "fewer.trn", {key: text for key, text in texts.items() if key != "s3-u2"})
    with pytest.raises(LasasrError, match=r"fewer.trn lacks 1 of the 48 utterances .*s3-u2.*--missing deletions"):
        compared({"x": [fewer]}, reference)
    counted = compared({"x": [fewer]}, reference, scoring=Scoring("wer", normalizer("none"), False, True))
    expected = pooled(compare(text, "" if key == "s3-u2" else texts[key], "wer") for key, text in REFERENCES.items())
    assert counted["systems"][0]["percent"] == expected.percent
    assert counted["notes"] == ["utterances of x without a hypothesis count as deletions: 1 of seed 1"]


def test_other_references_are_refused_unless_the_normalizer_makes_them_the_same(tmp_path: Path) -> None:
    texts = recognised(REFERENCES, 0.2, 1)
    upper = {key: text.upper() for key, text in REFERENCES.items()}
    reference = write_trn(tmp_path / "ref.trn", upper)
    own = write_manifest(tmp_path / "own.json", REFERENCES, texts)
    with pytest.raises(LasasrError, match=r"another reference than .*ref.trn for utterance s0-u0.*--normalizer"):
        compared({"x": [own]}, reference)
    assert compared({"x": [own]}, reference, scoring=ENGLISH)["systems"][0]["percent"] < 30.0


def test_no_references_and_two_systems_of_one_name_are_refused(tmp_path: Path) -> None:
    hypothesis = write_trn(tmp_path / "hyp.trn", REFERENCES)
    with pytest.raises(UsageError, match="none of these files holds references; --reference"):
        compared({"x": [hypothesis]})
    run = write_run(tmp_path, result_lines=[line(key, key[:2], text, text) for key, text in REFERENCES.items()])
    with pytest.raises(UsageError, match="two systems are called attend=dot"):
        compared({"attend=dot": [hypothesis]}, runs=find([run.folder]))


def test_the_page_has_what_texts_have(tmp_path: Path) -> None:
    from lasasr.report.page import page

    systems = {
        name: [write_trn(tmp_path / f"{name}.trn", recognised(REFERENCES, rate, 1))]
        for name, rate in (("a", 0.1), ("b", 0.3))
    }
    reference = read(write_trn(tmp_path / "ref.trn", REFERENCES))
    named = [NamedTexts(name, tuple(map(read, paths))) for name, paths in systems.items()]
    selection, grouped, notes, _ = text_comparison(reference, named, None, PLAIN, by_prefix)
    assert isinstance(selection, RunSelection)
    parts = details(grouped)
    assert [part["title"] for part in parts["breakdowns"]] == ["reference length", "speaker"]
    assert "Where the errors are" in page(document(selection, grouped, notes, None, FAST), parts, {}, [])
