"""A run's own results stay its own: what another search or other data gave has a name beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import SEARCH, lines, summary, write_run
from loaded import recognition

from lasasr.artifacts import results
from lasasr.artifacts.result_names import ResultName
from lasasr.artifacts.run_results import Decoding, RunResults
from lasasr.artifacts.runs import Run
from lasasr.artifacts.search_identity import model_contents, search_identity
from lasasr.artifacts.utterance_files import earlier_plot_name
from lasasr.errors import LasasrError

GREEDY = {"_target_": "lasasr.search.greedy.GreedySearch"}
DATA = "0" * 16


def references(seed: int = 1) -> dict[str, str]:
    return {line["id"]: line["reference"] for line in lines(0.2, seed)}


def own_run(tmp_path: Path, data: str | None = DATA, search: dict[str, Any] = SEARCH) -> Run:
    """A run whose own result says what this version says; without `data` what 0.1.0 did."""
    fields = {} if data is None else {"data": data, "search_models": model_contents(search)}
    return write_run(tmp_path, summary_fields={"search": search, **fields}, search=search)


def decoding(run: Run, search: dict[str, Any], **changes: Any) -> Decoding:
    return Decoding(recognition(**{**run.config(), "search": search, **changes}))


def name(run: Run, search: dict[str, Any], data: str = DATA, **changes: Any) -> ResultName:
    return RunResults(run).name("test", decoding(run, search, **changes), data, references)


def store(run: Run, search: dict[str, Any], data: str = DATA) -> ResultName:
    """As an evaluation does it."""
    result_name = name(run, search, data)
    utterances = lines(0.3, 1)
    fields = summary(utterances, search=search, data=data, search_models=model_contents(search))
    results.write(run.results, "test", fields, utterances, str(result_name))
    return result_name


def content(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.results.iterdir()}


def test_another_search_leaves_the_runs_own_as_it_was(tmp_path: Path) -> None:
    run = own_run(tmp_path)
    before = content(run)
    where = store(run, GREEDY)
    assert str(where).startswith("test@greedy-")
    after = content(run)
    assert {key: after[key] for key in before} == before
    assert set(after) - set(before) == {f"{where}.json", f"{where}.jsonl"}
    assert RunResults(run).own("test") == results.StoredResult(run.results, ResultName("test"))
    assert results.splits(run.results) == ["test"]


def test_the_same_search_replaces_its_own_however_it_is_written(tmp_path: Path) -> None:
    run = own_run(tmp_path)
    assert name(run, {**SEARCH, "beam": 10.0, "lm": None, "lm_weight": 0.0}) == ResultName("test")
    first = store(run, {**SEARCH, "beam": 20})
    assert store(run, {"beam": 20.0, **{key: SEARCH[key] for key in SEARCH if key != "beam"}, "nbest": 1}) == first
    assert len(results.list_results(run.results)) == 2


def test_a_result_keeps_its_name_when_its_text_would_be_another(tmp_path: Path) -> None:
    run = own_run(tmp_path)
    first = store(run, GREEDY)
    renamed = ResultName("test", "what_an_older_version_called_it", first.code)
    for ending in (".json", ".jsonl"):
        (run.results / f"{first}{ending}").rename(run.results / f"{renamed}{ending}")
    assert store(run, GREEDY) == renamed


def test_one_number_makes_two_results(tmp_path: Path) -> None:
    run = own_run(tmp_path)
    names = {str(store(run, {**SEARCH, "ctc_weight": weight})) for weight in (0.1, 0.2)}
    assert len(names) == 2
    assert {stem.rpartition("-")[0] for stem in names} == {"test@ctc_weight-0.1", "test@ctc_weight-0.2"}


def test_other_data_are_a_result_of_their_own(tmp_path: Path) -> None:
    run = own_run(tmp_path)
    before = content(run)
    edited, other = store(run, SEARCH, "1" * 16), store(run, SEARCH, "2" * 16)
    assert edited.text == other.text == "data"
    assert edited != other
    assert name(run, GREEDY, "1" * 16).text == "greedy_data"
    assert {key: content(run)[key] for key in before} == before


def test_a_corpus_that_is_another_is_named_by_what_differs(tmp_path: Path) -> None:
    run = own_run(tmp_path)
    text = name(run, SEARCH, "3" * 16, corpus={"test": "/secret/place/x.tsv"}).text
    assert text == "test-x.tsv"


def test_a_run_of_010_knows_its_data_by_utterances_and_references(tmp_path: Path) -> None:
    run = own_run(tmp_path, data=None)
    of_run = RunResults(run)
    assert of_run.name("test", decoding(run, SEARCH), DATA, references) == ResultName("test")
    changed = {**references(), "s0-u0": "said otherwise"}
    for other in (changed, {key: text for key, text in references().items() if key != "s0-u0"}):
        assert of_run.name("test", decoding(run, SEARCH), DATA, lambda other=other: other).text == "data"


@pytest.mark.parametrize(
    "card", [{"results": {"test": {"data": DATA}}}, {"data": {"splits": {"test": {"content": DATA, "utterances": 48}}}}]
)
def test_the_data_of_training_are_the_runs_own_even_where_its_result_is_gone(
    tmp_path: Path, card: dict[str, Any]
) -> None:
    run = own_run(tmp_path)
    run.note(**card)
    shutil.rmtree(run.results)
    assert name(run, SEARCH) == ResultName("test")
    assert name(run, SEARCH, "1" * 16).text == "data"


def overwritten(tmp_path: Path, **fields: Any) -> Run:
    """A run of 0.1.0 whose test.json another evaluation has overwritten."""
    return write_run(tmp_path, summary_fields=fields, facts={"data": {"corpus": "0123456789ab"}})


@pytest.mark.parametrize(
    ("fields", "writer", "label"),
    [
        ({"search": GREEDY}, "search=greedy", "test@greedy-"),
        ({"search": {**SEARCH, "beam": 3}}, "search=beam beam=3", "test@beam-3-"),
        ({"corpus": "ba9876543210"}, "corpus=ba9876543210", "test@data-"),
    ],
)
def test_what_010_overwrote_is_known_and_makes_way(
    tmp_path: Path, fields: dict[str, Any], writer: str, label: str
) -> None:
    run = overwritten(tmp_path, **fields)
    (run.results / "test.txt").write_text("errors")
    plot = run.folder / "plots" / earlier_plot_name("test", "s0-u0")
    plot.parent.mkdir()
    plot.write_bytes(b"png")
    before, of_run = content(run), RunResults(run)
    assert of_run.own("test") is None
    assert f"test.json was written by {writer}; lasasr evaluate {run.folder} decodes it again" in of_run.missing("test")
    moved = of_run.make_way("test")
    assert moved is not None
    assert str(moved.name).startswith(label)
    assert content(run) == {key.replace("test.", f"{moved.name}.", 1): value for key, value in before.items()}
    assert (plot.parent / str(moved.name) / plot.name).read_bytes() == b"png"
    assert moved.read()[0]["split"] == "test"
    assert of_run.make_way("test") is None
    assert name(run, SEARCH) == ResultName("test")


def test_what_is_the_runs_own_does_not_make_way(tmp_path: Path) -> None:
    for run in (own_run(tmp_path / "new"), overwritten(tmp_path / "old")):
        before = content(run)
        assert RunResults(run).make_way("test") is None
        assert content(run) == before


@pytest.mark.parametrize("content_of", [b"", b"{", b'{"schema": 1, "split": "test"}'])
def test_a_damaged_result_is_decoded_again_and_blocks_nothing(tmp_path: Path, content_of: bytes) -> None:
    run = own_run(tmp_path)
    where = store(run, GREEDY)
    for path in (run.results / "test.json", run.results / f"{where}.json"):
        path.write_bytes(content_of)
    RunResults(run).make_way("test")
    assert name(run, GREEDY) == where
    assert name(run, SEARCH) == ResultName("test")


def with_model(tmp_path: Path) -> tuple[Run, dict[str, Any]]:
    """A run whose own search names a language model, a copy of which lies in its bundle."""
    lm = tmp_path / "lm"
    lm.mkdir(parents=True)
    (lm / "model.safetensors").write_bytes(b"before")
    search = {**SEARCH, "lm": str(lm), "lm_weight": 0.3}
    run = own_run(tmp_path, search=search)
    shutil.copytree(lm, run.bundle / "lm-0")
    (run.bundle / "config.yaml").write_text(json.dumps({"schema": 1, "search": {**search, "lm": "lm-0"}}))
    return run, search


def test_a_language_model_that_was_trained_again_makes_another_search(tmp_path: Path) -> None:
    run, search = with_model(tmp_path)
    assert name(run, search) == ResultName("test")
    (tmp_path / "lm" / "model.safetensors").write_bytes(b"after.")
    assert name(run, search).text == "model"
    assert RunResults(run).own("test") is not None


def test_a_language_model_that_was_moved_does_not(tmp_path: Path) -> None:
    run, search = with_model(tmp_path)
    (tmp_path / "lm").rename(tmp_path / "moved")
    assert name(run, {**search, "lm": str(tmp_path / "moved")}) == ResultName("test")
    assert RunResults(run).own("test") is not None


def test_results_are_read_by_text_digits_both_or_id(tmp_path: Path) -> None:
    run = own_run(tmp_path)
    where = store(run, GREEDY)
    for search in ("greedy", where.code, where.label, str(where), search_identity(GREEDY).search_id):
        assert results.read(run.results, "test", search)[0]["search"] == GREEDY
    store(run, GREEDY, "1" * 16)
    with pytest.raises(LasasrError, match=rf"several results of test in .*: .*{where.label}"):
        results.read(run.results, "test", search_identity(GREEDY).search_id)
    with pytest.raises(LasasrError, match=r"no result of test by the search gready; nearest: greedy"):
        results.read(run.results, "test", "gready")


def test_a_split_with_the_sign_in_its_name_is_refused(tmp_path: Path) -> None:
    utterances = lines(0.1, 1)
    with pytest.raises(LasasrError, match="a split has no @ in its name"):
        results.write(tmp_path, "a@b", summary(utterances, split="a@b"), utterances)
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_configuration_has_no_search_owns_its_results(tmp_path: Path) -> None:
    assert RunResults(write_run(tmp_path, search=None)).own("test") is not None
