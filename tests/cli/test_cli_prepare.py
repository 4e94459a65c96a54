"""`lasasr prepare --shards`, from the command line to a corpus that is prepared from what it wrote."""

from pathlib import Path

import pytest
from doctor_corpus import Corpus
from loaded import composed

from lasasr.cli import train
from lasasr.cli.prepare import run
from lasasr.errors import LasasrError, UsageError
from lasasr.preparation.speech import prepare

RECIPE = "synthetic/las_char"


def silent(task: str, done: int, total: int) -> None:
    """Nobody watches."""


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("LASASR_PREPARED", str(tmp_path / "prepared"))
    corpus = Corpus(tmp_path, (5, 2, 2))
    corpus.plain()
    return ["corpus=table", *(f"corpus.{split}={tmp_path}/{split}.jsonl" for split in corpus.rows)]


def test_what_the_command_writes_it_reads(
    tables: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [RECIPE, *tables, "--shards", str(tmp_path / "shards"), "--shard-size", "3"]
    assert run(command) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in told if " shards, " in line] == [
        [split, str(count), "utterances", "in"] for split, count in (("train", 5), ("dev", 2), ("test", 2))
    ]
    overrides = told[-1].removeprefix("read them with: ").split()
    before, after = (prepare(composed(RECIPE, one), silent) for one in (tables, overrides))
    for split in ("train", "dev", "test"):
        assert after.utterances(split).ids == before.utterances(split).ids
        assert after.utterances(split).texts == before.utterances(split).texts
    assert after.fingerprint != before.fingerprint
    assert run(command) == 0  # again: they are there
    with pytest.raises(LasasrError, match="holds shards with audio copy, not flac"):
        run([*command, "--audio", "flac"])
    with pytest.raises(UsageError, match="leave out debug=overfit"):
        run([*command, "debug=overfit"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--audio", "flac"], "--audio flac needs --shards DIR"),
        (["--shard-size", "5"], "--shard-size 5 needs --shards DIR"),
        (["--shards", "x", "--shard-size", "0"], "--shard-size must be at least 1, got 0"),
        (["--shards", "x", "--audio", "mp3"], "invalid choice: 'mp3'"),
        (["--shards", __file__], "is a file, not a folder"),
    ],
)
def test_wrong_options_are_named_before_anything_is_prepared(options: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run([RECIPE, *options])


def test_a_text_corpus_has_no_shards(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="corpus holds no audio"):
        run(["lm/synthetic_char", "--shards", str(tmp_path)])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("augment=rooms", "impulse response folder .* is missing"),
        ("loading.num_workers=-1", r"loading\.num_workers must be a whole number from 0 to 1,024, got -1"),
        ("batching.max_utterances=0", r"batching\.max_utterances must be positive, got 0"),
    ],
)
def test_training_says_what_is_wrong_with_its_data_before_it_prepares_any(
    tables: list[str], tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(LasasrError, match=message):
        train.run([RECIPE, *tables, override, f"data_dir={tmp_path}", f"runs_dir={tmp_path}/runs"])
    assert not (tmp_path / "prepared").exists()
    assert not (tmp_path / "runs").exists()
