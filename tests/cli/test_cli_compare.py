"""`lasasr compare` and `lasasr diff` as a user types them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import write_run, write_sweep

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
    assert "1 run of the sweep without a result: attend-gmm-s1-" in printed
    made = json.loads((sweep / "comparison.json").read_text())
    assert [one["name"] for one in made["systems"]] == ["attend=dot", "attend=none"]
    assert [one["seeds"] for one in made["systems"]] == [["1", "2"], ["1", "2"]]


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
    assert f"power: {shown[0]} utterances of as many more speakers or {shown[1]} seeds of each" in told


def test_unmatched_budgets_are_refused_where_asked(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("runs"), "none", 1, 0.6, facts={"parameters": 2_000_000})
    assert main(["compare", str(sweep), "--matched", "steps"]) == 0
    assert main(["compare", str(sweep), "--matched", "parameters"]) == 1
    assert "the parameters differ by more than 2%: 1,000,000 to 2,000,000" in capsys.readouterr().err


def test_a_page_without_a_corpus_says_that_there_are_no_maps(sweep: Path) -> None:
    config = {"_target_": "lasasr.corpora.synthetic.SyntheticCorpus", "hours": 0.02, "workers": 1}
    for attend, rate in (("dot", 0.1), ("none", 0.6)):
        write_run(Path("runs"), attend, 7, rate, corpus=config, frontend={"sample_rate_hz": 16000})
    given = [str(one) for one in Path("runs").rglob("*-s7-*")]
    assert main(["compare", *given, "--html", "page.html", "--maps", "2"]) == 0
    assert "No attention maps: the corpus is not prepared here" in Path("page.html").read_text()


def test_a_comparison_has_no_page_without_its_runs(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(sweep)]) == 0
    assert main(["compare", str(sweep / "comparison.json"), "--html", "page.html"]) == 2
    assert "--html needs the runs" in capsys.readouterr().err
    for option in (
        ["--baseline", "none"],
        ["--normal-seeds"],
        ["--split", "dev"],
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
