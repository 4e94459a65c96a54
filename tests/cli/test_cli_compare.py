"""`lasasr compare` and `lasasr diff` as a user types them."""

import json
import shutil
from pathlib import Path
from typing import Any

import jiwer
import pytest
from comparison_runs import SEARCH, line, lines, summary, write_run, write_sweep
from loaded import ANY, BESIDE, PART, PARTS, recognition

from lasasr.artifacts import results, run_results, runs
from lasasr.artifacts.search_identity import search_identity
from lasasr.cli.main import main

README = "# Mine\n\n<!-- lasasr compare results/x.json begins -->\n<!-- lasasr compare results/x.json ends -->\nend\n"


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two systems of two seeds, one of them still training."""
    monkeypatch.chdir(tmp_path)
    root = Path("runs")
    planned = [write_run(root, attend, seed, rate) for attend, rate in (("dot", 0.1), ("none", 0.6)) for seed in (1, 2)]
    waiting = write_run(root, "gmm", 1)
    waiting.note(status="unfinished")
    return write_sweep(root, [*planned, waiting])


def test_a_sweep(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(sweep)]) == 0
    printed = capsys.readouterr().out
    assert "These runs of attend=dot" in printed
    assert "1 run without a result: attend-gmm-s1-" in printed
    made = json.loads((sweep / "comparison.json").read_text())
    assert [one["name"] for one in made["systems"]] == ["attend=dot", "attend=none"]
    assert [one["seeds"] for one in made["systems"]] == [["1", "2"], ["1", "2"]]


def adapted_from_runs_of_their_own(root: Path) -> dict[str, list[Path]]:
    """Two losses with two seeds each; every run began from another run."""
    return {
        attend: [
            write_run(root, attend, seed, rate, warm_start={"run": f"runs/base-s{seed}"}).folder for seed in (1, 2)
        ]
        for attend, rate in (("dot", 0.1), ("none", 0.6))
    }


def test_systems_of_ones_own_are_those_that_settings_alone_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs that differ by more than their seed, named as two systems: their numbers without the difference."""
    monkeypatch.chdir(tmp_path)
    of_their_own = adapted_from_runs_of_their_own(Path("runs"))
    words = [f"{name}={','.join(map(str, of_their_own[attend]))}" for name, attend in (("a", "dot"), ("b", "none"))]
    assert main(["compare", *words, "--out", "named.json", "--baseline", "b"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "the runs of a were named as one system; beside their seed they differ in warm_start.run" in printed
    plain = [
        str(write_run(Path("plain"), attend, seed, rate).folder)
        for attend, rate in (("dot", 0.1), ("none", 0.6))
        for seed in (1, 2)
    ]
    assert main(["compare", *plain, "--out", "plain.json", "--baseline", "none"]) == 0
    named, by_settings = (json.loads(Path(f"{name}.json").read_text()) for name in ("named", "plain"))
    assert [system["name"] for system in named["systems"]] == ["a", "b"]
    renamed = json.dumps(by_settings["pairs"]).replace('"attend=dot"', '"a"').replace('"attend=none"', '"b"')
    assert named["pairs"] == json.loads(renamed)


def test_systems_of_ones_own_that_cannot_be(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first,) = Path("runs").rglob("attend-dot-s1-*")
    (second,) = Path("runs").rglob("attend-dot-s2-*")
    (waiting,) = Path("runs").rglob("attend-gmm-s1-*")
    Path("a.txt").write_text("u one\n")
    for words, message in (
        ([f"a={first},{first}"], "is given twice; give each run once"),
        ([f"a={first}", f"a={second}"], "a is named twice"),
        ([f"a={first},a.txt"], "a: a.txt is no run, as the others are"),
        ([f"a={first}", f"b={waiting}"], "is unfinished; train it to its end, or leave it out"),
    ):
        assert main(["compare", *words]) in (1, 2), words
        assert message in capsys.readouterr().err.replace("\n", " "), words


def test_a_baseline_by_its_short_name(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(sweep), "--baseline", "none", "--out", "c.json"]) == 0
    assert "Against these runs of attend=none" in capsys.readouterr().out
    assert json.loads(Path("c.json").read_text())["baseline"] == "attend=none"
    assert not (sweep / "comparison.json").exists()
    (folder,) = Path("runs").rglob("attend-none-s2-*")
    assert main(["compare", str(sweep), "--baseline", str(folder), "--out", "d.json"]) == 0
    assert json.loads(Path("d.json").read_text())["baseline"] == "attend=none"
    capsys.readouterr()
    assert main(["compare", str(sweep), "--baseline", "nine"]) == 2
    assert "no system is called nine; nearest: attend=none" in capsys.readouterr().err


def test_a_published_table_comes_again_from_its_card(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("README.md").write_text(README)
    assert main(["compare", str(sweep), "--card", "results/x.json", "--readme", "README.md"]) == 0
    once = Path("README.md").read_text()
    assert once.startswith("# Mine\n")
    assert once.endswith("\nend\n")
    assert "| `dot` |" in once
    shutil.rmtree("runs")
    Path("README.md").write_text(README)
    assert main(["compare", "results/x.json", "--readme", "README.md"]) == 0
    assert Path("README.md").read_text() == once
    capsys.readouterr()
    assert main(["compare", "results/x.json", "--markdown"]) == 0
    assert capsys.readouterr().out.strip() in once


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nowhere"], 1, "nowhere does not exist"),
        ([], 2, "RUN|SWEEP|FILE"),
        (["{sweep}", "--readme", "README.md"], 2, "--readme needs --card FILE"),
        (["{sweep}", "--card", "x.json", "--readme", "README.md"], 1, "README.md is missing"),
        (["{sweep}", "--points", "0"], 2, "--points must be above 0"),
        (["{sweep}", "--maps", "-1"], 2, "--maps must be at least 0"),
        (["{sweep}", "--matched", "money"], 2, "money"),
        (["{sweep}", "--split", "dev"], 1, "dev.json is missing"),
        (["{sweep}", "--html", "."], 2, "--html takes a file, but . is a folder"),
        (["{sweep}", "--audio"], 2, "--audio needs --html"),
    ],
)
def test_mistakes(
    sweep: Path, arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *(one.format(sweep=sweep) for one in arguments)]) == status
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    "below_root", [pytest.param(False, id="from here"), pytest.param(True, id="below the runs root")]
)
def test_a_baseline_by_any_path_of_its_run(
    sweep: Path, below_root: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (first,) = Path("runs").rglob("attend-none-s2-*")
    places = [str(first), f"./runs/../{first}", str(first.resolve())]
    if below_root:
        monkeypatch.setenv("LASASR_RUNS", str(tmp_path / "runs"))
        places = [str(first.relative_to("runs"))]
    for place in places:
        assert main(["compare", str(sweep), "--baseline", place, "--out", "c.json"]) == 0, place
        assert json.loads(Path("c.json").read_text())["baseline"] == "attend=none"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--card", "x.json", "--out", "x.json"], "x.json is written as --out, and --card would overwrite it"),
        (["--card", "{sweep}/comparison.json"], "is written as comparison.json, and --card would"),
        (["--csv", "a.tex", "--latex", "./a.tex"], "a.tex is written as --latex, and --csv would"),
        (["--latex", "a.tex", "--csv", "a.bib"], "a.bib is written as --csv, and the sources of --latex would"),
        (["--card", "README.md", "--readme", "README.md"], "README.md is written as --card, and --readme would"),
        (["--html", "t.csv", "--table", "t.csv", "--by", "age"], "t.csv is read as --table, and --html would"),
        (["--card", "results/y.json", "--readme", "README.md"], "the page needs these two lines once each"),
        (["--card", "results/x.json", "--readme", "latin.md"], "latin.md is no text in UTF-8"),
    ],
)
def test_nothing_is_written_where_anything_cannot_be(
    sweep: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("README.md").write_text(README)
    Path("latin.md").write_bytes(README.replace("Mine", "Für").encode("latin-1"))
    Path("t.csv").write_text("speaker,age\ns0,3\n")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert main(["compare", str(sweep), *(one.format(sweep=sweep) for one in arguments)]) in (1, 2)
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_a_result_that_is_compared_is_not_overwritten(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (str(next(Path(folder).glob("results/test.json"))) for folder in folders(sweep)[:2])
    assert main(["compare", first, second, "--csv", second]) == 2
    assert "test.json is compared, and --csv would overwrite it" in capsys.readouterr().err
    assert main(["compare", str(sweep), "--card", "card.json"]) == 0
    capsys.readouterr()
    assert main(["compare", "card.json", "--html", "card.json"]) == 2
    assert "card.json is compared, and --html would overwrite it" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a\nb", "a\u202eb", "\x1b[31m", " "])
def test_names_that_would_act_on_a_table_are_refused(
    name: str, sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = folders(sweep)[:2]
    assert main(["compare", f"{name}={first}", f"b={second}"]) == 2
    told = capsys.readouterr().err
    assert ("has U+" in told and "leave it out" in told) or name == " "
    assert len(told.splitlines()) == 1


def test_one_run_without_a_result_among_many_is_named(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    *rest, last = folders(sweep)[:4]
    shutil.rmtree(Path(last) / "results")
    assert main(["compare", *rest, last]) == 2
    told = capsys.readouterr().err
    assert f"1 of the 4 runs have no result: {Path(last).name}; decode each with lasasr evaluate RUN" in told


@pytest.mark.parametrize("option", [None, "wer", "cer", "per"])
@pytest.mark.parametrize("of_runs", ["wer", "per"])
def test_phones_are_never_called_words(
    of_runs: str,
    option: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Runs that are scored anew keep their metric: that of texts alone is the WER."""
    monkeypatch.chdir(tmp_path)
    paths = [
        str(write_run(Path("runs"), attend, summary_fields={"metric": of_runs}).folder) for attend in ("dot", "none")
    ]
    status = main(
        ["compare", *paths, "--speaker", "id[:2]", "--out", "c.json", *(["--metric", option] if option else [])]
    )
    if option in (None, of_runs) or (of_runs, option) == ("wer", "cer"):
        assert status == 0
        made = json.loads(Path("c.json").read_text())
        assert made["metric"] == (option or of_runs)
        assert made["normalizer"] == "english/1"  # that the texts have passed
    else:
        assert status == 2
        told = capsys.readouterr().err
        assert f"the texts of the runs are {'phones' if of_runs == 'per' else 'words'}" in told


def test_runs_of_two_normalizers_are_compared_by_a_third(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One has kept the capitals, so that only --normalizer makes the references the same."""
    monkeypatch.chdir(tmp_path)
    of_second = lines(0.3, 2)
    shouted = [
        line(one["id"], one["speaker"], one["reference"].upper(), one["hypothesis"].upper().replace("WRONG", "wrong"))
        for one in of_second
    ]
    paths = [
        str(write_run(Path("runs"), "dot", 1, 0.2).folder),
        str(write_run(Path("runs"), "none", 1, result_lines=shouted, summary_fields={"normalizer": "none"}).folder),
    ]
    assert main(["compare", *paths]) == 1
    assert "their normalizer is english/1 and none; --normalizer NAME scores" in capsys.readouterr().err
    assert main(["compare", *paths, "--normalizer", "english", "--out", "c.json"]) == 0
    made = json.loads(Path("c.json").read_text())
    rates = {system["name"]: system["percent"] for system in made["systems"]}
    for name, result_lines in (("attend=dot", lines(0.2, 1)), ("attend=none", of_second)):
        texts = ([one[key] for one in result_lines] for key in ("reference", "hypothesis"))
        assert rates[name] == pytest.approx(100.0 * jiwer.wer(*texts))
    assert "the texts of the runs had passed different normalizers before: english/1, none" in made["notes"]


def test_what_cannot_be_written_is_named(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert main(["compare", str(sweep), "--out", "file/c.json"]) == 1
    assert capsys.readouterr().err.startswith("lasasr: file: ")


def test_what_would_show_a_difference_is_said(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(sweep), "--points", "0.5", "--normal-seeds"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    pairs = json.loads((sweep / "comparison.json").read_text())["pairs"]
    needed = pairs[0]["systems"]["needed"]
    assert needed["points"] == 0.5
    shown = [
        f"{one:,}" if one else "no number of" for one in (needed["utterances"], needed["seeds"] and needed["seeds"][0])
    ]
    assert f"power: {shown[0]} utterances, from correspondingly more speakers or {shown[1]} seeds of each" in told


GREEDY = {"_target_": "lasasr.search.greedy.GreedySearch"}


def decode(folder: str, search: dict[str, Any], rate: float = 0.3) -> str:
    """A result of another search beside the run's own, named as an evaluation names it."""
    run = runs.Run(Path(folder))
    seed, attend = run.config()["seed"], run.config()["choices"]["attend"]
    made = lines(rate, seed)
    data = run_results.Decoding(recognition(**{**run.config(), "search": search}))
    name = str(
        run_results.RunResults(run).name("test", data, "0" * 16, lambda: {one["id"]: one["reference"] for one in made})
    )
    told = {"search": search, "data": "0" * 16, "seed": seed, "attend": attend}
    results.write(run.results, "test", summary(made, **told), made, name)
    return name


def test_the_results_of_another_search_are_taken_by_text_and_by_digits(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [decode(folder, GREEDY) for folder in folders(sweep)[:4]]
    assert len(set(names)) == 1
    label = names[0].removeprefix("test@")
    by_id = search_identity(GREEDY).search_id
    for search in ("greedy", label, label.rpartition("-")[2], by_id):
        assert main(["compare", str(sweep), "--search", search, "--out", "c.json"]) == 0
        assert json.loads(Path("c.json").read_text())["search"] == GREEDY
        assert "search: greedy" in capsys.readouterr().out
    assert main(["compare", str(sweep), "--out", "c.json"]) == 0
    assert json.loads(Path("c.json").read_text())["search"] == SEARCH
    assert "search: beam beam=10" in capsys.readouterr().out


def test_runs_without_the_search_are_named_with_their_command(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = folders(sweep)[:2]
    decode(first, {**SEARCH, "ctc_weight": 0.25})
    assert main(["compare", first, second, "--search", "ctc_weight-0.25"]) == 1
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert f"1 of the runs have no such result of test: lasasr evaluate {second} search.ctc_weight=0.25" in told


def test_a_search_of_two_meanings_is_refused_with_both(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = folders(sweep)[:2]
    changed = Path(one) / "config.yaml"
    changed.write_text(changed.read_text().replace("beam: 10", "beam: 4"))  # so that its own search is another
    own = {**SEARCH, "beam": 4}
    made = lines(0.1, 1)
    results.write(Path(one) / "results", "test", summary(made, search=own, data="0" * 16), made)
    names = [decode(one, {**own, "length_bonus": 0.5}), decode(other, {**SEARCH, "length_bonus": 0.5})]
    assert main(["compare", one, other, "--search", "length_bonus-0.5"]) == 2
    told = capsys.readouterr().err
    assert all(name.removeprefix("test@") in told for name in names)
    assert "beam beam=4 length_bonus=0.5" in told
    assert main(["compare", one, other, "--search", "lenght_bonus-0.5"]) == 2
    assert "nearest: length_bonus-0.5" in capsys.readouterr().err


def test_result_files_of_any_search_are_compared(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [f"{folder}/results/{decode(folder, GREEDY)}.json" for folder in folders(sweep)[:4]]
    assert main(["compare", *paths, "--out", "c.json"]) == 0
    made = json.loads(Path("c.json").read_text())
    assert (made["split"], made["search"]) == ("test", GREEDY)
    capsys.readouterr()
    own = f"{folders(sweep)[0]}/results/test.json"
    assert main(["compare", own, paths[0]]) == 1
    assert "--any-search" in capsys.readouterr().err
    assert main(["compare", own, paths[0], "--any-search", "--out", "c.json"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "search: " in printed
    assert "greedy" in printed
    assert "beam beam=10" in printed
    assert main(["compare", paths[0], "--search", "greedy"]) == 2
    assert "is one result" in capsys.readouterr().err
    assert main(["diff", own, paths[0], "--any-search"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "(search: beam beam=10)" in printed
    assert "(search: greedy)" in printed


def test_a_result_that_010_overwrote_is_not_taken_for_the_runs_own(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = folders(sweep)[:2]
    made = lines(0.3, 1)
    results.write(Path(first) / "results", "test", summary(made, search=GREEDY), made)
    assert main(["compare", first, second]) == 1
    told = capsys.readouterr().err
    assert "test.json was written by search=greedy; lasasr evaluate" in told
    assert "--search takes" in told
    decode(second, GREEDY)
    assert main(["compare", first, second, "--search", "greedy", "--out", "c.json"]) == 0
    assert json.loads(Path("c.json").read_text())["search"] == GREEDY


def test_unmatched_budgets_are_refused_where_asked(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("runs"), "none", 1, 0.6, facts={"parameters": 2_000_000})
    assert main(["compare", str(sweep), "--matched", "steps"]) == 0
    assert main(["compare", str(sweep), "--matched", "parameters"]) == 1
    assert "parameters not equal within 2 %: 1,000,000 to 1,500,000" in capsys.readouterr().err


def test_a_page_without_a_corpus_says_that_there_are_no_maps(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {"_target_": "lasasr.corpora.synthetic.SyntheticCorpus", "hours": 0.02, "workers": 1}
    for attend, rate in (("dot", 0.1), ("none", 0.6)):
        parts = {name: PART for name in (*ANY, *PARTS) if name not in (*BESIDE, "attend", "search")}
        rest = {
            **parts,
            "corpus": config,
            "frontend": {**PART, "sample_rate_hz": 16000},
            "validation": {"search": PART},
        }
        write_run(Path("runs"), attend, 7, rate, **rest)
    given = [str(one) for one in Path("runs").rglob("*-s7-*")]
    assert main(["compare", *given, "--html", "page.html", "--maps", "2"]) == 0
    assert "No attention maps: the corpus is not prepared here" in Path("page.html").read_text()
    printed = " ".join(capsys.readouterr().out.split())
    assert "No attention maps: the corpus is not prepared here" in printed


def test_a_comparison_has_a_page_without_its_runs_and_cannot_be_made_again(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(sweep)]) == 0
    finished = ["compare", str(sweep / "comparison.json")]
    assert main([*finished, "--html", "page.html", "--latex", "t.tex", "--csv", "t.csv", "--figures", "figures"]) == 0
    assert "learning curves, parts of the test set and alignment maps need the runs" in capsys.readouterr().out
    assert "made from the card of a published table" in Path("page.html").read_text()
    assert {path.name for path in Path().glob("t.*")} == {"t.tex", "t.bib", "t.csv"}
    assert main([*finished, "--html", "page.html", "--audio"]) == 2
    assert "--audio needs the runs" in capsys.readouterr().err
    for option in (
        ["--baseline", "none"],
        ["--normal-seeds"],
        ["--split", "dev"],
        ["--search", "greedy"],
        ["--points", "1"],
        ["--out", "x.json"],
    ):
        assert main(["compare", str(sweep / "comparison.json"), *option]) == 2
        assert f"{option[0]} needs the runs" in capsys.readouterr().err
    assert main(["compare", str(sweep / "comparison.json"), str(sweep)]) == 2
    assert "stands alone" in capsys.readouterr().err


def folders(sweep: Path) -> list[Any]:
    about = json.loads((sweep / "sweep.json").read_text())
    return [str(sweep / one) for one in about["runs"]]


def test_diff(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, _, second, _, waiting = folders(sweep)
    assert main(["diff", first, second, "--flips", "1"]) == 0
    printed = capsys.readouterr().out
    assert "attend.dim" not in printed
    assert "lasasr.attend.none" in printed
    assert "of these two runs: the second is worse" in printed
    assert printed.count("REF:") == 2 * (("\nfewer errors" in printed) + ("\nmore errors" in printed))
    assert main(["diff", first, first]) == 0
    printed = capsys.readouterr().out
    assert "configuration: the same" in printed
    assert "difference +0.00 points" in printed
    assert "no difference shown" in " ".join(printed.split())
    assert main(["diff", first, waiting]) == 1
    assert "diff takes two finished runs; attend-gmm-s1-" in capsys.readouterr().err
    assert main(["diff", first]) == 2
    assert main(["diff", first, second, "--flips", "-1"]) == 2


def test_diff_of_seeds_is_a_difference_of_runs(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = folders(sweep)[:2]
    assert main(["diff", first, second]) == 0
    printed = capsys.readouterr().out
    assert "seed" in printed
    assert "95 % interval" in printed
