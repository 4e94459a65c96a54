"""Every fault a corpus can have, made on purpose: the check meant for it finds it, and no other complains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from doctor_corpus import RATE_HZ, Corpus, faults, tone
from torch.nn.functional import ctc_loss

from lasasr.doctor import examination, memory
from lasasr.doctor.batches import Shape
from lasasr.doctor.memory import Cost
from lasasr.errors import LasasrError
from lasasr.preparation.speech import prepare
from lasasr.text import special


@pytest.fixture(autouse=True)
def no_second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe takes seconds, and has a test of its own."""
    monkeypatch.setattr(memory, "probe", lambda config, shape: Cost(1, None, "cpu"))


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path)


def test_a_clean_corpus_has_neither_errors_nor_warnings(corpus: Corpus) -> None:
    report = corpus.examine()
    assert faults(report) == []
    assert report.facts["splits"]["train"] == {"utterances": 8, "speakers": 2, "hours": pytest.approx(0.0036, abs=1e-4)}
    assert sum(count for _, _, count in report.facts["durations_s"]["train"]) == 8


def test_too_little_speech_is_said_with_its_amount_and_what_is_usual(tmp_path: Path) -> None:
    def warned(size: int, *overrides: str, seconds: float = 1.0) -> list[str]:
        folder = tmp_path / f"{size}-{seconds}"
        folder.mkdir(exist_ok=True)
        corpus = Corpus(folder, (size, 2, 2), seconds)
        report = corpus.examine(*overrides, listen=False)
        return [one.line() for one in report.of("warning") if one.kind == "too little speech"]

    (line,) = warned(10)
    assert line.startswith("train: too little speech; 10 utterances, 10 s, are far too little to learn from")
    assert "200 utterances or more, and 3 min" in line
    assert "warm_start.run" in line
    assert warned(10, "debug=overfit") == []
    assert len(warned(199)) == 1
    assert warned(200) == []
    assert len(warned(201, seconds=0.5)) == 1  # 1.7 min


def only(corpus: Corpus, kind: str, severity: str, split: str, *ids: str, **options: Any) -> str:
    """The one fault; its advice."""
    (found,) = faults(corpus.examine(**options))
    assert (found.kind, found.severity, found.split, found.ids) == (kind, severity, split, ids)
    if ids:
        assert found.count == len(ids)
        assert found.share == pytest.approx(len(ids) / len(corpus.rows[split]))
    return found.advice


def test_a_flipped_bit(corpus: Corpus) -> None:
    assert faults(corpus.examine()) == []
    path = corpus.audio("test-11")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    soundfile.read(path)  # no decoder notices
    assert "other content" in only(corpus, "changed since prepared", "error", "test", "test-11")


def test_a_file_cut_short_after_preparation(corpus: Corpus) -> None:
    corpus.examine()
    path = corpus.audio("train-02")
    path.write_bytes(path.read_bytes()[:-3200])
    kinds = {one.kind for one in faults(corpus.examine()) if one.ids == ("train-02",)}
    assert kinds == {"changed since prepared", "other length"}


def test_another_rate_and_more_channels_after_preparation(corpus: Corpus) -> None:
    corpus.examine()
    soundfile.write(corpus.audio("dev-09"), np.stack([tone(1), tone(2)], 1), 8000)
    kinds = {one.kind for one in faults(corpus.examine()) if one.ids == ("dev-09",)}
    assert kinds == {"changed since prepared", "other rate or channels"}


def test_a_file_gone_after_preparation(corpus: Corpus) -> None:
    corpus.examine()
    corpus.audio("dev-09").unlink()
    assert "missing" in only(corpus, "unreadable", "error", "dev", "dev-09")


def test_a_file_gone_before_preparation(corpus: Corpus) -> None:
    corpus.audio("dev-09").unlink()
    advice = only(corpus, "unreadable", "error", "dev", "dev-09")
    assert "dev.jsonl, line 2" in advice
    assert "dev-09.wav is missing" in advice


def test_a_damaged_flac(corpus: Corpus) -> None:
    corpus.rows["train"][4]["audio"] = "spoiled.flac"
    path = corpus.folder / "spoiled.flac"
    soundfile.write(path, tone(4), RATE_HZ)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    only(corpus, "unreadable", "error", "train", "train-04")


def test_nan_in_a_float_file(corpus: Corpus) -> None:
    samples = tone(4)
    samples[800] = np.nan
    soundfile.write(corpus.audio("train-04"), samples, RATE_HZ, subtype="FLOAT")
    advice = only(corpus, "unreadable", "error", "train", "train-04")
    assert "NaN or infinite samples, the first at 0.050 s" in advice
    assert "train.jsonl, line 5" in advice


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_silence(corpus: Corpus, level: float) -> None:
    soundfile.write(corpus.audio("train-05"), np.full(24_000, level), RATE_HZ)
    only(corpus, "digital silence", "warning", "train", "train-05")


@pytest.mark.parametrize("gain", [1.0, 0.4])
def test_clipping_at_full_scale_and_turned_down_afterwards(corpus: Corpus, gain: float) -> None:
    soundfile.write(corpus.audio("train-05"), gain * np.clip(6 * tone(5), -1, 1), RATE_HZ)
    only(corpus, "clipping", "warning", "train", "train-05")


def test_most_of_it_missing(corpus: Corpus) -> None:
    samples = tone(6)
    samples[4000:20_000] = 0
    soundfile.write(corpus.audio("train-06"), samples, RATE_HZ)
    assert "67 %" in only(corpus, "dropouts", "warning", "train", "train-06")


def test_telephone_speech(corpus: Corpus) -> None:
    soundfile.write(corpus.audio("train-06"), tone(6)[::2], RATE_HZ // 2)
    only(corpus, "low sampling rate", "warning", "train", "train-06")


def test_a_character_outside_the_vocabulary(corpus: Corpus) -> None:
    corpus.rows["test"][1]["text"] = "go zebra"
    advice = only(corpus, "outside the vocabulary", "warning", "test", "test-12")
    assert advice.startswith("these count as errors: character 'z'")


@pytest.mark.parametrize(
    ("first", "second"), [("Eins", "eins"), ("caf\u00e9", "cafe\u0301"), ("STRASSE", "stra\u00dfe"), ("\u2460", "1")]
)
def test_ids_that_only_case_or_unicode_form_tell_apart(corpus: Corpus, first: str, second: str) -> None:
    corpus.rows["train"][2]["id"], corpus.rows["train"][5]["id"] = first, second
    only(corpus, "ids alike", "warning", "train", first, second)


def test_an_id_too_long_for_a_file_name(corpus: Corpus) -> None:
    corpus.rows["dev"][1]["id"] = "\u00fc" * 101
    only(corpus, "long id", "warning", "dev", "\u00fc" * 101)
    corpus.rows["dev"][1]["id"] = "\u00fc" * 100
    assert faults(corpus.examine()) == []


def test_the_same_audio_with_another_text(corpus: Corpus) -> None:
    corpus.rows["train"][5]["audio"] = corpus.rows["train"][2]["audio"]
    only(corpus, "audio with two texts", "warning", "train", "train-02", "train-05")
    corpus.rows["train"][5]["text"] = corpus.rows["train"][2]["text"]
    assert "audio with two texts" not in {finding.kind for finding in corpus.examine().findings}


def test_columns_that_are_not_read(corpus: Corpus) -> None:
    for row in corpus.rows["dev"]:
        row["end"] = 1.0
    assert "column end is not read: did you mean end_s?" in only(corpus, "columns not read", "warning", "dev")


def test_a_transcript_that_is_empty_after_the_rule(corpus: Corpus) -> None:
    corpus.rows["train"][0]["text"] = "?!"
    assert "empty transcript" in only(corpus, "empty transcript", "error", "train", "train-00")


def test_a_transcript_too_long_for_its_audio(corpus: Corpus) -> None:
    corpus.rows["train"][1]["text"] = "left right " * 12
    kinds = {one.kind: one.severity for one in faults(corpus.examine()) if one.ids == ("train-01",)}
    assert kinds == {"fewer frames than tokens": "warning", "rate of speech": "warning"}


@pytest.mark.parametrize(("split", "severity"), [("train", "error"), ("dev", "error"), ("test", "warning")])
def test_a_text_that_nobody_can_speak_in_its_time(corpus: Corpus, split: str, severity: str) -> None:
    row = corpus.rows[split][-1]
    seconds = len(soundfile.read(corpus.audio(row["id"]))[0]) / RATE_HZ
    row["text"] = ("go " * 5_000)[: int(100 * seconds)].strip()  # as much as is possible, or one token less
    assert "text longer than speech" not in {one.kind for one in faults(corpus.examine(listen=False))}
    row["text"] = ("go " * 5_000)[: int(100 * seconds) + 3].strip()
    (found,) = [one for one in faults(corpus.examine(listen=False)) if one.kind == "text longer than speech"]
    assert (found.severity, found.split, found.ids) == (severity, split, (row["id"],))
    assert f"{len(row['text'])} tokens in {seconds:.3g} s" in found.advice


def test_frames_against_tokens_follow_the_encoder(corpus: Corpus) -> None:
    found = faults(corpus.examine("listen.subsampling_factor=32", listen=False))
    assert [(one.kind, one.split, one.severity) for one in found] == [
        ("fewer frames than tokens", "train", "error"),
        ("fewer frames than tokens", "dev", "warning"),
        ("fewer frames than tokens", "test", "warning"),
    ]


def test_frames_against_tokens_by_brute_force(corpus: Corpus) -> None:
    """Second truth: torch's own CTC loss is infinite for exactly these utterances."""
    for row, times in zip(corpus.rows["train"], range(5, 60, 7), strict=True):
        row["text"] = "oop" * times
    settings = corpus.settings()
    dataset = prepare(settings, lambda task, done, total: None).dataset("train", RATE_HZ)
    without_path = []
    for index, name in enumerate(dataset.utterances.ids):
        frames = 1 + (len(dataset.waveform(index)) - 400) // 160
        encoded = -(-frames // settings.listen["subsampling_factor"])
        tokens = torch.tensor([dataset.tokenizer.encode(dataset.utterances.texts[index])])
        log_probs = torch.zeros(encoded, 1, 40).log_softmax(-1)
        loss = ctc_loss(log_probs, tokens, [encoded], [tokens.shape[1]], blank=special.BLANK, reduction="sum")
        without_path += [name] if loss.isinf() else []
    (found,) = [one for one in corpus.examine(listen=False).findings if one.kind == "fewer frames than tokens"]
    assert list(found.ids) == without_path
    assert 0 < len(without_path) < 8


def test_an_id_that_stands_twice(corpus: Corpus) -> None:
    corpus.rows["train"][1]["id"] = "train-00"
    (found,) = corpus.examine().findings
    assert found.severity == "error"
    assert "id train-00 stands in line 1 already" in found.advice


def test_audio_of_train_in_test(corpus: Corpus) -> None:
    corpus.rows["test"][0]["audio"] = "train-02.wav"
    only(corpus, "audio of train", "error", "test", "test-11")


def test_audio_of_train_in_dev_is_a_warning(corpus: Corpus) -> None:
    corpus.rows["dev"][0]["audio"] = "train-02.wav"
    only(corpus, "audio of train", "warning", "dev", "dev-08")


def test_other_parts_of_one_recording_are_not_shared_and_overlapping_ones_are(corpus: Corpus) -> None:
    corpus.rows["train"][7] |= {"end_s": 0.8}
    for row, start_s in zip(corpus.rows["test"], (0.8, 0.6, 0.2), strict=True):
        row |= {"audio": "train-07.wav", "start_s": start_s, "end_s": start_s + 0.7}
    only(corpus, "audio of train", "error", "test", "test-13")


def test_a_copy_of_train_in_test(corpus: Corpus) -> None:
    corpus.audio("test-12").write_bytes(corpus.audio("train-02").read_bytes())
    assert "copy of" in only(corpus, "copy of train", "error", "test", "test-12")


def test_overfitting_on_purpose_is_no_leak(corpus: Corpus) -> None:
    assert faults(corpus.examine("debug=overfit")) == []


@pytest.mark.parametrize(
    ("field", "kind"), [("speaker", "speaker of train"), ("text", "text of train"), ("id", "id of train")]
)
def test_what_train_and_test_share(corpus: Corpus, field: str, kind: str) -> None:
    corpus.rows["test"][2][field] = corpus.rows["train"][2][field]
    only(corpus, kind, "warning", "test", corpus.rows["test"][2]["id"])


def test_a_split_that_is_not_there(corpus: Corpus) -> None:
    (found,) = faults(corpus.examine("evaluate.splits=[test,tset]"))
    assert (found.kind, found.severity) == ("missing split", "error")
    assert "tset" in found.advice


def test_more_ranks_than_utterances(corpus: Corpus) -> None:
    (found,) = faults(corpus.examine(ranks=9))
    assert (found.kind, found.severity) == ("batches", "error")


def test_a_warm_up_that_never_ends(corpus: Corpus) -> None:
    (found,) = faults(corpus.examine("trainer.max_steps=50"))
    assert (found.kind, found.severity) == ("warm-up", "warning")


def test_the_report_as_json_holds_every_id(corpus: Corpus, tmp_path: Path) -> None:
    for row in corpus.rows["test"]:
        row["speaker"] = "train-speaker-0"
    report = corpus.examine()
    report.save(tmp_path / "report.json")
    saved = json.loads((tmp_path / "report.json").read_text())
    assert (saved["errors"], saved["warnings"]) == (0, 2)
    found, _ = [one for one in saved["findings"] if one["severity"] == "warning"]
    assert found["ids"] == ["test-11", "test-12", "test-13"]


def test_what_the_audio_check_refuses_is_what_training_refuses(corpus: Corpus) -> None:
    """Second truth: the dataset's own reading of the files."""
    settings = corpus.settings("loading.verify=never")
    dataset = prepare(settings, lambda task, done, total: None).dataset("train", RATE_HZ)
    soundfile.write(corpus.audio("train-04"), np.full(len(tone(4, 1.62)), np.inf), RATE_HZ, subtype="FLOAT")
    refused = []
    for index, name in enumerate(dataset.utterances.ids):
        try:
            dataset.waveform(index)
        except LasasrError:
            refused.append(name)
    kinds = {one.kind for one in examination.full_check(settings, lambda task, done, total: None).of("error")}
    assert kinds == {"changed since prepared", "NaN or infinite samples"}
    assert refused == ["train-04"]


def test_memory_that_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = Shape(4, 2.0, 10)
    assert memory.findings(None, [shape])[0].severity == "error"
    assert memory.findings(Cost(90, 100, "cpu"), [shape])[0].severity == "warning"
    assert memory.findings(Cost(10, 100, "cpu"), [shape])[0].severity == "note"
