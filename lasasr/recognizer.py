"""Frontend, model, tokenizer and search as one object: waveform → Hypothesis; saved and loaded as one bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lasasr import build, files, lengths
from lasasr.audio.frontend import Frontend
from lasasr.audio.read import read
from lasasr.errors import LasasrError
from lasasr.metrics.alignment_reference import token_intervals, token_times, word_times
from lasasr.metrics.error_rates import Metric
from lasasr.model import Model
from lasasr.search.acoustics import Acoustics
from lasasr.search.hypothesis import Hypothesis, Word
from lasasr.text.base import Tokenizer

SCHEMA = 1
PARTS = ("frontend", "listen", "attend", "spell", "loss", "search", "seed")  # of the config, that a bundle carries


class Recognizer(nn.Module):
    """A trained recognizer.

    Args:
        config: the plain configuration of `PARTS`, so that `save` can write it.
        normalizer: name/version of the transcript rule that references went through.
    """

    def __init__(
        self,
        frontend: Frontend,
        model: Model,
        tokenizer: Tokenizer,
        search: Any,
        config: Mapping[str, Any],
        normalizer: str,
    ) -> None:
        super().__init__()
        self.frontend, self.model = frontend, model
        self.tokenizer, self.search = tokenizer, search
        self.config = {name: config[name] for name in PARTS}
        self.normalizer = normalizer

    @classmethod
    def build(cls, config: Mapping[str, Any], tokenizer: Tokenizer, normalizer: str) -> Recognizer:
        """An untrained one, as configured."""
        frontend = build.frontend(config)
        model = build.model(config, frontend.output_dim, tokenizer.vocabulary_size)
        return cls(frontend, model, tokenizer, build.search(config), config, normalizer)

    def searching(self, search: Any) -> Recognizer:
        """The same parts under another search."""
        return Recognizer(self.frontend, self.model, self.tokenizer, search, self.config, self.normalizer)

    @property
    def error_metric(self) -> Metric:
        """What its texts are counted in: "wer" of words, "per" of phones."""
        return "per" if self.tokenizer.unit == "phone" else "wer"

    @property
    def encoded_frame_s(self) -> float:
        """Seconds from one encoded frame to the next."""
        return self.frontend.frame_shift_ms * self.model.encoder.subsampling_factor / 1000.0

    @torch.inference_mode()
    def recognize(self, waveforms: Tensor, waveform_lengths: Tensor, ids: Sequence[str] = ()) -> list[list[Hypothesis]]:
        """The n-best hypotheses of each utterance, best first, with their text and word times.

        Args:
            waveforms: (B, S) float32 at the frontend's sampling rate, on any device.
            waveform_lengths: (B,) int64, samples.
            ids: the utterances' names, for error messages.
        """
        device = next(self.parameters()).device
        features, frames = self.frontend(waveforms.to(device), waveform_lengths.to(device))
        found = self.search(self.model.decoder, self.acoustics(features, frames), ids)
        durations = (waveform_lengths / self.frontend.sample_rate_hz).tolist()
        return [
            [self._in_words(one, seconds) for one in nbest] for nbest, seconds in zip(found, durations, strict=True)
        ]

    def _in_words(self, hypothesis: Hypothesis, duration_s: float) -> Hypothesis:
        """Add text, and word times where there is attention to read them from."""
        words: tuple[Word, ...] = ()
        if hypothesis.weights is not None:
            moments = token_times(hypothesis.weights[:-1].float().cpu().numpy(), self.encoded_frame_s)
            names = [self.tokenizer.tokens[token] for token in hypothesis.tokens]
            timed = token_intervals(names, moments, duration_s)
            words = tuple(Word(*one) for one in (timed if self.tokenizer.unit == "phone" else word_times(timed)))
        return replace(hypothesis, text=self.tokenizer.decode(hypothesis.tokens), words=words)

    def acoustics(self, features: Tensor, frames: Tensor) -> Acoustics:
        """Encode features (B, T, F) into what a search needs."""
        encoded = self.model.encode(features, frames)
        mask = lengths.mask(encoded.lengths, encoded.encoded.shape[1])
        ctc = self.model.ctc_log_probs(encoded.encoded) if self.model.ctc is not None else None
        return Acoustics(encoded.encoded, mask, ctc)

    def transcribe(self, audio: Sequence[str | Path | Tensor], batch_s: float = 60.0) -> list[Hypothesis]:
        """The best hypothesis of each file (any format and rate) or waveform (S,) at the frontend's rate, in order.

        Args:
            audio: paths, or waveforms already at `frontend.sample_rate_hz`.
            batch_s: seconds of padded audio decoded at once.

        Raises:
            LasasrError: a file is missing, unreadable, empty or holds NaN; the message names it.
        """
        self.eval()
        rate = self.frontend.sample_rate_hz
        waveforms = [one if isinstance(one, Tensor) else read(Path(one), rate) for one in audio]
        found: list[Hypothesis | None] = [None] * len(waveforms)
        for group in _groups([len(one) for one in waveforms], int(batch_s * rate)):
            sizes = torch.tensor([len(waveforms[i]) for i in group])
            padded = pad_sequence([waveforms[i] for i in group], batch_first=True)
            for i, nbest in zip(group, self.recognize(padded, sizes), strict=True):
                found[i] = nbest[0]
        return [one for one in found if one is not None]

    def save(self, folder: Path) -> None:
        """Write the bundle: model.safetensors, config.yaml (plain values) and the tokenizer's files."""
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(folder)
        tensors = {name: value.detach().cpu().contiguous() for name, value in _unshared(self).items()}
        with files.replacing(folder / "model.safetensors") as path:
            save_file(tensors, path, metadata={"schema": str(SCHEMA)})
        plain = {"schema": SCHEMA, "normalizer": self.normalizer, **self.config}
        files.write_text(folder / "config.yaml", yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> Recognizer:
        """Read a bundle; nothing in it is executed, and its `_target_`s must lie below the allowed prefixes.

        Raises:
            LasasrError: the folder is no bundle, or a file in it is damaged; the message names it.
        """
        folder = Path(folder)
        config = _read_config(folder / "config.yaml")
        made = cls.build(config, build.load_tokenizer(folder), config["normalizer"])
        load_weights(made, folder / "model.safetensors")
        return made.to(device).eval()


def _unshared(module: nn.Module) -> dict[str, Tensor]:
    """The state dict without second names of the same tensor (tied weights), which safetensors refuses."""
    seen: dict[int, str] = {}
    return {
        name: value
        for name, value in module.state_dict(keep_vars=True).items()
        if seen.setdefault(id(value), name) == name
    }


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill `module` from a safetensors file.

    Raises:
        LasasrError: the file is missing, damaged, or does not fit the configuration beside it.
    """
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise LasasrError(f"{path} is missing: not a bundle (lasasr export RUN --out DIR makes one)") from None
    except Exception as error:
        raise LasasrError(f"{path} is damaged ({error}); export the bundle again") from None
    wanted = _unshared(module)
    if unfit := sorted(set(wanted) ^ set(tensors)):
        raise LasasrError(f"{path} does not fit its config.yaml: {unfit[0]} is in one but not in the other")
    for name, value in wanted.items():
        if value.shape != tensors[name].shape:
            raise LasasrError(f"{path}: {name} has shape {tuple(tensors[name].shape)}, expected {tuple(value.shape)}")
        value.data.copy_(tensors[name])


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LasasrError(f"{path} is missing: not a bundle (a run's is in its bundle/ folder)") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LasasrError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    missing = [name for name in (*PARTS, "normalizer") if not isinstance(config, dict) or name not in config]
    if missing:
        raise LasasrError(f"{path} lacks {', '.join(missing)}: not a bundle's config.yaml")
    if config.get("schema") != SCHEMA:
        raise LasasrError(f"{path} has schema {config.get('schema')}, this version reads {SCHEMA}")
    return dict(config)


def _groups(sizes: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions, longest first, in groups whose padded size stays within `budget` (a longer one goes alone)."""
    group: list[int] = []
    for position in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        if group and (len(group) + 1) * sizes[group[0]] > budget:
            yield group
            group = []
        group.append(position)
    if group:
        yield group
