"""What is compared with what, and what is refused."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jiwer
import pytest
from comparison_runs import line, lines, write_run, write_sweep

from lasasr.artifacts import runs
from lasasr.comparison.document import document
from lasasr.comparison.entries import find
from lasasr.comparison.grouping import groups
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.significance.verdict import Rules
from lasasr.report.comparison_markdown import comparison_markdown

FAST = Rules(resamples=200)


def verdicts(*paths: Path) -> list[str]:
    selection = find(paths)
    systems, notes = groups(selection)
    return [pair["verdict_of_runs"] for pair in document(selection, systems, notes, None, FAST)["pairs"]]


def test_a_run_and_itself_do_not_differ(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    assert verdicts(run.folder, run.folder) == ["no difference shown"]


def test_a_run_and_its_copy_do_not_differ(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    shutil.copytree(run.folder, tmp_path / "copy")
    selection = find([run.folder, tmp_path / "copy"])
    systems, notes = groups(selection)
    assert [system.name for system in systems] == [run.folder.name, "copy"]
    assert "copies of one run" in notes[0]
    comparison = document(selection, systems, notes, None, FAST)
    assert comparison["pairs"][0]["points"] == 0.0
    assert "all have WER" in comparison["verdict"][0]


def test_sweeps_that_overlap_name_their_runs_once(tmp_path: Path) -> None:
    planned = [write_run(tmp_path, seed=seed) for seed in (1, 2, 3)]
    write_run(tmp_path, seed=4).note(status="unfinished")
    sweeps = [write_sweep(tmp_path / name, planned[part]) for name, part in (("a", slice(2)), ("b", slice(3)))]
    selection = find([*sweeps, planned[0].folder])
    assert [run.seed for run in selection.runs] == ["1", "2", "3"]
    with pytest.raises(UsageError, match="given twice"):
        groups(find([planned[0].folder, planned[1].folder, planned[0].folder]))


def test_another_seed_is_the_same_system(tmp_path: Path) -> None:
    paths = [write_run(tmp_path, seed=seed).folder for seed in (1, 2)]
    selection = find(paths)
    systems, notes = groups(selection)
    comparison = document(selection, systems, notes, None, FAST)
    assert [system.name for system in systems] == ["attend=dot"]
    assert comparison["pairs"] == []
    (system,) = comparison["systems"]
    low, high = (system["intervals"]["mixed"][end] for end in ("low", "high"))
    assert low < min(system["percents"].values()) < system["percent"] < max(system["percents"].values()) < high
    assert "mean of 2 seeds" in comparison["verdict"][0]


def test_other_utterances_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    other_run = write_run(tmp_path, "additive", result_lines=lines(0.2, 1, speakers=9))
    with pytest.raises(LasasrError, match=r"not decoded on the same utterances: 6 are in one only \(s8-u0"):
        groups(find([run.folder, other_run.folder]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "something else"}, "the reference of utterance s0-u0"),
        ({"speaker": "another"}, "the speaker of utterance s0-u0"),
        ({"duration_s": 99.0}, "the duration_s of utterance s0-u0"),
    ],
)
def test_the_same_ids_with_another_content_are_refused(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    run = write_run(tmp_path)
    result_lines = lines(0.2, 1)
    changed_line = {
        **line(
            result_lines[0]["id"],
            result_lines[0]["speaker"],
            changes.get("reference", result_lines[0]["reference"]),
            "x",
        ),
        **changes,
    }
    other_run = write_run(tmp_path, "additive", result_lines=[changed_line, *result_lines[1:]])
    with pytest.raises(LasasrError, match=message):
        groups(find([run.folder, other_run.folder]))


@pytest.mark.parametrize(
    ("summary_fields", "message"),
    [
        ({"normalizer": "english/2"}, "their normalizer is english/1 and english/2"),
        ({"metric": "cer"}, "damaged"),
        ({"search": {"beam": 3}}, "different searches .*--any-search"),
        ({"corpus": "ba9876543210"}, "corpora are configured differently .*--any-corpus"),
    ],
)
def test_what_was_decoded_otherwise_is_refused(tmp_path: Path, summary_fields: dict[str, str], message: str) -> None:
    own = (
        {"search": summary_fields["search"]} if "search" in summary_fields else {}
    )  # its own search, or the result were not its own
    run, other_run = write_run(tmp_path), write_run(tmp_path, "additive", summary_fields=summary_fields, **own)
    with pytest.raises(LasasrError, match=message):
        groups(find([run.folder, other_run.folder]))


@pytest.mark.parametrize(
    ("data", "refused"),
    [(("a" * 16, "a" * 16), None), (("a" * 16, "b" * 16), "recordings differ"), (("a" * 16, None), "corpora are")],
)
def test_data_are_compared_by_what_they_hold_where_both_results_say_it(
    tmp_path: Path, data: tuple[str, str | None], refused: str | None
) -> None:
    """Moved tables have another fingerprint of the configured corpus and the same content."""
    runs = []
    for index, (attend, content) in enumerate(zip(("dot", "additive"), data, strict=True)):
        summary_fields = {"corpus": f"{index}" * 12} | ({} if content is None else {"data": content})
        runs.append(write_run(tmp_path, attend, summary_fields=summary_fields))
    selection = find([run.folder for run in runs])
    if refused is None:
        assert groups(selection)[1] == []
        return
    with pytest.raises(LasasrError, match=f"the runs' {refused} .*--any-corpus compares them so"):
        groups(selection)
    assert any(refused in note for note in groups(selection, any_corpus=True)[1])


def test_differences_that_are_allowed_are_noted(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    summary_fields: dict[str, Any] = {"search": {"beam": 3}, "corpus": "ba9876543210"}
    other_run = write_run(tmp_path, "additive", summary_fields=summary_fields, search=summary_fields["search"])
    selection = find([run.folder, other_run.folder])
    systems, notes = groups(selection, any_search=True, any_corpus=True)
    verdict = document(selection, systems, notes, None, FAST)["verdict"]
    assert any("decoded by different searches" in sentence and "beam: 10 / 3" in sentence for sentence in verdict)
    assert any("ba9876543210" in sentence for sentence in verdict)


def test_a_seed_given_twice_is_refused(tmp_path: Path) -> None:
    first, second = write_run(tmp_path), write_run(tmp_path, seed=2)
    with pytest.raises(UsageError, match="seed 1 of one configuration is given twice"):
        groups(find([first.folder, second.folder, first.folder]))


def test_nothing_depends_on_the_order_in_which_seeds_are_given(tmp_path: Path) -> None:
    """As a shell lists folders, seed 10 comes before seed 2."""
    folders = [write_run(tmp_path, attend, seed).folder for attend in ("dot", "additive") for seed in (1, 10, 2)]
    documents = []
    for order in ((0, 1, 2, 3, 4, 5), (0, 2, 1, 3, 5, 4), (1, 2, 0, 5, 4, 3)):
        selection = find([folders[index] for index in order])
        documents.append(document(selection, *groups(selection), None, FAST) | {"made_at": "", "command": ""})
    assert documents[0] == documents[1] == documents[2]
    assert [system["seeds"] for system in documents[0]["systems"]] == [["1", "2", "10"]] * 2
    assert [run["seed"] for run in documents[0]["systems"][0]["runs"]] == ["1", "2", "10"]
    assert "; seeds 1, 2, 10; commit" in comparison_markdown(documents[0])


def test_a_cut_or_edited_evaluation_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    path = run.results / "test.jsonl"
    json_lines = path.read_text().splitlines()
    path.write_text("\n".join(json_lines[:-1]) + "\n")
    with pytest.raises(LasasrError, match="is damaged"):
        find([run.folder])
    edited = [json.loads(json_line) for json_line in json_lines]
    edited[0]["hypothesis"] += " and five words more here"
    path.write_text("\n".join(map(json.dumps, edited)) + "\n")
    with pytest.raises(LasasrError, match="the counts of s0-u0 are not those of its texts"):
        find([run.folder])


def test_a_character_error_rate_that_is_not_that_of_the_texts_is_refused(tmp_path: Path) -> None:
    """A wrong word in the place of another: as many words are wrong, but not as many characters."""
    run = write_run(tmp_path)
    (stored,) = find([run.folder]).runs
    path = run.results / "test.jsonl"
    path.write_text(path.read_text().replace("wrong", "wronger"))
    edited = [json.loads(json_line) for json_line in path.read_text().splitlines()]
    theirs = 100.0 * jiwer.cer([one["reference"] for one in edited], [one["hypothesis"] for one in edited])
    before, summary_path = stored.summary["cer_percent"], path.with_suffix(".json")
    with pytest.raises(LasasrError) as caught:
        find([run.folder])
    (said,) = re.findall(
        rf"test\.json is damaged: cer_percent is {before}, but its texts make (\S+);", str(caught.value)
    )
    assert float(said) == pytest.approx(theirs)
    for accepted in (theirs, None):  # 0.1.0 may not say it
        summary_path.write_text(json.dumps(json.loads(summary_path.read_text()) | {"cer_percent": accepted}))
        (read,) = find([run.folder]).runs
        assert read.summary["cer_percent"] == accepted


def test_a_sweep_names_what_has_no_result(tmp_path: Path) -> None:
    done = write_run(tmp_path, seed=1)
    stopped, broken = write_run(tmp_path, seed=2), write_run(tmp_path, seed=3)
    stopped.note(status="unfinished", diverged=None)
    broken.note(status="unfinished", diverged="the loss is not finite at step 7")
    sweep = write_sweep(tmp_path, [done, stopped, broken, runs.Run(tmp_path / "synthetic" / "las_char" / "later")])
    selection = find([sweep])
    systems, notes = groups(selection)
    comparison = document(selection, systems, notes, None, FAST)
    assert [
        (missing_run["status"], missing_run["seed"], missing_run["system"]) for missing_run in comparison["missing"]
    ] == [
        ("unfinished", "2", "attend=dot"),
        ("diverged", "3", "attend=dot"),
        ("not begun", None, None),
    ]
    assert comparison["systems"][0]["diverged"] == ["3"] == comparison["systems"][0]["lost"]
    assert "3 runs without a result" in " ".join(comparison["verdict"])


def test_nothing_finished_is_said(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    run.note(status="unfinished")
    with pytest.raises(LasasrError, match=r"nothing to compare yet: .* is unfinished"):
        find([run.folder])


def test_result_files_alone_can_be_compared(tmp_path: Path) -> None:
    for name, attend in (("a", "dot"), ("b", "additive")):
        run = write_run(tmp_path / "runs", attend, rate=0.1 if name == "a" else 0.4)
        shutil.copytree(run.results, tmp_path / name)
    systems, _ = groups(find([tmp_path / "a" / "test.json", tmp_path / "b" / "test.json"]))
    assert [system.name for system in systems] == ["attend=dot", "attend=additive"]


def test_the_split_is_the_common_one_or_has_to_be_chosen(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    for name in ("dev", "dev-other"):
        shutil.copy(run.results / "test.jsonl", run.results / f"{name}.jsonl")
        of_test = (run.results / "test.json").read_text()
        (run.results / f"{name}.json").write_text(of_test.replace('"split": "test"', f'"split": "{name}"'))
    assert find([run.folder]).split == "test"
    assert find([run.folder], "dev").split == "dev"
    for ending in ("json", "jsonl"):
        (run.results / f"test.{ending}").unlink()
    with pytest.raises(UsageError, match="results of dev, dev-other: choose by --split"):
        find([run.folder])


@pytest.mark.parametrize(
    ("target", "alignment", "warned"),
    [
        ("lasasr.listen.conformer.ConformerEncoder", {"correlation": 0.9}, True),
        ("lasasr.listen.transformer.TransformerEncoder", {"correlation": 0.9}, True),
        ("lasasr.listen.conformer.ConformerEncoder", None, False),
        ("lasasr.listen.conformer_blstm.ConformerBLSTMEncoder", {"correlation": 0.9}, False),
        ("lasasr.listen.blstm.BLSTMEncoder", {"correlation": 0.9}, False),
    ],
)
def test_alignment_on_a_self_attentive_encoder_has_a_note(
    tmp_path: Path, target: str, alignment: dict[str, float] | None, warned: bool
) -> None:
    listen = {"_target_": target, "hidden_dim": 8}
    paths = [
        write_run(tmp_path, attend=attend, listen=listen, summary_fields={"alignment": alignment}).folder
        for attend in ("dot", "location")
    ]
    _, notes = groups(find(paths))
    assert [note.startswith("the encoder of attend=dot, attend=location is self-attentive") for note in notes] == (
        [True] if warned else []
    )


FALLING = [{"step": 1, "wer": 100.0}, {"step": 2, "wer": 99.0}]


@pytest.mark.parametrize(
    ("validations", "young"),
    [
        (FALLING, True),
        (FALLING[1:], True),  # no trend to see: it has hardly begun
        ([*FALLING, {"step": 3, "wer": 100.0}], False),
        ([*FALLING, {"step": 3, "wer": 99.0}], False),  # no lower than before
        ([{"step": step, "wer": 100.0, "loss": 5.0 - step} for step in (1, 2)], True),
        ([{"step": step, "wer": 100.0, "loss": 5.0 + step} for step in (1, 2)], False),
        ([{"step": step, "wer": 100.0} for step in (1, 2)], False),
        (
            [{"step": 1, "wer": 100.0, "loss": 5.0}, {"step": 2, "wer": 100.0, "loss": 4.0}, {"step": 3, "wer": 100.0}],
            False,
        ),
        # babble: above 100 % a rate shows no trend, so the loss tells
        ([{"step": step, "wer": wer, "loss": 5.0 - step} for step, wer in enumerate((100.0, 140.0, 120.0))], True),
        ([{"step": step, "wer": wer, "loss": 5.0 + step} for step, wer in enumerate((140.0, 120.0, 110.0))], False),
        ([], False),
    ],
)
def test_a_poor_run_that_was_still_learning_is_young(
    validations: list[dict[str, float]], young: bool, tmp_path: Path
) -> None:
    fine, poor = write_run(tmp_path, seed=1), write_run(tmp_path, seed=2, rate=1.0, facts={"validations": validations})
    selection = find([fine.folder, poor.folder])
    systems, notes = groups(selection)
    comparison = document(selection, systems, notes, None, FAST)
    (system,) = comparison["systems"]
    assert (system["young"], system["diverged"]) == ((["2"], []) if young else ([], ["2"]))
    words = " ".join(comparison["verdict"])
    assert ("Young" in words, "Diverged" in words) == (young, not young)


@pytest.mark.parametrize("unknown", [0, 1, 7, 48])
def test_speakers_that_are_known_of_some_utterances_only_are_said(unknown: int, tmp_path: Path) -> None:
    made = [line | ({"speaker": None} if number < unknown else {}) for number, line in enumerate(lines(0.2, 1))]
    paths = [write_run(tmp_path, attend, result_lines=made).folder for attend in ("dot", "none")]
    selection = find(paths)
    notes = [note for note in groups(selection)[1] if note.startswith("the speaker of")]
    assert len(notes) == (0 < unknown < len(made))
    assert all(f"the speaker of {unknown} of the 48 utterances is not known" in note for note in notes)


def test_two_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    run = write_run(tmp_path / "here", "dot").folder
    copy = shutil.copytree(run, tmp_path / "there" / run.name)
    other = write_run(tmp_path / "here", "none").folder
    with pytest.raises(UsageError) as refused:
        groups(find([run, copy, other]))
    assert f"({run} and {copy}); give each run once" in str(refused.value)
    with pytest.raises(UsageError) as refused:
        groups(find([run, run, other]))
    assert f"({run}); give each run once" in str(refused.value)


@pytest.mark.parametrize("keys", [1, 9])
def test_where_names_are_cut_the_way_to_better_ones_is_said(keys: int, tmp_path: Path) -> None:
    other = {"listen": {f"layers{number}": number for number in range(3, 3 + keys)}}
    selection = find([write_run(tmp_path).folder, write_run(tmp_path, **other).folder])
    systems, notes = groups(selection)
    cut = any(len(system.name) == 60 and system.name.endswith("…") for system in systems)
    assert cut == (keys > 1)
    assert any("NAME=RUN,RUN gives a system a name" in note for note in notes) == cut
