"""Mistakes of newcomers: each is one line that names the mend, and nothing is trained."""

import shlex
from pathlib import Path

import pytest

from lasasr.cli.main import main
from lasasr.tasks.base import Task

RECIPE = "synthetic/las_char"
MISTAKES = [
    # verbs and recipes
    ("trian synthetic/las_char", "nearest: train"),
    ("train", "train takes a RECIPE, or --resume RUN"),
    ("train las_char", "nearest: synthetic/las_char"),
    ("train my.yaml", "there is no recipe file my.yaml; lasasr recipes lists those"),
    ("train table.tsv", "its name must end in .yaml"),
    ("train seed=3 R", "RECIPE must come first"),
    ("train recordings", "RECIPE corpus=folder corpus.train=recordings"),
    ("doctor table.tsv", "RECIPE corpus=table corpus.train=table.tsv"),
    ("train run", "lasasr train --resume run goes on with it"),
    # keys and options
    ("train R sed=3", "nearest: seed"),
    ("train R listen.layer=3", "nearest: listen.layers"),
    ("train R batch_size=8", "here it is batching.max_utterances"),
    ("train R lr=0.1", "here it is optimizer.lr"),
    ("train R attend.heads=4", "attend=multihead_additive"),
    ("train R tokenizer.vocabulary_size=500", "tokenizer=bpe, unigram has"),
    ("train R corpus.root=/data", "corpus=librispeech"),
    ("train R --epochs 3", "here it is trainer.max_epochs=..., without dashes"),
    ("train R --seed 3", "here it is seed=..., without dashes"),
    ("train R --gpus 1", "here it is trainer.devices=..., without dashes"),
    ("train R --multi", "nearest: --multirun"),
    ("train R attend dot", "an override is key=value"),
    ("train R +optimizer.lr=3", "leave the + out"),
    ("train R corpus=table corpus.columns.text=sentence", "write corpus.columns={text: ...}"),
    ("train R hydra.run.dir=x", "a run lies in runs_dir=DIR"),
    # choices
    ("train R attend=multi_head", "nearest: multihead_dot"),
    ("train R optimizer=sgd", "nearest: adadelta, adam, adamw"),
    ("train R corpus=librispech", "nearest: librispeech"),
    ("train R tokenizer=sentencepiece", "bpe"),
    ("train R listen=null", "listen takes one of blstm"),
    ("train R listen=pretrained", "add listen.weights=..."),
    # kinds and ranges of values
    ("train R listen.layers=3.5", "takes a whole number (it is 3), got 3.5"),
    ("train R seed=one", "seed takes a whole number"),
    ("train R trainer.max_epochs=1h", "takes a whole number"),
    ("train R optimizer.lr=1e-3s", "takes a number"),
    ("train R evaluate.splits=test", "write evaluate.splits=[test]"),
    ("train R evaluate.splits=[tset]", "evaluate.splits names tset; the corpus has dev, test, train (nearest: test)"),
    ("train R corpus=table corpus.train=table.tsv corpus.dev=table.tsv", "name its list, as corpus.test=..., or leave"),
    ("train lm/synthetic_char evaluate.splits=[tset]", "the corpus has dev, train"),
    ("train R tokenizer=grown", "add adapt=full"),
    ("train R loss.ctc_weight=2", "must lie in [0, 1], got 2"),
    ("train R batching.max_utterances=0", "must be positive"),
    ("train R threads=0", "a whole number from 1 to 4096"),
    ("train R trainer.precision=16", "is not one of 32-true, bf16-mixed, 16-mixed"),
    ("train R trainer.precision=fp16", "is not one of 32-true, bf16-mixed, 16-mixed"),
    ("train R trainer.max_steps=-1 trainer.max_epochs=-1", "set one of them"),
    ("train R trainer.accelerator=tensor", "nearest: "),
    ("train R frontend.sample_rate_hz=16", "in hertz, 16000 for 16 kHz"),
    ("prepare R corpus=table corpus.train=table.tsv corpus.held_out=25", "between 0 and 0.5"),
    # sweeps and plugins
    ("train R seed=1,2", "add -m to run every value"),
    ("train R -m optimizer.lr=interval(0.1,0.2)", "add hydra/sweeper=optuna"),
    ("train R -m hydra/launcher=joblib seed=1,2", "pip install hydra-joblib-launcher"),
    ("train R hydra/sweeper=optuna", "has no effect without -m"),
    # runs, splits, files and formats
    ("train --resume absent", "absent does not exist"),
    ("train R search.lm=absent search.lm_weight=0.3", "absent does not exist"),
    ("train R search.lm=absent.arpa search.lm_weight=0.3", "absent.arpa is missing"),
    ("train R adapt=lora", "warm_start.run=RUN, a run folder or bundle"),
    ("transcribe absent beam=5 a.wav", "an option of it is search.beam=5"),
    ("plan . --difference 1", "name the sweep, or that file"),
    ("train R --resume absent", "train takes a RECIPE, or --resume RUN"),
    ("evaluate absent", "absent does not exist"),
    ("evaluate absent --split dev", "unknown option --split"),
    ("transcribe absent", "the following arguments are required: AUDIO"),
    ("compare", "give RUN|SWEEP|FILE|NAME=HYP"),
    ("compare absent other --metric bleu", "choose from"),
    ("compare absent --baseline other", "absent does not exist"),
    ("average absent", "average takes either --best N or --last N"),
    ("export absent", "the following arguments are required: --out"),
    ("export absent --out table.tsv", "is a file, not a folder"),
    ("plan --difference 0", "must be above 0"),
    ("score table.tsv", "name REF and HYP"),
    ("check attention=dot", "GROUP of attend, listen"),
    ("check attend=locaton", "nearest: location"),
    ("prepare R --shards table.tsv", "is a file, not a folder"),
    ("import absent --out t.tsv", "SOURCE is a table"),
    ("import table.tsv --out t.csv", "a table is written as .tsv or .jsonl"),
    ("import table.tsv --out t.tsv", "corpus.columns={text: sentence}"),
    ("options attend=locaton", "nearest: location"),
    ("runs absent", "name a folder"),
]


@pytest.mark.parametrize(("line", "mend"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_one_line_that_names_the_mend(
    line: str, mend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_arguments: object) -> None:
        raise AssertionError(f"{line} was trained")

    monkeypatch.setattr(Task, "train", refuse)
    monkeypatch.chdir(tmp_path)
    for name in ("LASASR_DATA", "LASASR_RUNS", "HYDRA_FULL_ERROR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "table.tsv").write_text("path\tsentence\na.wav\thello\n")
    (tmp_path / "recordings").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("schema: 1\nlisten: {}\n")
    (tmp_path / "run" / "card.json").write_text("{}")
    status = main([RECIPE if word == "R" else word for word in shlex.split(line)])
    err = capsys.readouterr().err
    assert status in (1, 2)
    assert err.count("\n") == 1
    assert mend in err


def test_they_are_many_and_of_every_verb() -> None:
    assert len({line for line, _ in MISTAKES}) >= 40
