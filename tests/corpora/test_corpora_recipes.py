"""Every shipped recipe of a corpus makes a step, decodes and writes its results on a corpus of the same layout."""

import json
import sys
from pathlib import Path

import pytest
import torch
from corpora_tiny import silent

from lasasr.cli import recipes
from lasasr.cli.compose import load
from lasasr.corpora.layouts import write_librispeech, write_timit
from lasasr.corpora.manifest import read_cuts
from lasasr.tasks.lookup import task_of
from lasasr.text.timit import PHONES_39

SMALL = (
    "listen.hidden_dim=8",
    "spell.hidden_dim=8",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=-1",
    "trainer.max_steps=1",
    "trainer.accumulate_grad_batches=1",
    "trainer.val_check_interval=1",
    "trainer.check_val_every_n_epoch=null",
    "evaluate.maps=0",
    "validation.maps=0",
    "search@validation.search=greedy",
    "search.limits.max_length=6",
    "validation.search.limits.max_length=6",
    "search.beam=2",
)
PIECES = ["tokenizer.vocabulary_size=40", "batching.batch_seconds=8.0"]
NARROW = ["attend.dim=8", "spell.readout_dim=8", "spell.embedding_dim=8"]
AGES = ["listen.weights=weights", "listen.top.hidden_dim=8", "corpus.dev_speakers=1"]
ABOVE_PRETRAINED = ["listen.weights=weights", "listen.top.hidden_dim=8", "tokenizer.vocabulary_size=40"]
OF_ITS_OWN = {
    "timit/joint_phone39": ["listen.projection_dim=8"],
    "speechocean762/attention_phone39": ["++warm_start.run=null"],  # it has no run to begin with here
    "librispeech/las_100h_bpe1k": PIECES,
    "librispeech40/conformer": ["listen.heads=2", "listen.feedforward_dim=8", "listen.layers=1"],
    "speechocean762/pretrained_phone39": ["listen.weights=weights", "listen.top.hidden_dim=8"],
    "librispeech40/pretrained_char": ["listen.weights=weights", "listen.top.hidden_dim=8"],
    "librispeech40/to_speechocean": ["listen.weights=weights", "listen.top.hidden_dim=8"],
    "speechocean762/adults_phone39": AGES,
    "speechocean762/adults_to_children": AGES,
    "librispeech40/pretrained": ABOVE_PRETRAINED,
    "librispeech40/pretrained_speeds": [*ABOVE_PRETRAINED, "++warm_start.run=null"],
    "librispeech/joint_960h_wp1k": [*PIECES, "listen.layers=1", "listen.channels=[2]", *NARROW],
}
CORPORA = ("librispeech", "librispeech40", "speechocean762", "timit")
RECIPES = [name for name in recipes.shipped() if name.partition("/")[0] in CORPORA]


@pytest.fixture(scope="module")
def data(manifests, tmp_path_factory):
    """One folder with all three corpora, as LASASR_DATA names it."""
    root = tmp_path_factory.mktemp("data")
    cuts = {split: list(read_cuts(path)) for split, path in manifests.items()}
    cuts["train"] = [cut for spoken in cuts.values() for cut in spoken]  # so that it has every character
    write_timit(cuts["train"], root / "TIMIT", "TRAIN")
    write_timit(cuts["dev"], root / "TIMIT", "TEST", speakers=["DR1/FAKS0"])
    write_timit(cuts["test"], root / "TIMIT", "TEST", speakers=["DR1/FELC0"])
    for number, name in enumerate(("clean-100", "clean-360", "other-500")):
        write_librispeech(cuts["train"], root, f"train-{name}", first_speaker=100 * (number + 1))
    for number, name in enumerate(("dev-clean", "dev-other", "test-clean", "test-other")):
        write_librispeech(cuts["dev"], root, name, first_speaker=1000 * (number + 1))
    write_speechocean(cuts["train"], root / "speechocean762" / "train")
    write_speechocean(cuts["test"], root / "speechocean762" / "dev")
    return root


def write_speechocean(cuts, folder):
    """Kaldi's lists of cuts that lie elsewhere; one phone per word."""
    folder.mkdir(parents=True)
    lists = {"wav.scp": [], "text": [], "utt2spk": [], "text-phone": []}
    named = sorted({f"{folder.name}-{cut.supervisions[0].speaker}" for cut in cuts})
    lists["spk2age"] = [f"{speaker}\t{(7, 25)[number % 2]}" for number, speaker in enumerate(named)]
    for cut in cuts:
        supervision = cut.supervisions[0]
        lists["wav.scp"].append(f"{cut.id}\t{cut.recording.sources[0].source}")
        lists["text"].append(f"{cut.id}\t{supervision.text.upper()}")
        lists["utt2spk"].append(f"{cut.id}\t{folder.name}-{supervision.speaker}")
        phones = " | ".join("AA1_S" if word[0] in "aeiou" else "T_S" for word in supervision.text.split())
        lists["text-phone"].append(f"{cut.id}\t{phones}")
    for name, lines in lists.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))


def speakers_in(data):
    """The speakers that are there in place of those that librispeech40 lists."""
    there = sorted(path.name for path in (data / "LibriSpeech" / "train-clean-100").iterdir())
    return [
        "~corpus.splits.train",
        f"+corpus.splits.train={{train-clean-100: [{','.join(there)}]}}",
        "~corpus.splits.dev",
        "+corpus.splits.dev={dev-clean: [1000]}",
        "corpus.splits.test.test-clean=[3000]",
        "corpus.splits.test-other.test-other=[4000]",
    ]


def write_weights(folder):
    """A small Whisper with random weights and Whisper's positions; skips where transformers is not installed."""
    pytest.importorskip("transformers", reason="no transformers: pip install 'lasasr[pretrained]'")
    sys.path.append(str(Path(__file__).parents[1] / "listen" / "pretrained"))
    from pretrained_folders import model_of
    from transformers.models.whisper.modeling_whisper import sinusoids

    model = model_of("whisper")
    positions = model.model.encoder.embed_positions.weight
    with torch.no_grad():
        positions.copy_(sinusoids(*positions.shape))
    model.save_pretrained(folder)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_makes_a_step(recipe, data, tmp_path, monkeypatch):
    monkeypatch.setenv("LASASR_DATA", str(data))
    monkeypatch.setenv("LASASR_PREPARED", str(data.parent / "prepared"))
    # the tiny corpora share audio and have few frames, which the look before training refuses
    monkeypatch.setattr("lasasr.doctor.examination.warn_or_refuse", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    own = OF_ITS_OWN.get(recipe, [])
    if pretrained := "listen.weights=weights" in own:
        write_weights("weights")
    small = [one for one in SMALL if not (one.startswith("listen.hidden_dim") and pretrained)]
    speakers = speakers_in(data) if recipe.startswith("librispeech40") and "speechocean" not in recipe else []
    settings = load(recipe, [*small, *speakers, *own])
    assert settings.trainer["max_steps"] == 1
    facts = task_of(settings).train(tmp_path, resume=False, progress=silent)
    assert facts["steps"] == 1
    assert list(facts["results"]) == list(settings.evaluate.splits)
    for split, summary in facts["results"].items():
        lines = [json.loads(line) for line in (tmp_path / "results" / f"{split}.jsonl").read_text().splitlines()]
        assert summary["utterances"] == len(lines) > 0
        assert summary["metric"] == ("per" if settings.corpus.get("text") == "phones" or "phone" in recipe else "wer")
        if recipe.startswith("timit"):
            scored = {phone for line in lines for phone in f"{line['reference']} {line['hypothesis']}".split()}
            assert scored <= set(PHONES_39)
            assert "39 phones of Lee & Hon" in summary["protocol"]
