"""What lasasr 0.1.0 wrote is read for ever: to the same texts, scores, counts and verdicts.

The artefacts below data/v0_1_0 were made by that version (its README.md says how) and never change; each test works on
a copy of them, in a folder that is not the one they were made in.
"""

from __future__ import annotations

import json
import pkgutil
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
import yaml
from torch.nn.utils.rnn import pad_sequence

from lasasr import Recognizer
from lasasr.artifacts import results, run_paths, sweeps
from lasasr.cli.main import main
from lasasr.configuration.moved import current_path
from lasasr.models.language_model import TrainedLM

FROZEN = Path(__file__).parent / "data" / "v0_1_0"
EXPECTED: dict[str, Any] = json.loads((FROZEN / "expected.json").read_text(encoding="utf-8"))
TARGETS: list[str] = json.loads((FROZEN / "targets.json").read_text(encoding="utf-8"))
FOLDERS = {name: Path(path) for name, path in EXPECTED["folders"].items()}
RECIPE = "synthetic/las_char"
SCORE = 1e-4  # relative: another processor rounds differently
COUNTS = ("errors", "substitutions", "deletions", "insertions", "reference_length", "utterances", "percent")


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder in which 0.1.0 worked; the working directory, as every path in it is relative."""
    shutil.copytree(FROZEN / "work", tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    for name in ("LASASR_DATA", "LASASR_PREPARED", "LASASR_RUNS", "LASASR_ALLOW"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "work"


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def newest_result(run: Path, split: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What was decoded last, whatever its file is called."""
    paths = [path for path in (run / "results").glob("*.json") if read_json(path)["split"] == split]
    return results.read(run / "results", max(paths, key=lambda path: path.stat().st_mtime_ns).stem)


def check_result(result: tuple[dict[str, Any], list[dict[str, Any]]], frozen: Path, split: str) -> None:
    """The same counts, and per utterance the same hypotheses with the same scores."""
    (summary, utterances), (old_summary, old_utterances) = result, results.read(frozen / "results", split)
    assert {key: summary[key] for key in COUNTS} == {key: old_summary[key] for key in COUNTS}
    by_id = {utterance["id"]: utterance for utterance in utterances}
    assert len(by_id) == len(old_utterances) > 0
    for old in old_utterances:
        new = by_id[old["id"]]
        assert (new["reference"], new["speaker"]) == (old["reference"], old["speaker"])
        check_nbest(
            [(one["text"], one["score"]) for one in new["nbest"]], [(one["text"], one["score"]) for one in old["nbest"]]
        )


def check_nbest(nbest: list[tuple[str, float]], old: list[Any]) -> None:
    assert [text for text, _ in nbest] == [text for text, _ in old]
    assert [score for _, score in nbest] == pytest.approx([score for _, score in old], rel=SCORE)


@pytest.mark.parametrize("folder", EXPECTED["nbests"], ids=lambda folder: "/".join(Path(folder).parts[-3:])[-24:])
def test_a_bundle_decodes_to_the_same_texts_and_scores(folder: str) -> None:
    recognizer, old = Recognizer.load(folder), EXPECTED["nbests"][folder]
    paths = [Path("data/audio", name) for name in old]
    waveforms = [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in paths]
    lengths = torch.tensor([len(waveform) for waveform in waveforms])
    nbests = recognizer.recognize(pad_sequence(waveforms, batch_first=True), lengths)
    for path, nbest in zip(paths, nbests, strict=True):
        decoded = [(one.text, one.score) for one in nbest]
        if recognizer.search.normalise:  # 0.1.0 ended such a search early and missed some of the second and third
            check_nbest(decoded[:1], old[path.name][:1])
            assert all(new >= before - 1e-4 for (_, new), (_, before) in zip(decoded, old[path.name], strict=True))
        else:
            check_nbest(decoded, old[path.name])
    best = recognizer.transcribe(paths)
    check_nbest([(one.text, one.score) for one in best], [old[path.name][0] for path in paths])


def test_a_bundle_carries_its_language_model(work: Path) -> None:
    shutil.rmtree("runs")
    carried = TrainedLM.load(Path("bundles/language_model/lm-0"))
    assert carried.tokenizer.tokens == Recognizer.load("bundles/language_model").tokenizer.tokens


def test_a_language_model_has_the_same_perplexity() -> None:
    path = FOLDERS["lm"] / "perplexity.json"
    old = read_json(path)["splits"]["dev"]
    path.unlink()
    assert main(["evaluate", str(FOLDERS["lm"])]) == 0
    new = read_json(path)["splits"]["dev"]
    for key in ("nats", "per_token", "per_word", "per_character"):
        assert new[key] == pytest.approx(old[key], rel=SCORE)
    for key in ("tokens", "words", "characters", "sentences"):
        assert new[key] == old[key]


def test_a_run_is_evaluated_to_the_same_counts() -> None:
    run = FOLDERS["recognizer"]
    assert main(["evaluate", str(run)]) == 0
    for split in ("dev", "test"):
        check_result(newest_result(run, split), FROZEN / "work" / run, split)


def test_a_run_is_evaluated_with_a_key_that_its_search_has_got_since() -> None:
    results = FOLDERS["recognizer"] / "results"
    before = (results / "test.json").read_bytes()
    assert main(["evaluate", str(FOLDERS["recognizer"]), "search.hotwords={ab: 2.0}", "evaluate.splits=[test]"]) == 0
    (found,) = results.glob("test@ab-2-*.json")
    assert read_json(found)["search"]["hotwords"] == {"ab": 2.0}
    assert (results / "test.json").read_bytes() == before


def test_a_finished_run_is_found_by_the_command_that_made_it(capsys: pytest.CaptureFixture[str]) -> None:
    run = FOLDERS["recognizer"]
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["train", RECIPE, *(run / "overrides.txt").read_text(encoding="utf-8").splitlines()]) == 0
    assert f"{run} is finished" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_an_unfinished_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    run = FOLDERS["unfinished"]
    assert run_paths.find_run(run).status == "unfinished"
    assert main(["train", "--resume", str(run)]) == 0
    card = read_json(run / "card.json")
    assert (card["status"], card["steps"]) == ("finished", 24)
    assert [validation["step"] for validation in card["validations"]] == [8, 16, 24]
    assert len(newest_result(run, "test")[1]) == 24


def test_runs_are_found_below_a_sweep() -> None:
    for name, count in (("sweep", 4), ("interrupted_sweep", 2)):
        begun = sweeps.read(FOLDERS[name]).begun
        assert [run.folder.name for run in begun] == EXPECTED["planned"][name][:count]
    assert [run.status for run in begun] == ["finished", "unfinished"]
    assert run_paths.find_run(FOLDERS["recognizer"] / "bundle").folder == FOLDERS["recognizer"]


def test_an_interrupted_sweep_goes_on_and_keeps_what_is_finished() -> None:
    sweep = FOLDERS["interrupted_sweep"]
    finished, unfinished = (run.folder for run in sweeps.read(sweep).begun)
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    assert main(["train", "--resume", str(sweep)]) == 0
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before
    begun = sweeps.read(sweep).begun
    assert [run.folder for run in begun][:2] == [finished, unfinished]
    assert [run.card().steps for run in begun] == [8, 8, 8]
    assert {run.status for run in begun} == {"finished"}


def test_a_sweep_compares_to_the_same_verdicts() -> None:
    old = read_json(FOLDERS["sweep"] / "comparison.json")
    assert main(["compare", str(FOLDERS["sweep"]), "--out", "again.json"]) == 0
    new = read_json(Path("again.json"))
    # 0.1.0 said in a second sentence what cannot be decided; since 0.2.0 the first one says it
    about_runs, about_systems, smallest, *others = old["verdict"]
    points = smallest.partition("80 % power: ")[2].removesuffix(" points.")  # since 0.3.0 in plainer words
    reason = about_systems.partition("cannot be decided: ")[2].removesuffix(".")
    assert new["verdict"] == [
        f"{about_runs.removesuffix('.')}; the data cannot decide about other seeds ({reason}).",
        f"With this test set we would have seen a difference of {points} points or more (80 % power).",
        *others,
    ]
    assert len(new["systems"]) == len(old["systems"]) == 2
    for system, old_system in zip(new["systems"], old["systems"], strict=True):
        for key in ("name", "attend", "seeds", "percent", "percents", "errors", "reference_length", "diverged"):
            assert system[key] == old_system[key]
    for pair, old_pair in zip(new["pairs"], old["pairs"], strict=True):
        for key in ("first", "second", "verdict", "verdict_of_runs"):
            assert pair[key] == old_pair[key]
        assert pair["points"] == pytest.approx(old_pair["points"])
        assert pair["runs"]["p_holm"] == pytest.approx(old_pair["runs"]["p_holm"])
        # two seeds of each: the degrees of freedom are the conservative ones since 0.2.0
        assert pair["systems"]["df"] <= old_pair["systems"]["df"]
        assert pair["systems"]["p_holm"] >= old_pair["systems"]["p_holm"] - 1e-9
    assert {pair["verdict_of_runs"] for pair in new["pairs"]} == {"worse"}


def test_a_published_table_comes_again_from_its_card(work: Path) -> None:
    page, published = work / "published" / "README.md", FROZEN / "work" / "published" / "README.md"
    head, _, rest = page.read_text(encoding="utf-8").partition("begins -->\n")
    page.write_text(f"{head}begins -->\n{rest[rest.index('<!--') :]}", encoding="utf-8")
    assert main(["compare", "published/attention.json", "--readme", str(page)]) == 0
    rows = [line for line in published.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    again = page.read_text(encoding="utf-8")
    assert [row.split("|")[1].strip() for row in rows] == ["`location`", "`dot`"]
    for row in rows:
        assert "|".join(row.split("|")[:6]) in again  # system, WER, interval, difference, verdict


def test_shards_hold_the_same_audio() -> None:
    run, shards = FOLDERS["recognizer"], ("corpus=shar", "corpus.root=shards", "corpus.transcript=english")
    assert main(["evaluate", str(run), *shards, "evaluate.splits=[test]"]) == 0
    check_result(newest_result(run, "test"), FROZEN / "work" / run, "test")


def test_shards_are_trained_on() -> None:
    shards = ("corpus=shar", "corpus.root=shards", "corpus.transcript=english", "frontend.sample_rate_hz=8000")
    sizes = ("listen.hidden_dim=4", "spell.hidden_dim=4", "trainer.accelerator=cpu", "evaluate.maps=0")
    short = ("search.limits.max_length=5", "validation.search.limits.max_length=5")
    steps = ("trainer.max_steps=2", "trainer.val_check_interval=2", "batching.max_utterances=2", "seed=77")
    assert main(["train", RECIPE, *shards, *sizes, *short, *steps]) == 0
    (run,) = Path("runs", RECIPE).glob("*-s77-*")
    assert read_json(run / "card.json")["steps"] == 2
    assert results.read(run / "results", "test")[0]["utterances"] == 24


def targets_in(plain: Any) -> Iterator[str]:
    if isinstance(plain, dict) and "_target_" in plain:
        yield plain["_target_"]
    for value in plain.values() if isinstance(plain, dict) else plain if isinstance(plain, list) else ():
        yield from targets_in(value)


def test_every_class_that_could_be_named_is_there() -> None:
    assert len(TARGETS) == 70
    for name in TARGETS:
        assert callable(pkgutil.resolve_name(current_path(name))), name


def test_the_artefacts_name_no_other_class() -> None:
    configs = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in FROZEN.rglob("config.yaml")]
    named = {name for config in configs for name in targets_in(config)}
    named |= {read_json(path)["type"] for path in FROZEN.rglob("tokenizer.json")}
    assert len(named) > 30
    assert named <= set(TARGETS)
