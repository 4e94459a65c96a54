"""Files of texts as other toolkits write them, and the same test set in every format."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path

from lasasr.metrics.error_rates import align

Texts = Mapping[str, str]
WORDS = ("one", "two", "three", "four", "five", "six", "seven")


def references(speakers: int = 8, each: int = 6, seed: int = 0) -> dict[str, str]:
    """`s0-u0` → words."""
    generator = random.Random(seed)
    return {
        f"s{speaker}-u{number}": " ".join(generator.choices(WORDS, k=generator.randint(2, 9)))
        for speaker in range(speakers)
        for number in range(each)
    }


def recognised(texts: Texts, rate: float, seed: int) -> dict[str, str]:
    """The texts with about `rate` of their words changed."""
    generator = random.Random(f"{rate} {seed}")
    return {key: " ".join(_heard(text.split(), rate, generator)) for key, text in texts.items()}


def _heard(words: list[str], rate: float, generator: random.Random) -> list[str]:
    heard: list[str] = []
    for word in words:
        drawn = generator.random() / rate
        heard += ["wrong"] if drawn < 0.5 else [] if drawn < 0.8 else [word, "more"] if drawn < 1.0 else [word]
    return heard


def write_trn(path: Path, texts: Texts) -> Path:
    """sclite's."""
    return _written(path, (f"{text} ({key})" for key, text in texts.items()))


def write_kaldi(path: Path, texts: Texts) -> Path:
    """A text or an utt2spk."""
    return _written(path, (f"{key} {text}" for key, text in texts.items()))


def write_espnet(folder: Path, reference_texts: Texts, texts: Texts, speakers: Texts) -> Path:
    """text, and score_wer as scripts of ESPnet write it: the words, a tab, (speaker-utterance)."""
    write_kaldi(folder / "text", texts)
    for name, listed in (("ref.trn", reference_texts), ("hyp.trn", texts)):
        rows = (f"{text}\t({speakers[key]}-{key})" for key, text in listed.items())
        _written(folder / "score_wer" / name, rows)
    return folder


def write_speechbrain(path: Path, reference_texts: Texts, texts: Texts) -> Path:
    """A report of alignments: each column as wide as its widest word, columns separated by ' ; '."""
    rule = "=" * 80
    rows = ["%WER 1.00 [ 1 / 100, 0 ins, 0 del, 1 sub ]", "%SER 1.00 [ 1 / 100 ]", "Scored 1 sentences, 0 not present"]
    rows += [rule, "ALIGNMENTS", "", "Format:", "<utterance-id>, WER DETAILS", "<eps> ; reference", "I ; =", "and ; on"]
    for key, reference in reference_texts.items():
        columns = [
            (pair.reference or "<eps>", "=" if pair.correct else "E", pair.hypothesis or "<eps>")
            for pair in align(reference, texts[key], "wer")
        ]
        rows += [rule, f"{key}, %WER 0.00 [ 0 / 10, 0 ins, 0 del, 0 sub ]"]
        rows += [" ; ".join(column[row].center(max(map(len, column))) for column in columns) for row in range(3)]
    return _written(path, rows)


def write_manifest(path: Path, reference_texts: Texts, texts: Texts) -> Path:
    """NeMo's, with `text` and `pred_text`."""
    rows = (
        {"audio_filepath": f"/data/{key}.wav", "duration": 1.5, "text": reference, "pred_text": texts[key]}
        for key, reference in reference_texts.items()
    )
    return _written(path, (json.dumps(row) for row in rows))


def write_csv(path: Path, reference_texts: Texts, texts: Texts) -> Path:
    """With a column of speakers, and a comma in no text."""
    rows = (f"{key},{key[:2]},{reference},{texts[key]}" for key, reference in reference_texts.items())
    return _written(path, ["id,speaker,reference,hypothesis", *rows])


def _written(path: Path, rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")  # type: ignore[attr-defined]
    return path
