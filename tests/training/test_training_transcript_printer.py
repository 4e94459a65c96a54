"""The dev utterance whose text is shown while training: the same one at each validation, and each time its text."""

import random
from types import SimpleNamespace

import pytest
from training_tiny import training

from lasasr.training.transcript_printer import TranscriptPrinter, example


def outcome(name, reference, text=""):
    return SimpleNamespace(id=name, reference=reference, best=SimpleNamespace(text=text))


def test_the_example_is_the_same_whatever_the_order():
    outcomes = [outcome(f"u{number}", "x" * number) for number in (3, 38, 42, 90)]
    outcomes.append(outcome("a", "y" * 42))
    chosen = {example(random.Random(seed).sample(outcomes, k=5)).id for seed in range(20)}
    assert chosen == {"a"}


def test_the_reference_is_printed_once_and_the_text_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    module = training()
    printer = TranscriptPrinter("wer", "WER", " %")
    printer.disable()
    trainer = SimpleNamespace(
        is_global_zero=True,
        callback_metrics={"dev/wer": 50.0},
        checkpoint_callback=None,
        current_epoch=0,
        global_step=3,
        sanity_checking=False,
        state=SimpleNamespace(fn="fit"),
    )
    printer._trainer = trainer
    printer.val_progress_bar = SimpleNamespace(close=lambda: None)
    for text in ("hello word", "hello world", "\x1b[31m" + "long " * 40):
        module.outcomes = [outcome("u1", "hello world", text), outcome("u2", "hi")]
        printer.on_validation_end(trainer, module)
    lines = capsys.readouterr().err.splitlines()
    assert [line.strip() for line in lines if "u1" in line] == ["dev u1, said:  hello world"]
    shown = [line.split(":  ")[1] for line in lines if "recognized" in line]
    assert shown[:2] == ["hello word", "hello world"]
    assert shown[2].startswith("\\u001b[31mlong")
    assert len(shown[2]) == 100
