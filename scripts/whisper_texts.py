"""Whisper as a teacher: its texts of the utterances of a prepared corpus, for `loss=distillation_texts loss.texts=...`.

    python scripts/whisper_texts.py openai/whisper-base.en data/prepared/CORPUS/train.jsonl.gz \
        data/prepared/CORPUS/dev.jsonl.gz --out texts.tsv

MODEL is a name on the Hugging Face hub, or a folder with weights and tokenizer. Each utterance gets its `--nbest` best
texts with their scores (log, summed over tokens). Whisper hears 30 s at once: what is longer is cut in its pauses, and
has one text, the best ones of its pieces. Numbers and signs are written as words, as in transcripts, unless `--digits`
is given. Needs `pip install transformers`.

Texts are kept in `texts.tsv.partial.jsonl` as they are made; called again, the script goes on where it was interrupted.
The table is written when each utterance has its texts. A recording that cannot be used is named at the end, and asked
again by the next call; where it was left out of the corpus meanwhile, the new manifests are given.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lhotse import load_manifest_lazy
from torch import Tensor
from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

from lasasr.artifacts import files
from lasasr.audio.pauses import Lengths, stretches
from lasasr.errors import LasasrError
from lasasr.nn import devices

RATE_HZ = 16_000  # of Whisper
HEARD_AT_ONCE = Lengths(usual_s=15.0, longest_s=30.0)
NO_WORD = re.compile(r"(?!<\|).*[\d%$£€&@#*+=/°]")  # a token, but no special one, that is spoken as words


class UnusableError(Exception):
    """A recording of which there can be no text, with the reason."""


class Kept:
    """The texts that were made so far: a line per utterance in a file beside the table, written as they come.

    Args:
        table: what is written in the end.
        made_by: what all texts depend on, beside the recording.
    """

    def __init__(self, table: Path, made_by: dict[str, Any]) -> None:
        self.path = table.with_name(f"{table.name}.partial.jsonl")
        table.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+", encoding="ascii")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another process is writing {self.path}") from None
        try:
            self._file.seek(0)
            whole, newline, _ = self._file.read().rpartition("\n")
            head, *entries = [json.loads(line) for line in whole.split("\n")] if newline else [made_by]
            self.texts = {
                (entry["id"], entry["duration_s"]): [(str(text), float(score)) for text, score in entry["texts"]]
                for entry in entries
            }
            other = ", ".join(f"{key} {head[key]}, not {made_by[key]}" for key in made_by if head[key] != made_by[key])
        except (ValueError, KeyError, TypeError) as error:
            raise SystemExit(f"{self.path} is damaged ({error}): delete it, and its texts are made again") from None
        if other:
            raise SystemExit(f"{self.path} was made with {other}: delete it to begin again, or name another --out")
        self._file.truncate(len(whole) + len(newline))  # a line that an interruption has cut is made again
        if not newline:
            self._write(made_by)

    def add(self, cut: Any, texts: list[tuple[str, float]]) -> None:
        """Keep the texts of a cut."""
        name, duration_s = key = key_of(cut)
        self._write({"id": name, "duration_s": duration_s, "texts": texts})
        self.texts[key] = texts

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def key_of(cut: Any) -> tuple[str, float]:
    """What tells a cut from others: the utterance's id, and how long it is, in case it has become another one."""
    spoken = cut.supervisions
    if len(spoken) != 1:
        raise SystemExit(f"cut {cut.id} has {len(spoken)} utterances: prepare the corpus with lasasr prepare")
    return spoken[0].id, round(cut.duration, 3)


def cuts_of(manifests: list[Path]) -> Iterator[Any]:
    """The cuts of all manifests."""
    for manifest in manifests:
        yield from load_manifest_lazy(manifest)


@torch.inference_mode()
def texts(model: Any, tokenizer: Any, cuts: list[list[Tensor]], nbest: int) -> list[list[tuple[str, float]]]:
    """The best texts of each cut, given as its pieces, with their scores, each text once."""
    best = iter(texts_of([piece for pieces in cuts for piece in pieces], model, tokenizer, nbest))
    return [joined([next(best) for _ in pieces]) for pieces in cuts]


def make_texts(
    cuts: Iterable[Any], kept: Kept, size: int, ask: Callable[[list[list[Tensor]]], list[list[tuple[str, float]]]]
) -> dict[str, str]:
    """Ask for the texts of the cuts that have none yet, so many at a time, and keep them.

    Returns:
        Id → why a recording could not be used.
    """
    missing = (cut for cut in cuts if key_of(cut) not in kept.texts)
    unusable: dict[str, str] = {}
    while batch := list(islice(missing, size)):
        pieces: list[list[Tensor]] = []
        heard = []
        for cut in batch:
            try:
                pieces.append(pieces_of(cut))
                heard.append(cut)
            except UnusableError as error:
                unusable[key_of(cut)[0]] = str(error)
        for cut, nbest in zip(heard, ask(pieces) if heard else [], strict=True):
            kept.add(cut, nbest)
        sys.stderr.write(f"\r{len(kept.texts)} utterances")
    return unusable


def without_digits(model: Any, tokenizer: Any) -> None:
    """Keep a model from writing tokens that are no words."""
    written = tokenizer.batch_decode([[number] for number in range(len(tokenizer))])
    signs = [number for number, text in enumerate(written) if NO_WORD.match(text)]
    own = model.generation_config.suppress_tokens or []
    model.generation_config.suppress_tokens = sorted({*own, *signs})


def pieces_of(cut: Any) -> list[Tensor]:
    """The waveform (S,) of a cut, in pieces where it is longer than Whisper hears at once.

    Raises:
        UnusableError: it cannot be read, or has no pause to be cut in.
    """
    try:
        waveform = torch.from_numpy(cut.resample(RATE_HZ).load_audio()).mean(0)
    except Exception as error:  # lhotse and its readers raise all kinds
        raise UnusableError(" ".join(f"cannot be read: {type(error).__name__}: {error}".split())[:300]) from error
    if cut.duration <= HEARD_AT_ONCE.longest_s:
        return [waveform]
    pieces = list(stretches([waveform], RATE_HZ, HEARD_AT_ONCE))
    if not pieces or any(piece.overlaps for piece in pieces):
        raise UnusableError(f"is {cut.duration:.1f} s long and has no pause to be cut in: leave it out")
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
    if arguments.out.exists():
        parser.error(f"--out {arguments.out} is there already: delete it, or name another one")
    made_by = {"schema": 1, "model": arguments.model, "nbest": arguments.nbest, "digits": arguments.digits}
    kept = Kept(arguments.out, made_by)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = WhisperForConditionalGeneration.from_pretrained(arguments.model).to(arguments.device).eval()
    if not arguments.digits:
        without_digits(model, tokenizer)

    def ask(cuts: list[list[Tensor]]) -> list[list[tuple[str, float]]]:
        return texts(model, tokenizer, cuts, arguments.nbest)

    try:
        unusable = make_texts(cuts_of(arguments.manifests), kept, arguments.batch, ask)
    except KeyboardInterrupt:
        sys.stderr.write(f"\ninterrupted; {kept.path} holds the texts so far: the same command goes on from there\n")
        sys.exit(130)
    sys.stderr.write("\n")
    if unusable:
        named = "".join(f"{name} {reason}\n" for name, reason in unusable.items())
        sys.exit(
            f"{named}{len(unusable)} recordings have no text, so {arguments.out} is not written: mend them, or prepare "
            f"the corpus without them, and call this again; {kept.path} holds the texts of all others"
        )
    keys = map(key_of, cuts_of(arguments.manifests))
    rows = [f"{key[0]}\t{text}\t{score:.4f}" for key in keys for text, score in kept.texts[key]]
    files.write_text(arguments.out, "\n".join(["id\ttext\tscore", *rows]) + "\n")
    kept.path.unlink()
    sys.stderr.write(f"{arguments.out}\n")


if __name__ == "__main__":
    main()
