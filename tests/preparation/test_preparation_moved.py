"""A prepared folder that was moved: what is missing is said with the way out, and prepare mends it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from lasasr.cli.compose import compose
from lasasr.configuration.settings import Recognition, load
from lasasr.data import moved_audio
from lasasr.doctor.audio import audio
from lasasr.errors import LasasrError
from lasasr.preparation.speech import prepare

SMALL = ("corpus.hours=0.002", "corpus.dev_utterances=2", "corpus.test_utterances=2", "corpus.workers=1")
RATE_HZ = 16_000


def silent(*_: object) -> None:
    """Progress that nobody watches."""


def settings(folder: Path) -> Recognition:
    loaded = load(compose("synthetic/las_char", [*SMALL, f"prepared_dir={folder}"]), "test")
    assert isinstance(loaded, Recognition)
    return loaded


def waveforms(folder: Path, again: bool = False) -> list[torch.Tensor]:
    dataset = prepare(settings(folder), silent, again).dataset("dev", RATE_HZ)
    return [dataset.waveform(index) for index in range(len(dataset))]


def test_a_moved_folder_is_said_to_be_one_and_is_prepared_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = waveforms(tmp_path / "before")
    contents = prepare(settings(tmp_path / "before"), silent).content("dev")
    (tmp_path / "before").rename(tmp_path / "after")

    prepared = prepare(settings(tmp_path / "after"), silent)
    moved = (
        rf"utterance \S+: {tmp_path}/before/\S+ is missing: {prepared.folder} was moved from {tmp_path}/before/\S+, "
    )
    with pytest.raises(LasasrError, match=rf"^{moved}.*; move it back, or run lasasr prepare, which prepares it anew$"):
        prepared.dataset("dev", RATE_HZ).waveform(0)
    (finding,) = audio("dev", prepared.utterances("dev"), RATE_HZ, silent)
    assert "was moved from" in finding.line()
    assert prepared.content("dev") == contents

    after = waveforms(tmp_path / "after", again=True)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert prepare(settings(tmp_path / "after"), silent).content("dev") == contents
    assert f"dev: {prepared.folder} was moved from {tmp_path}/before/" in capsys.readouterr().err
    waveforms(tmp_path / "after", again=True)  # nothing is left to do
    assert capsys.readouterr().err == ""


def test_what_is_nowhere_is_said_with_the_folder_to_delete(tmp_path: Path) -> None:
    prepared = prepare(settings(tmp_path), silent)
    for manifest in prepared.manifests.values():
        assert moved_audio.moved_from(manifest) is None
        assert moved_audio.explained(manifest, prepared.utterances("dev").cuts[0]) is None
    shutil.rmtree(prepared.folder / "audio" / "dev")
    with pytest.raises(
        LasasrError, match=f"is missing; put it back, or delete {prepared.folder} and run lasasr prepare"
    ):
        prepared.dataset("dev", RATE_HZ).waveform(0)
    assert moved_audio.moved_from(prepared.manifests["dev"]) is None
