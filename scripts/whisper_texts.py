"""Whisper as a teacher: its texts of the utterances of a prepared corpus, for `loss=distillation_texts loss.texts=...`.

    python scripts/whisper_texts.py openai/whisper-base.en data/prepared/CORPUS/train.jsonl.gz \
        data/prepared/CORPUS/dev.jsonl.gz --out texts.tsv

MODEL is a name on the Hugging Face hub, or a folder with weights and tokenizer. Each utterance gets its `--nbest` best
texts with their scores (log, summed over tokens). Whisper hears 30 s at once: what is longer is cut in its pauses, and
has one text, the best ones of its pieces. Numbers and signs are written as words, as in transcripts, unless `--digits`
is given. Needs `pip install transformers`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lhotse import load_manifest_lazy
from torch import Tensor
from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

from lasasr.audio.pauses import Lengths, stretches
from lasasr.errors import LasasrError
from lasasr.nn import devices

RATE_HZ = 16_000  # of Whisper
HEARD_AT_ONCE = Lengths(usual_s=15.0, longest_s=30.0)
NO_WORD = re.compile(r"(?!<\|).*[\d%$£€&@#*+=/°]")  # a token, but no special one, that is spoken as words


def utterances(manifests: list[Path], size: int) -> Iterator[list[Any]]:
    """Cuts of all manifests, so many at a time."""
    for manifest in manifests:
        cuts = iter(load_manifest_lazy(manifest))
        while batch := list(islice(cuts, size)):
            yield batch


@torch.inference_mode()
def texts(model: Any, tokenizer: Any, cuts: list[Any], nbest: int) -> list[list[tuple[str, float]]]:
    """The best texts of each cut with their scores, each text once."""
    pieces = [pieces_of(cut) for cut in cuts]
    best = iter(texts_of([piece for of_cut in pieces for piece in of_cut], model, tokenizer, nbest))
    return [joined([next(best) for _ in of_cut]) for of_cut in pieces]


def without_digits(model: Any, tokenizer: Any) -> None:
    """Keep a model from writing tokens that are no words."""
    written = tokenizer.batch_decode([[number] for number in range(len(tokenizer))])
    signs = [number for number, text in enumerate(written) if NO_WORD.match(text)]
    own = model.generation_config.suppress_tokens or []
    model.generation_config.suppress_tokens = sorted({*own, *signs})


def pieces_of(cut: Any) -> list[Tensor]:
    """The waveform (S,) of a cut, in pieces where it is longer than Whisper hears at once."""
    waveform = torch.from_numpy(cut.resample(RATE_HZ).load_audio()).mean(0)
    if cut.duration <= HEARD_AT_ONCE.longest_s:
        return [waveform]
    pieces = list(stretches([waveform], RATE_HZ, HEARD_AT_ONCE))
    if not pieces or any(piece.overlaps for piece in pieces):
        raise SystemExit(f"{cut.id} is {cut.duration:.1f} s long and has no pause to be cut in: leave it out")
    return [piece.waveform for piece in pieces]


def joined(pieces: list[list[tuple[str, float]]]) -> list[tuple[str, float]]:
    """The texts of one piece, or of several the best ones in a row with the sum of their scores."""
    if len(pieces) == 1:
        return pieces[0]
    best = [texts[0] for texts in pieces]
    return [(" ".join(text for text, _ in best), sum(score for _, score in best))]


def texts_of(waveforms: list[Tensor], model: Any, tokenizer: Any, nbest: int) -> list[list[tuple[str, float]]]:
    """The best texts of each waveform, best first."""
    extract = WhisperFeatureExtractor(feature_size=model.config.num_mel_bins)
    features = extract([waveform.numpy() for waveform in waveforms], sampling_rate=RATE_HZ, return_tensors="pt")
    beams = max(nbest, 1)
    generated = model.generate(
        features.input_features.to(model.device),
        num_beams=beams,
        num_return_sequences=beams,
        return_dict_in_generate=True,
        output_scores=True,
        length_penalty=0.0,  # scores are sums of log probabilities
        max_new_tokens=model.config.max_target_positions // 2,
    )
    decoded = tokenizer.batch_decode(generated.sequences, skip_special_tokens=True)
    scores = [0.0] * len(decoded) if beams == 1 else generated.sequences_scores.tolist()
    pairs = [(" ".join(text.split()), score) for text, score in zip(decoded, scores, strict=True)]
    return [list(dict(reversed(pairs[start : start + beams])).items())[::-1] for start in range(0, len(pairs), beams)]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", help="name on the hub, or folder")
    parser.add_argument("manifests", nargs="+", type=Path, help="Lhotse cuts, as lasasr prepare writes them")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--nbest", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8, help="utterances at once")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--digits", action="store_true", help="numbers and signs as Whisper writes them")
    arguments = parser.parse_args()
    try:
        arguments.device = devices.usable(arguments.device, "--device ")
    except LasasrError as error:
        parser.error(str(error))
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = WhisperForConditionalGeneration.from_pretrained(arguments.model).to(arguments.device).eval()
    if not arguments.digits:
        without_digits(model, tokenizer)
    rows = ["id\ttext\tscore"]
    for cuts in utterances(arguments.manifests, arguments.batch):
        for cut, nbest in zip(cuts, texts(model, tokenizer, cuts, arguments.nbest), strict=True):
            (spoken,) = cut.supervisions
            rows += [f"{spoken.id}\t{text}\t{score:.4f}" for text, score in nbest]
        sys.stderr.write(f"\r{len(rows) - 1} texts")
    arguments.out.write_text("\n".join(rows) + "\n", encoding="utf-8")
    sys.stderr.write(f"\n{arguments.out}\n")


if __name__ == "__main__":
    main()
