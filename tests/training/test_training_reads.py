"""What a training reads, and how often."""

from __future__ import annotations

from pathlib import Path

import pytest
from doctor_corpus import Corpus
from loaded import recognition

from lasasr.data import manifest, manifest_index
from lasasr.data.manifest import Utterances, read_manifest
from lasasr.tasks.recognition import RecognitionTask
from lasasr.text import transcript
from lasasr.text.transcript import TranscriptRule


def test_each_manifest_is_read_once_and_each_transcript_normalised_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    normalised: list[str] = []

    def counted(path: Path, rule: TranscriptRule) -> Utterances:
        reads.append(path.name)
        return read_manifest(path, rule)

    def noted(raw: str) -> str:
        normalised.append(raw)
        return raw

    monkeypatch.setattr(manifest_index, "read_manifest", counted)
    monkeypatch.setattr(manifest, "read_manifest", counted)
    monkeypatch.setitem(transcript._RULES, "noted", TranscriptRule("noted", 1, noted))
    corpus = Corpus(tmp_path)
    plain = corpus.plain("trainer.max_steps=1", "validation.maps=0", "evaluate.maps=0", "corpus.transcript=noted")
    plain["loading"] |= {"num_workers": 0}
    facts = RecognitionTask(recognition(**plain)).train(tmp_path / "run", False, lambda *_: None)
    assert facts["steps"] == 1
    assert facts["results"]["test"]["utterances"] == 3
    assert sorted(reads) == ["dev.jsonl.gz", "test.jsonl.gz", "train.jsonl.gz"]
    assert sorted(normalised) == sorted(row["text"] for rows in corpus.rows.values() for row in rows)
