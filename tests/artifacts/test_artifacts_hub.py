"""What comes from the hub: its own cache is read, nothing else is fetched, and a file that differs is named."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from tiny_recognizer import greedy, parts

from lasasr.artifacts import hub
from lasasr.errors import LasasrError, UsageError
from lasasr.models.recognizer import Recognizer
from lasasr.text.character import CharacterTokenizer

COMMIT = "a" * 40


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "bundle"
    Recognizer.build(parts(0.3, search=greedy(2, 5)), CharacterTokenizer.train(["ab c"]), "none/1").save(folder)
    return folder


def test_a_downloaded_model_is_read_without_a_network(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache is laid out as huggingface_hub documents it."""
    constants = pytest.importorskip("huggingface_hub.constants", reason="the extra hub is not installed")
    repository = tmp_path / "cache" / "models--someone--speech"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    shutil.copytree(bundle, repository / "snapshots" / COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    found = Recognizer.from_pretrained("someone/speech", local_files_only=True)
    expected = Recognizer.load(bundle).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in found.state_dict().items())
    with pytest.raises(LasasrError, match="no/such is no folder, and cannot be had of what was downloaded before"):
        Recognizer.from_pretrained("no/such", local_files_only=True)


def test_a_file_that_differs_is_missing_or_was_added_is_named(bundle: Path) -> None:
    paths = [path for path in sorted(bundle.rglob("*")) if path.is_file()]
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(bundle)}\n" for path in paths]
    (bundle / hub.SUMS).write_text("".join(sums))
    Recognizer.from_pretrained(bundle)
    config = bundle / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("seed: 1", "seed: 2"))
    with pytest.raises(LasasrError, match=r"config\.yaml has another sha256"):
        Recognizer.from_pretrained(bundle)
    config.write_text(text)
    (bundle / "scorer-0.txt").write_text("x")
    with pytest.raises(LasasrError, match=r"SHA256SUMS does not list scorer-0\.txt"):
        Recognizer.from_pretrained(bundle)
    (bundle / "scorer-0.txt").unlink()
    (bundle / "tokenizer.json").rename(bundle / "tokenizer.txt")
    with pytest.raises(LasasrError, match=r"tokenizer\.json, which SHA256SUMS lists, is missing; fetch or export"):
        Recognizer.from_pretrained(bundle)


def test_what_is_neither_is_one_line(bundle: Path) -> None:
    with pytest.raises(LasasrError, match="nowhere is neither a folder nor a name of the hub"):
        Recognizer.from_pretrained("nowhere")
    with pytest.raises(LasasrError, match=r"\./nowhere is neither a folder nor a name of the hub"):
        Recognizer.from_pretrained("./nowhere")
    with pytest.raises(UsageError, match="revision=v1 is of the hub"):
        Recognizer.from_pretrained(bundle, revision="v1")
