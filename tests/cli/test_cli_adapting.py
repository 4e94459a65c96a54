"""A trained recognizer is trained on from the shell: its bundle is a delta that transcribes, merges, and is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commandline import TINY, Command

from lasasr.corpora.manifest import read_cuts

KEPT = tuple(word for word in TINY if not word.startswith(("listen.", "spell.")))


@pytest.fixture(scope="module")
def adapted(tiny_run: Path, lasasr: Command) -> Path:
    """The folder of a run that adapts the tiny one by low-rank factors."""
    done = lasasr(
        *("train", "synthetic/las_char", *KEPT, "adapt=lora", "adapt.lora.rank=2", f"warm_start.run={tiny_run}"),
        *("name=adapted", "evaluate.maps=0", "validation.maps=0", "+adapt.learning_rates.decoder=1e-4"),
    )
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("trained: "))
    assert done.stderr.index(line) < done.stderr.index("epoch   0")
    (folder,) = tiny_run.parent.glob("adapted-s1-*")
    card = json.loads((folder / "card.json").read_text())
    assert f"trained: {card['trained_parameters']:,} of {card['parameters']:,} parameters" in line
    assert card["adapted"]["methods"] == ["lora"]
    assert card["trained_parameters"] < 0.1 * card["parameters"]
    return folder


def audio(workplace: Path) -> list[str]:
    return [str(path) for path in sorted((workplace / "prepared").rglob("*test*.flac"))[:3]]


def test_the_run_the_base_with_the_adapter_and_the_merged_bundle_say_the_same(
    adapted: Path, tiny_run: Path, tmp_path: Path, workplace: Path, lasasr: Command
) -> None:
    assert {path.name for path in (adapted / "bundle").iterdir()} == {
        *("adapter.safetensors", "config.yaml", "tokenizer.json")
    }
    assert (adapted / "bundle" / "adapter.safetensors").stat().st_size < 50_000
    refused = lasasr("export", str(adapted), "--out", str(tmp_path / "hub"), "--hub", "--license", "mit")
    assert refused.returncode == 1
    assert "; add --merge" in refused.stderr
    merged = tmp_path / "merged"
    assert lasasr("export", str(adapted), "--out", str(merged), "--merge").returncode == 0
    results = []
    for words in ([str(adapted)], [str(tiny_run), "--adapter", str(adapted)], [str(merged)]):
        done = lasasr("transcribe", *words, *audio(workplace), "--json")
        assert done.returncode == 0, done.stderr
        results.append([json.loads(line) for line in done.stdout.splitlines()])
    assert [line["text"] for line in results[0]] == [line["text"] for line in results[2]]
    assert results[0] == results[1]
    for own, other in zip(results[0], results[2], strict=True):
        assert own["score"] == pytest.approx(other["score"], abs=1e-5, rel=1e-5)


def test_an_adapter_for_another_base_is_refused(
    adapted: Path, tmp_path: Path, workplace: Path, lasasr: Command
) -> None:
    other = tmp_path / "other"
    assert lasasr("export", str(adapted), "--out", str(other), "--merge").returncode == 0
    done = lasasr("transcribe", str(other), *audio(workplace), "--adapter", str(adapted))
    assert done.returncode == 1
    assert "is an adapter for another base" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_run_does_not_go_on_from_another_base(adapted: Path, tmp_path: Path, lasasr: Command) -> None:
    copied = Path(shutil.copytree(adapted, tmp_path / adapted.name))
    card = json.loads((copied / "card.json").read_text())
    card["adapted"]["sha256"] = "0" * 64
    (copied / "card.json").write_text(json.dumps({**card, "status": "unfinished"}))
    done = lasasr("train", "--resume", str(copied))
    assert done.returncode == 1
    assert "cannot go on: the bundle that it adapts has changed" in done.stderr.splitlines()[-1]
    assert any((copied / "bundle").iterdir())


def test_replay_brings_the_corpus_of_the_run_beside_the_new_one(
    tiny_run: Path, tmp_path: Path, lasasr: Command
) -> None:
    new = ("adapt=[lora,replay]", "adapt.lora.rank=2", "adapt.replay.ratio=0.25", "corpus.seed=1", "name=replayed")
    words = ("train", "synthetic/las_char", *KEPT, *new, "evaluate.maps=0", "validation.maps=0")
    done = lasasr(*words, f"warm_start.run={tiny_run}")
    assert done.returncode == 0, done.stderr
    (folder,) = tiny_run.parent.glob("replayed-s1-*")
    base, card = (json.loads((run / "card.json").read_text()) for run in (tiny_run, folder))
    train, second = (card["data"]["splits"][split] for split in ("train", "replay"))
    assert second["corpus"] == base["data"]["corpus"] != card["data"]["corpus"]
    assert second["content"] == base["data"]["splits"]["train"]["content"] != train["content"]
    assert card["adapted"]["replayed"] == round(train["utterances"] / 3)
    assert "(25 % of each batch)" in done.stderr
    exported = tmp_path / "exported"
    assert lasasr("export", str(tiny_run), "--out", str(exported)).returncode == 0
    refused = lasasr(*words, f"warm_start.run={exported}")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].endswith("name a corpus, as +corpus@adapt.replay.corpus=librispeech")


def scores_of(result: Path) -> dict[str, float]:
    return {line["id"]: line["score"] for line in map(json.loads, result.read_text().splitlines())}


def test_minutes_of_own_speech_make_a_curve(tiny_run: Path, tmp_path: Path, workplace: Path, lasasr: Command) -> None:
    table = tmp_path / "mine.tsv"
    rows = [
        f"{cut.id}\t{cut.recording.sources[0].source}\t{cut.supervisions[0].text}\tme"
        for path in sorted((workplace / "prepared").glob("synthetic-*/*.jsonl.gz"))
        for cut in read_cuts(path)
    ]
    table.write_text("\n".join(["id\taudio\ttext\tspeaker", *dict.fromkeys(rows)]))
    few = tmp_path / "few.tsv"  # to decode
    few.write_text("\n".join(["id\taudio\ttext\tspeaker", *list(dict.fromkeys(rows))[-4:]]))
    own = tuple(word for word in KEPT if not word.startswith("corpus."))
    words = ("train", "synthetic/las_char", *own, "corpus=table", f"corpus.train={table}", f"corpus.dev={few}")
    base = shutil.copytree(tiny_run, tmp_path / "base")  # its results get one of the table
    words = (
        *words,
        f"corpus.test={few}",
        "trainer.max_epochs=1",
        "evaluate.maps=0",
        "validation.maps=0",
        "adapt=lora",
        f"warm_start.run={base}",
        "adapt.speaker=me",
    )
    swept = lasasr(*words, "adapt.minutes=0.1,0.3", "-m", "name=minutes")
    assert swept.returncode == 0, swept.stderr
    (sweep,) = tiny_run.parent.glob("sweep-minutes-*")
    runs = [next(tiny_run.parent.glob(f"*_minutes-{minutes}-s1-*")) for minutes in ("0.1", "0.3")]
    after_training = [scores_of(run / "results" / "test.jsonl") for run in runs]
    for path in (runs[0] / "results").glob("test*"):
        path.unlink()  # so that one is decoded, and one is read
    out, picture = tmp_path / "minutes.json", tmp_path / "minutes.svg"
    done = lasasr("minutes", str(base), str(sweep), "--out", str(out), "--svg", str(picture))
    assert done.returncode == 0, done.stderr
    assert "speaker me" in done.stdout
    contents = json.loads(out.read_text())
    assert [row["minutes"] for row in contents["rows"]] == [0.0, 0.1, 0.3]
    assert [row["runs"] for row in contents["rows"]] == [[base.name], *([run.name] for run in runs)]
    of_base = scores_of(next((base / "results").glob("test@*.jsonl")))
    for run, expected in zip(runs, after_training, strict=True):
        assert scores_of(run / "results" / "test.jsonl") == pytest.approx(expected, abs=1e-5)
        assert of_base != pytest.approx(expected, abs=1e-4)
    assert contents["rows"][0]["points"] == 0.0
    for row in contents["rows"]:
        assert row["interval"][0] <= row["percent"] <= row["interval"][1]
    assert picture.read_text().startswith("<?xml")
    refused = lasasr("minutes", str(tiny_run), str(tiny_run))
    assert refused.returncode == 2
    assert "was adapted to no single speaker" in refused.stderr
    nobody = lasasr(*words[:-1], "adapt.minutes=1")
    assert nobody.returncode == 2
    assert "adapt.minutes=1 needs whose speech it is: adapt.speaker=ID" in nobody.stderr
