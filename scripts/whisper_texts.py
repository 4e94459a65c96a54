"""Whisper as a teacher: its texts of the utterances of a prepared corpus, for `loss=distillation_texts loss.texts=...`.

    python scripts/whisper_texts.py openai/whisper-base.en data/prepared/CORPUS/train.jsonl.gz \
        data/prepared/CORPUS/dev.jsonl.gz --out texts.tsv

MODEL is a name on the Hugging Face hub, or a folder with weights and tokenizer. Each utterance gets its
`--nbest` best texts with their scores (log, summed over tokens). Needs `pip install transformers`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lhotse import load_manifest_lazy
from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

RATE_HZ = 16_000  # of Whisper
LONGEST_S = 30.0  # that it hears at once


def utterances(manifests: list[Path], size: int) -> Iterator[list[Any]]:
    """Cuts of all manifests, so many at a time."""
    for manifest in manifests:
        cuts = iter(load_manifest_lazy(manifest))
        while batch := list(islice(cuts, size)):
            yield batch


@torch.inference_mode()
def texts(model: Any, tokenizer: Any, cuts: list[Any], nbest: int) -> list[list[tuple[str, float]]]:
    """The best texts of each cut with their scores, each text once."""
    for cut in cuts:
        if cut.duration > LONGEST_S:
            raise SystemExit(f"{cut.id} is {cut.duration:.1f} s long, and Whisper hears {LONGEST_S:.0f} s at once")
    waveforms = [cut.resample(RATE_HZ).load_audio().mean(0) for cut in cuts]
    extract = WhisperFeatureExtractor(feature_size=model.config.num_mel_bins)
    features = extract(waveforms, sampling_rate=RATE_HZ, return_tensors="pt").input_features.to(model.device)
    beams = max(nbest, 1)
    generated = model.generate(
        features,
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
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = WhisperForConditionalGeneration.from_pretrained(arguments.model).to(arguments.device).eval()
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
