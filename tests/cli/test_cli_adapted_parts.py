"""With adapt= the parts are the bundle's, and an override that disagrees is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_recognizer import parts

from lasasr.artifacts import run_paths
from lasasr.artifacts.runs import Run
from lasasr.cli.compose import compose
from lasasr.corpora.own_speech import OwnSpeechCorpus
from lasasr.errors import LasasrError, UsageError
from lasasr.models.factory import corpus as corpus_of
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer

RECIPE = "synthetic/las_char"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapted") / "bundle"
    Recognizer.build(parts(0.3), CharacterTokenizer.train(["abc"]), "none/1").save(folder)
    return folder


def composed(bundle: Path, *overrides: str) -> dict[str, Any]:
    return compose(RECIPE, ["adapt=lora", f"warm_start.run={bundle}", *overrides])


def test_all_parts_and_the_tokenizer_are_the_bundles(bundle: Path) -> None:
    config, own = composed(bundle), parts(0.3)
    for name in ("frontend", "listen", "attend", "spell"):
        assert config[name] == getattr(own, name)
    assert config["tokenizer"] == {"_target_": "lasasr.models.factory.tokenizer_of_run", "run": str(bundle)}
    assert config["choices"]["attend"] == "DotAttention"  # of a bundle without a run nobody knows the choice
    assert config["adapt"]["lora"]["rank"] == 4
    plain = compose(RECIPE, [f"warm_start.run={bundle}"])
    assert plain["attend"] != config["attend"]
    assert {key for key in config if config[key] != plain[key]} == {
        *("frontend", "listen", "attend", "spell", "tokenizer", "adapt", "choices")
    }


def test_a_run_says_what_its_choices_were_called(bundle: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.start({"recipe": "mine", "seed": 1, "choices": {"attend": "mine", "corpus": "other"}}, [])
    bundle.rename(run.bundle)
    try:
        assert run_paths.is_run(run.folder)
        choices = composed(run.folder)["choices"]
        assert (choices["attend"], choices["corpus"]) == ("mine", "synthetic")
    finally:
        run.bundle.rename(bundle)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("listen.hidden_dim=7", r"listen\.hidden_dim=7: the bundle has 6; with adapt= all parts come from "),
        ("listen.layers=9", r"listen\.layers=9: the bundle has 2"),
        ("attend=additive", r"attend=additive is not what the bundle has \(_target_, "),
        ("listen=transformer", r"listen=transformer is not what the bundle has"),
        ("frontend.bins=40", r"frontend\.bins=40: the bundle has 8"),
        ("tokenizer=bpe", r"tokenizer=bpe is another tokenizer than the bundle's"),
        ("tokenizer.transcript=x", r"no|unknown"),
        ("warm_start.parts=[encoder]", r"warm_start\.parts=\[encoder\]: with adapt= all parts come from"),
    ],
)
def test_an_override_that_disagrees_is_refused_by_name(bundle: Path, override: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        composed(bundle, override)


def test_what_agrees_or_is_of_training_alone_is_taken(bundle: Path) -> None:
    config = composed(
        bundle, "listen.dropout=0.25", "listen.lstm=packed", "attend.dim=4", "frontend.bins=8", "optimizer.lr=1e-4"
    )
    assert config["listen"] == {**parts(0.3).listen, "dropout": 0.25, "lstm": "packed"}
    assert config["attend"] == parts(0.3).attend
    assert composed(bundle, "tokenizer=of_run", f"tokenizer.run={bundle}")["tokenizer"]["run"] == str(bundle)


def test_what_is_missing_or_idle_is_named(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^adapt=lora,full needs what it trains on: warm_start\.run=RUN"):
        compose(RECIPE, ["adapt=[lora,full]"])
    with pytest.raises(UsageError, match=r"^adapt\.bundle is set, but no method is chosen"):
        compose(RECIPE, ["adapt.bundle=whole"])
    with pytest.raises(UsageError, match=r"^adapt\.warmup_steps is set, but no method is chosen"):
        compose(RECIPE, ["+adapt.warmup_steps.encoder=3", f"warm_start.run={bundle}"])
    with pytest.raises(LasasrError, match="nothing does not exist"):
        compose(RECIPE, ["adapt=lora", f"warm_start.run={tmp_path / 'nothing'}"])
    folder = tmp_path / "lm"
    folder.mkdir()
    (folder / "model.safetensors").touch()
    (folder / "config.yaml").write_text(yaml.safe_dump({"schema": 1, "lm": {}}))
    with pytest.raises(LasasrError, match=r"is a language model: adapt is for recognizers"):
        compose(RECIPE, ["adapt=lora", f"warm_start.run={folder}"])


def test_a_grown_tokenizer_is_that_of_the_bundle(bundle: Path) -> None:
    own = {"_target_": "lasasr.models.factory.grown_tokenizer", "_partial_": True, "run": str(bundle)}
    for words in (["tokenizer=grown"], ["tokenizer=grown", f"tokenizer.run={bundle}"]):
        config = composed(bundle, *words)
        assert config["tokenizer"] == own
        assert config["choices"]["tokenizer"] == "grown"


def test_a_speaker_makes_of_the_corpus_what_that_speaker_says(bundle: Path) -> None:
    whole = composed(bundle)["corpus"]
    own = composed(bundle, "adapt.speaker=1089", "adapt.minutes=2")["corpus"]
    assert own == {
        "_target_": "lasasr.corpora.own_speech.OwnSpeechCorpus",
        "corpus": whole,
        "speaker": "1089",
        "minutes": 2,
    }
    assert isinstance(corpus_of(own), OwnSpeechCorpus)
    with pytest.raises(UsageError, match=r"^adapt\.minutes=2 needs whose speech it is: adapt\.speaker=ID"):
        composed(bundle, "adapt.minutes=2")
    with pytest.raises(UsageError, match=r"^adapt\.speaker is set, but no method is chosen"):
        compose(RECIPE, ["adapt.speaker=me"])
