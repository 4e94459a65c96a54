"""A trained language model with its tokenizer, as one bundle; and what a search makes of the models it names."""

from __future__ import annotations

import copy
import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from lasasr.artifacts import bundle, files, run_paths
from lasasr.artifacts.files import expanded
from lasasr.configuration.sections import Part
from lasasr.configuration.settings import Language, kind_of
from lasasr.errors import LasasrError, UsageError, looked_up
from lasasr.lm.arpa import BackOffModel
from lasasr.lm.base import LanguageModel
from lasasr.lm.ngram import KenLM, is_binary
from lasasr.models import factory, hotwords_key, search_parts
from lasasr.models.parts import LanguageParts
from lasasr.nn import initial_weights
from lasasr.search.base import Scorer
from lasasr.search.lm_scorer import LMScorer, NGramScorer
from lasasr.search.look_ahead import LookAheadScorer
from lasasr.text import special, storage
from lasasr.text.base import Tokenizer

log = logging.getLogger(__name__)

SCHEMA = 1
N_GRAM_SUFFIXES = (".arpa", ".gz", ".bin", ".binary", ".klm")
WITHOUT_LOOK_AHEAD = (
    "%s is in KenLM's own format, which does not list its words: a word is scored at its end alone, and a search "
    "with a narrow beam may then end too early. Name its ARPA file, which is read with look-ahead"
)
FOREIGN_WORDS = (
    "%s: %d of its %d words cannot be spelt with the recognizer's tokens, such as %r. They must be written as its "
    "transcripts are, in letters, case and accents (or as its phones)"
)
_SPACE = "▁"  # how tokenizers print a space
_CARRIED = re.compile(r"(lm|scorer)-\d+(\.\w+)?")  # a model, or a file of a scorer, in a bundle


class TrainedLM(nn.Module):
    """A language model of this toolkit.

    Args:
        parts: what the model was built from, so that `save` can write it.
        normalizer: name/version of the transcript rule that its text went through.
    """

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, parts: LanguageParts, normalizer: str) -> None:
        super().__init__()
        self.model, self.tokenizer, self.parts, self.normalizer = model, tokenizer, parts, normalizer

    @classmethod
    def build(cls, parts: LanguageParts, tokenizer: Tokenizer, normalizer: str) -> TrainedLM:
        """An untrained one, as configured."""
        model = factory.language_model(parts.lm, parts.seed, tokenizer.vocabulary_size)
        return cls(model, tokenizer, parts, normalizer)

    def save(self, folder: Path) -> None:
        """Write the bundle: model.safetensors, config.yaml (plain values) and the tokenizer's files."""
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(folder)
        bundle.write(folder, self, SCHEMA, {"normalizer": self.normalizer, **self.parts.plain()})

    @classmethod
    def load(cls, folder: Path) -> TrainedLM:
        """Read a bundle, in evaluation mode; nothing in it is executed.

        Raises:
            LasasrError: the folder is no bundle of a language model, or a file in it is damaged.
        """
        config = bundle.read_config(folder, SCHEMA, ())
        if kind_of(config) is not Language:
            raise LasasrError(f"{folder} holds a recognizer, no language model (lasasr train lm/... makes one)")
        config = bundle.read_config(folder, SCHEMA, ("lm", "seed", "normalizer"))
        header, tokenizer = bundle.read_header(folder), load_tokenizer(folder)
        bundle.refuse_huge(config, header, ("lm",))
        if config["lm"] is None:
            raise LasasrError(f"{folder / bundle.CONFIG}: lm is null, but it is the model")
        with bundle.building(header), initial_weights.read_later():
            trained = cls.build(LanguageParts(lm=config["lm"], seed=config["seed"]), tokenizer, config["normalizer"])
        bundle.read_weights(trained, header)
        return trained.eval()


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a bundle.

    Raises:
        LasasrError: it is missing or damaged, in whatever way.
    """
    with bundle.explained(folder / storage.FILE):
        return factory.load_tokenizer(folder)


def search(part: Part, tokenizer: Tokenizer, place: str = "search") -> Any:
    """The search as configured, with the language models that it names.

    Args:
        tokenizer: the recognizer's.
        place: of the search in the configuration.

    Raises:
        LasasrError: see `scorer`.
        UsageError: a key and the entry of `scorers` that it is short for differ.
    """
    lm = partial(scorer, tokenizer=tokenizer)
    part = hotwords_key.expanded(_without_double(part))
    return search_parts.search(part, lm, tokenizer.vocabulary_size, place, pieces(tokenizer))


def _without_double(search: Part) -> Part:
    """A search's configuration without the entry `scorers.lm` where `lm` and `lm_weight` say the same.

    Raises:
        UsageError: they do not.
    """
    entry = (search.get("scorers") or {}).get("lm")
    if not isinstance(entry, Mapping) or search.get("lm") is None:
        return search
    for key, own, neutral in (("lm", "lm", None), ("lm_weight", "weight", None), ("lm_unknown", "unknown", 0.0)):
        short, long = search.get(key, neutral), entry.get(own, neutral)
        if short != long:
            raise UsageError(f"search.{key} is {short}, but search.scorers.lm.{own} is {long}; give one of them")
    return {**search, "scorers": {name: part for name, part in search["scorers"].items() if name != "lm"}}


def scorer(path: str, tokenizer: Tokenizer) -> Scorer:
    """The language model at `path` as a scorer of the recognizer's tokens.

    Args:
        path: a run folder or bundle of this toolkit, or an n-gram file (ARPA or KenLM's binary).
        tokenizer: the recognizer's.

    Raises:
        LasasrError: there is no model, it is damaged, or its tokenizer is another one.
    """
    location = expanded(_existing(path))
    if location.is_file():
        try:
            if is_binary(location):
                log.warning(WITHOUT_LOOK_AHEAD, path)
                return NGramScorer(KenLM(location), pieces(tokenizer), leading_space=_leading_space(tokenizer))
            ngrams = LookAheadScorer(BackOffModel(location), pieces(tokenizer), leading_space=_leading_space(tokenizer))
            _warn_of_foreign(path, ngrams.words.words, ngrams.pieces)
            return ngrams
        except ValueError as error:
            raise LasasrError(f"{path} cannot score the tokens of this {_described(tokenizer)}: {error}") from None
    lm = TrainedLM.load(run_paths.bundle_folder(location))
    if not same(lm.tokenizer, tokenizer):
        raise LasasrError(
            f"the language model {path} has another tokenizer ({_described(lm.tokenizer)}) than the recognizer "
            f"({_described(tokenizer)}): train it with tokenizer=of_run tokenizer.run=RECOGNIZER"
        )
    return LMScorer(lm.model)


def _warn_of_foreign(path: str, words: Sequence[str], spelt: Sequence[str]) -> None:
    """Warn where the tokens can spell less than half of the words: all others only take from their probability."""
    text = spelt[special.FIRST_TEXT :]
    whole = {piece[1:] for piece in text if piece.startswith(" ")}
    can = whole.__contains__ if len(whole) == len(text) else {*"".join(text)}.issuperset
    odd = [word for word in words if not can(word)]
    if 2 * len(odd) > len(words):
        log.warning(FOREIGN_WORDS, path, len(odd), len(words), odd[0])


def refuse_missing(search: Part) -> None:
    """Refuse a search that names a language model which is not there.

    Args:
        search: its configuration.

    Raises:
        LasasrError: names the key and the path.
    """
    _renamed(search, _existing, _is_lm)


def _existing(path: str) -> str:
    location = expanded(path)
    if location.suffix in N_GRAM_SUFFIXES and not location.exists():
        raise LasasrError(f"the language model {path} is missing{looked_up(path)}")
    if not location.is_file():
        try:
            run_paths.bundle_folder(location)
        except LasasrError as error:
            raise LasasrError(f"lm={path} names no language model: {error}") from None
    return path


def same(tokenizer: Tokenizer, other: Tokenizer) -> bool:
    """Whether two tokenizers give the same ids to the same tokens."""
    return type(tokenizer) is type(other) and list(tokenizer.tokens) == list(other.tokens)


def _described(tokenizer: Tokenizer) -> str:
    return f"{type(tokenizer).__name__}, {tokenizer.vocabulary_size} tokens"


def pieces(tokenizer: Tokenizer) -> list[str]:
    """The text of every token; one that begins a word begins with a space, as every phone does."""
    if tokenizer.unit == "phone":
        return [f" {token}" for token in tokenizer.tokens]
    return [token.replace(_SPACE, " ") for token in tokenizer.tokens]


def _leading_space(tokenizer: Tokenizer) -> bool:
    """Whether the space at the beginning of a text is of the tokens alone, as SentencePiece's; False without one."""
    spaces = [number for number, token in enumerate(tokenizer.tokens) if token == _SPACE]
    return bool(spaces) and tokenizer.decode(spaces[:1]) == ""


def carried(search: Part, folder: Path) -> dict[str, Any]:
    """A search's configuration with its language models, and the files of `search.scorers`, copied into the bundle.

    They are named relative to the bundle `folder`.

    Raises:
        LasasrError: one of them is missing.
    """
    copies: dict[str, str] = {}
    files: dict[str, str] = {}

    def take(path: str) -> str:
        if path not in copies:
            copies[path] = f"lm-{len(copies)}"
            _copy(expanded(path), folder / copies[path])
        return copies[path]

    def take_file(path: str) -> str:
        source = expanded(path)
        if not source.is_file():
            raise LasasrError(f"{path}, which search.scorers names, is no file, so the bundle cannot carry it")
        if path not in files:
            files[path] = f"scorer-{len(files)}{source.suffix}"
            _copy(source, folder / files[path])
        return files[path]

    return _with_files(_renamed(search, take, _is_lm), take_file)


def in_bundle(search: Part, folder: Path) -> dict[str, Any]:
    """The reverse of `carried`, when the bundle is read.

    Raises:
        LasasrError: a model or a file of a scorer is not in the bundle: what a bundle from elsewhere names outside it
            would be read, and copied.
    """

    def path_in_bundle(path: str) -> str:
        if not _CARRIED.fullmatch(path):
            config = folder / bundle.CONFIG
            raise LasasrError(f"{config}: search names {path!r}, which is none of the bundle's own files (lm-0, ...)")
        return str(folder / path)

    return _with_files(_renamed(search, path_in_bundle, _is_lm), path_in_bundle)


def _with_files(search: dict[str, Any], name: Callable[[str], str]) -> dict[str, Any]:
    scorers = search.get("scorers")
    return {**search, "scorers": _renamed(scorers, name, _is_file)} if isinstance(scorers, Mapping) else search


def _is_lm(key: str) -> bool:
    return key == factory.LANGUAGE_MODEL


def _is_file(key: str) -> bool:
    """Whether this option of a scorer names a file (`lasasr/search/base.py`)."""
    return key == "file" or key.endswith("_file")


def _copy(source: Path, target: Path) -> None:
    """Copy a model, and nothing that only lies beside it: a bundle from elsewhere could link to anything there."""
    source = source if source.is_file() else run_paths.bundle_folder(source)
    if target.exists() and target.samefile(source):
        return
    if source.is_file():
        with files.replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    else:
        TrainedLM.load(source).save(target)


def _renamed(part: Mapping[str, Any], name: Callable[[str], str], concerns: Callable[[str], bool]) -> dict[str, Any]:
    """A deep copy in which every string under a key that this `concerns` has another name."""
    return {
        key: name(value)
        if concerns(key) and isinstance(value, str)
        else _renamed(value, name, concerns)
        if isinstance(value, Mapping)
        else copy.deepcopy(value)
        for key, value in part.items()
    }
