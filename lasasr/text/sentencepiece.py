"""Pieces of words learnt from the transcripts: BPE (Sennrich et al. 2016) or a unigram model (Kudo 2018)."""

from __future__ import annotations

import hashlib
import io
import re
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, Self

import sentencepiece

from lasasr.artifacts.files import read_bounded, replacing
from lasasr.errors import LasasrError
from lasasr.text import special, storage
from lasasr.text.base import Tokenizer

MODEL_FILE = "sentencepiece.model"
SPACE = "▁"  # U+2581, which SentencePiece writes for a space

# The library's only special piece is <unk>, at 0, and it is never emitted: piece p ≥ 1 has our id p + _SHIFT.
_UNKNOWN = 0
_SHIFT = special.FIRST_TEXT - 1
_ADDED_SCORE = -100.0  # below those of all learnt pieces: a character that has a piece of its own is no part of them

Algorithm = Literal["bpe", "unigram"]


class SentencePieceTokenizer(Tokenizer):
    """Text ↔ ids of pieces; a piece that begins a word begins with "▁". Every character has a piece of its own."""

    def __init__(self, model: bytes) -> None:
        """Take a serialised SentencePiece model.

        Raises:
            ValueError: `model` is not one.
        """
        self.model = model
        self._pieces = sentencepiece.SentencePieceProcessor()
        try:
            loaded = self._pieces.LoadFromSerializedProto(model)
        except RuntimeError as error:
            raise ValueError(f"not a SentencePiece model: {error}") from None
        if not loaded or self._pieces.unk_id() != _UNKNOWN:
            raise ValueError("not a SentencePiece model of this toolkit")
        learnt = [self._pieces.IdToPiece(i) for i in range(1, self._pieces.GetPieceSize())]
        self.tokens = (*special.NAMES, *learnt)

    @classmethod
    def train(cls, transcripts: Iterable[str], vocabulary_size: int = 1000, algorithm: Algorithm = "bpe") -> Self:
        """Learn pieces from normalised transcripts; equal transcripts in equal order give an equal model.

        Args:
            transcripts: training text, after the transcript rule.
            vocabulary_size: V, the four special ids included.
            algorithm: "bpe" or "unigram".

        Raises:
            LasasrError: V is more, or less, than these transcripts allow; the message says what they allow.
            ValueError: `algorithm` is neither.
        """
        if algorithm not in ("bpe", "unigram"):
            raise ValueError(f"algorithm must be bpe or unigram, got {algorithm!r}")
        texts = [text for text in transcripts if text.strip()]
        if not texts:
            raise LasasrError("the training transcripts hold no word, so there are no pieces to learn")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                model_type=algorithm,
                vocab_size=max(vocabulary_size - _SHIFT, 2),
                character_coverage=1.0,  # every character is a piece, so all training text can be encoded
                normalization_rule_name="identity",  # the transcript rule has normalised already
                remove_extra_whitespaces=False,
                # longer ones would be left out; less than ten bytes it does not take
                max_sentence_length=max(10, 1 + max(len(text.encode()) for text in texts)),
                unk_id=_UNKNOWN,
                bos_id=-1,
                eos_id=-1,
                pad_id=-1,
                num_threads=1,  # a unigram model differs from one number of threads to the next
                minloglevel=2,
            )
        except RuntimeError as error:
            raise _refused(str(error), vocabulary_size, algorithm) from None
        return cls(model.getvalue())

    def grown(self, transcripts: Iterable[str]) -> Self:
        """With a piece for each character of `transcripts` that has none; other words are cut as before.

        Raises:
            LasasrError: a new character is the one that stands for a space.
        """
        new = sorted({sign for text in transcripts for sign in text if not self._has_piece(sign)})
        if SPACE in new:
            raise LasasrError(f"a transcript holds {SPACE!r}, which stands for a space: choose a rule that maps it")
        return type(self)(self.model + b"".join(map(_added_piece, new)))

    def encode(self, text: str) -> list[int]:
        """Ids of the best segmentation of `text`, without sos and eos.

        Raises:
            LasasrError: a character is outside the vocabulary.
        """
        pieces = self._pieces.EncodeAsIds(text)
        if _UNKNOWN in pieces or SPACE in text:
            unknown = next((sign for sign in text if not self._has_piece(sign)), text)
            raise LasasrError(
                f"character {unknown!r} in {text!r} is not in the vocabulary; "
                "choose a transcript rule that maps it, or train the tokenizer on text that has it "
                "(with adapt=, tokenizer=grown adds it)"
            )
        return [piece + _SHIFT for piece in pieces]

    def outside(self, text: str) -> list[str]:
        """The characters of `text` outside the vocabulary, in order."""
        return [sign for sign in text if not self._has_piece(sign)]

    def _has_piece(self, sign: str) -> bool:
        return sign != SPACE and self._pieces.PieceToId(SPACE if sign == " " else sign) != _UNKNOWN

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`; special ids are passed over."""
        return "".join(self.tokens[i] for i in ids if i >= special.FIRST_TEXT).replace(SPACE, " ").removeprefix(" ")

    def save(self, folder: Path) -> None:
        """Write `sentencepiece.model` and `tokenizer.json` into `folder`."""
        with replacing(folder / MODEL_FILE) as temporary:
            temporary.write_bytes(self.model)
        storage.write(folder, self, {"model": MODEL_FILE, "sha256": hashlib.sha256(self.model).hexdigest()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            LasasrError: a file is missing or damaged.
        """
        stored = storage.read(folder, cls)
        path = folder / MODEL_FILE
        try:
            model = read_bounded(path)
        except FileNotFoundError:
            raise LasasrError(f"{path} is missing; prepare the tokenizer again") from None
        if hashlib.sha256(model).hexdigest() != stored.get("sha256"):
            raise LasasrError(f"{path} is not the model that {folder / storage.FILE} describes; prepare it again")
        try:
            return cls(model)
        except ValueError as error:
            raise storage.damaged(folder, error) from None


def _refused(message: str, vocabulary_size: int, algorithm: str) -> LasasrError:
    """The library's refusal in our terms: its sizes count <unk> and none of the four special ids."""
    setting = f"tokenizer.vocabulary_size={vocabulary_size}"
    if limit := re.search(r"Vocabulary size too high .* value <= (\d+)", message):
        most = int(limit[1]) + _SHIFT
        return LasasrError(f"{setting} is too large: these transcripts give at most {most} ({algorithm})")
    if limit := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        least = int(limit[1]) + _SHIFT
        return LasasrError(f"{setting} is too small: the characters of these transcripts need at least {least}")
    return LasasrError(f"SentencePiece cannot learn {setting} ({algorithm}) from these transcripts: {message}")


def _added_piece(sign: str) -> bytes:
    """One more entry of the repeated field `pieces` (1) of SentencePiece's ModelProto: piece (1) and score (2).

    Messages of protocol buffers that stand one after the other are merged, and repeated fields follow each other.
    """
    piece = sign.encode()
    entry = b"\x0a" + bytes([len(piece)]) + piece + b"\x15" + struct.pack("<f", _ADDED_SCORE)
    return b"\x0a" + bytes([len(entry)]) + entry
