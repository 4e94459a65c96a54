"""Error rates by columns: pooled over each part, judged with the clusters of the whole."""

import json
from pathlib import Path
from typing import Any

import pytest
from comparison_runs import write_run
from text_files import recognised, references, write_csv, write_trn

from lasasr.cli.main import main
from lasasr.comparison.by_column import by_columns, joined
from lasasr.comparison.entries import find
from lasasr.comparison.grouping import SystemRuns, groups
from lasasr.errors import LasasrError, UsageError
from lasasr.metrics.error_rates import compare, pooled
from lasasr.metrics.significance.verdict import Rules
from lasasr.transcripts.formats import read_columns

FAST = Rules(resamples=200)


@pytest.fixture
def systems(tmp_path: Path) -> list[SystemRuns]:
    """Two systems of four seeds on eight speakers s0 to s7, 48 utterances."""
    rates = {"dot": 0.1, "none": 0.5}
    folders = [write_run(tmp_path, attend, seed, rates[attend]).folder for attend in rates for seed in (1, 2, 3, 4)]
    return groups(find(folders))[0]


GENDER = {f"s{speaker}": "f" if speaker < 4 else "m" for speaker in range(8)}


def parts_of(systems: list[SystemRuns], column: dict[str, str]) -> list[dict[str, Any]]:
    (breakdown,) = by_columns(joined(["x"], {"x": column}, systems), systems, systems[0].name, FAST)
    return breakdown["parts"]


def test_rates_are_pooled_over_the_part(systems: list[SystemRuns]) -> None:
    for part in parts_of(systems, GENDER):
        for system in systems:
            rates = []
            for run in system.runs:
                lines = [line for line in run.lines if GENDER[line["speaker"]] == part["part"]]
                rates.append(pooled(compare(line["reference"], line["hypothesis"], "wer") for line in lines).percent)
            assert part["systems"][system.name]["percent"] == pytest.approx(sum(rates) / 4)
        assert (part["utterances"], part["speakers"]) == (24, 4)


def test_a_part_of_four_speakers_cannot_decide_and_the_whole_can(systems: list[SystemRuns]) -> None:
    other = systems[1].name
    assert [part["against"][other]["verdict"] for part in parts_of(systems, GENDER)] == ["cannot decide"] * 2
    (whole,) = parts_of(systems, dict.fromkeys(GENDER, "all"))
    assert whole["against"][other]["verdict"] == "worse"
    assert list(whole["against"]) == [other]


def test_p_is_adjusted_for_all_parts_at_once(systems: list[SystemRuns], monkeypatch: pytest.MonkeyPatch) -> None:
    halves = {line["id"]: "a" if line["id"][-1] in "012" else "b" for line in systems[0].runs[0].lines}
    other = systems[1].name
    assert [part["against"][other]["verdict"] for part in parts_of(systems, halves)] == ["worse"] * 2
    adjusted: list[list[float | None]] = []

    def hopeless(p: list[float | None]) -> list[float | None]:
        adjusted.append(p)
        return [1.0] * len(p)

    monkeypatch.setattr("lasasr.comparison.by_column.holm", hopeless)
    assert [part["against"][other]["verdict"] for part in parts_of(systems, halves)] == ["no difference shown"] * 2
    assert [len(p) for p in adjusted] == [2, 2]  # two parts of one pair, about systems and about runs


def test_values_by_utterance_precede_and_what_is_absent_is_unknown(systems: list[SystemRuns]) -> None:
    column = joined(["x"], {"x": {"s0": "a", "s0-u0": "b"}}, systems)["x"]
    assert column["s0-u0"] == "b"
    assert column["s0-u1"] == "a"
    assert column["s1-u0"] == "unknown"
    assert [part["part"] for part in parts_of(systems, {"s0": "a", "s0-u0": "b"})] == ["a", "b", "unknown"]


def test_many_numbers_are_put_into_five_parts(systems: list[SystemRuns]) -> None:
    ages = {line["id"]: str(20 + index) for index, line in enumerate(systems[0].runs[0].lines)}
    parts = parts_of(systems, ages)
    assert len(parts) == 5
    assert parts[0]["part"].startswith("20–")
    few = parts_of(systems, {f"s{speaker}": str(speaker * 10) for speaker in range(8)})
    assert [part["part"] for part in few] == [str(speaker * 10) for speaker in range(8)]


def test_unknown_columns_and_ids_are_refused(systems: list[SystemRuns]) -> None:
    with pytest.raises(UsageError, match=r"--by gendre: there is no such column; nearest: gender"):
        joined(["gendre"], {"gender": GENDER}, systems)
    with pytest.raises(LasasrError, match="neither utterances nor speakers"):
        joined(["gender"], {"gender": {"x": "f"}}, systems)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    texts = references()
    for name, rate in (("a", 0.1), ("b", 0.4)):
        for seed in range(4):
            write_trn(Path(f"{name}{seed}.trn"), recognised(texts, rate, seed))
    write_csv(Path("ref.csv"), texts, texts)
    text = Path("ref.csv").read_text().replace("hypothesis", "accent", 1)
    Path("ref.csv").write_text(
        "\n".join(line.rpartition(",")[0] + ",north" if index else line for index, line in enumerate(text.splitlines()))
    )
    Path("speakers.csv").write_text("speaker,gender\n" + "".join(f"{key},{value}\n" for key, value in GENDER.items()))
    command = ["compare", "--reference", "ref.csv", *(f"{n}={','.join(f'{n}{s}.trn' for s in range(4))}" for n in "ab")]
    assert main([*command, "--by", "accent", "--calibrate"]) == 0
    out = capsys.readouterr().out
    assert "by accent" in out
    assert "Calibration" in out
    assert main([*command, "--by", "gender", "--table", "speakers.csv", "--html", "page.html"]) == 0
    assert "<h2>By gender</h2>" in Path("page.html").read_text()
    made = json.loads(Path("comparison.json").read_text())
    assert [part["part"] for part in made["by"][0]["parts"]] == ["f", "m"]
    capsys.readouterr()
    assert main([*command, "--table", "speakers.csv"]) == 2
    assert "--table needs --by COLUMN" in capsys.readouterr().err
    assert main(["compare", "--reference", "ref.csv", "a=a0.trn", "b=b0.trn", "--calibrate"]) == 1
    assert "give at least 2 seeds of one and 2 speakers" in capsys.readouterr().err


def test_a_table_needs_names_of_columns(tmp_path: Path) -> None:
    (tmp_path / "x.trn").write_text("a (u1)\n")
    with pytest.raises(LasasrError, match=r"x.trn is no table with named columns"):
        read_columns(tmp_path / "x.trn", {})
    (tmp_path / "x.csv").write_text("spk,sex\na,f\na,m\n")
    with pytest.raises(LasasrError, match="a stands twice, in lines 2 and 3"):
        read_columns(tmp_path / "x.csv", {})
    with pytest.raises(LasasrError, match=r"nowhere.csv is missing"):
        read_columns(tmp_path / "nowhere.csv", {})
