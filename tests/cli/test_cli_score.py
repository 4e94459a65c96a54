"""`lasasr score` and texts in `lasasr compare`, as commands."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from text_files import recognised, references, write_espnet, write_manifest, write_trn

from lasasr.cli.main import main
from lasasr.metrics.error_rates import compare, pooled

REFERENCES = references()
SCLITE = shutil.which("sclite") or "/usr/lib/sctk/bin/sclite"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    write_trn(tmp_path / "ref.trn", REFERENCES)
    for name, rate in (("a", 0.05), ("b", 0.3)):
        for seed in range(1, 5):
            write_trn(tmp_path / f"{name}{seed}.trn", recognised(REFERENCES, rate, seed))
    return tmp_path


@pytest.mark.skipif(not Path(SCLITE).exists(), reason="apt install sctk")
def test_the_rate_is_sclites(here: Path) -> None:
    assert main(["score", "ref.trn", "b1.trn", "--json", "out.json"]) == 0
    (row,) = json.loads((here / "out.json").read_text())["files"]
    words = ["-s", "-i", "spu_id", "-r", "ref.trn", "trn", "-h", "b1.trn", "trn", "-o", "rsum", "stdout"]
    report = subprocess.run([SCLITE, *words], cwd=here, capture_output=True, text=True, check=True).stdout
    total = next(line for line in report.splitlines() if "| Sum" in line).replace("|", " ").split()
    correct, substitutions, deletions, insertions, errors = map(int, total[3:8])
    # sclite's costs (4 for a substitution, 3 for the others) may divide the same errors otherwise
    assert substitutions + deletions + insertions == errors
    assert (row["errors"], row["reference_length"]) == (errors, correct + substitutions + deletions)


def test_several_files_of_one_reference(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "ref.trn", "a1.trn", "b1.trn", "--speaker", "id[:2]", "--normalizer", "english"]) == 0
    text = capsys.readouterr().out
    expected = pooled(compare(REFERENCES[key], text, "wer") for key, text in recognised(REFERENCES, 0.3, 1).items())
    assert f"{expected.percent:.2f}" in next(line for line in text.splitlines() if line.startswith("b1.trn"))
    assert "48 utterances of 8 speakers; normalizer english/1; raw: without it" in text


def test_a_file_that_holds_both(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(here / "out.json", REFERENCES, recognised(REFERENCES, 0.3, 1))
    assert main(["score", "--own", "out.json"]) == 0
    assert "no speakers are known" in " ".join(capsys.readouterr().out.split())
    assert main(["score", "ref.trn"]) == 2
    assert "only ref.trn is given" in capsys.readouterr().err


def test_a_comparison_of_files_with_seeds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    systems = [f"{name}={','.join(f'{name}{seed}.trn' for seed in range(1, 5))}" for name in ("a", "b")]
    options = ["--reference", "ref.trn", "--speaker", "id[:2]", "--html", "page.html", "--card", "card.json"]
    assert main(["compare", *systems, *options]) == 0
    out = capsys.readouterr().out
    assert "a (WER" in out
    assert "is better than b" in out
    comparison = json.loads((here / "comparison.json").read_text())
    assert [system["seeds"] for system in comparison["systems"]] == [["1", "2", "3", "4"]] * 2
    assert (here / "page.html").stat().st_size > 10_000
    assert main(["compare", "card.json", "--markdown"]) == 0
    assert main(["compare", "card.json", "--normalizer", "english"]) == 2
    assert "--normalizer needs the runs" in capsys.readouterr().err


def test_an_espnet_folder_needs_no_reference(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speakers = {key: key[:2] for key in REFERENCES}
    write_espnet(here / "test", REFERENCES, recognised(REFERENCES, 0.3, 1), speakers)
    assert main(["compare", "espnet=test", "other=a1.trn"]) == 0
    assert "48 utterances of 8 speakers" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("systems", [["espnet=test", "other=a1.trn"], ["--reference", "test", "other=a1.trn"]])
def test_an_espnet_folder_of_score_wer_alone_is_mended_by_any_text_of_these_ids(
    here: Path, capsys: pytest.CaptureFixture[str], systems: list[str]
) -> None:
    folder = write_espnet(
        here / "test", REFERENCES, recognised(REFERENCES, 0.3, 1), {key: key[:2] for key in REFERENCES}
    )
    text = (folder / "text").read_text()
    (folder / "text").unlink()
    assert main(["compare", *systems]) == 1
    assert "ESPnet writes each id as speaker-utterance: copy a text" in capsys.readouterr().err
    (folder / "text").write_text(text.upper().replace("S", "s").replace("-U", "-u"))  # only its ids count
    assert main(["compare", *systems]) == 0
    assert "48 utterances of 8 speakers" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare", "a=a1.trn,a1.trn", "--reference", "ref.trn"], "a has a1.trn twice; give each seed once"),
        (["compare", "a=a1.trn", "a=b1.trn", "--reference", "ref.trn"], "a is named twice; write a=HYP,HYP"),
        (["compare", "a=", "--reference", "ref.trn"], "a=: write NAME=HYP"),
        (["compare"], "there is nothing to compare: give RUN|SWEEP|FILE|NAME=HYP"),
        (["compare", "a=a1.trn"], "none of these files holds references"),
        (["compare", "a=a1.trn", "--speaker", "id", "--utt2spk", "x"], "--speaker and --utt2spk both say"),
        (["score", "ref.trn", "a1.trn", "--columns", "id"], "--columns id: write ROLE=NAME"),
        (["score", "ref.trn", "a1.trn", "--format", "nemo"], "--format nemo: nearest:"),
    ],
)
def test_refusals(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_no_torch_is_loaded(here: Path) -> None:
    code = (
        "import sys; from lasasr.cli.main import main; "
        "assert main(['compare', '--reference', 'ref.trn', 'a=a1.trn', 'b=b1.trn', '--html', 'page.html']) == 0; "
        "assert main(['score', 'ref.trn', 'a1.trn']) == 0; "
        "print(sorted({'torch', 'lhotse', 'lightning', 'hydra', 'scipy.stats'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
