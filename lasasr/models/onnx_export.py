"""A recognizer as ONNX graphs: encoder.onnx, step.onnx, ctc.onnx, which `lasasr.onnx` runs without torch.

features.onnx, the front end, is for other programs: `lasasr.onnx` computes features in numpy.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lasasr.artifacts import files
from lasasr.audio.cmvn import GlobalCMVN
from lasasr.audio.fbank_frontend import FbankFrontend
from lasasr.errors import LasasrError
from lasasr.models import onnx_int8
from lasasr.models.onnx_features import FeatureGraph
from lasasr.models.recognizer import Recognizer
from lasasr.nn import lengths as length
from lasasr.nn import tree
from lasasr.onnx.folder import CTC, ENCODER, METADATA, SCHEMA, STEP, TOKENS
from lasasr.onnx.options import BEAM, CTC_GREEDY, GREEDY
from lasasr.search.beam import BeamSearch
from lasasr.search.ctc_greedy import CTCGreedySearch
from lasasr.search.greedy import GreedySearch
from lasasr.search.pruning import Pruning
from lasasr.text import special

OPSET = 17
FEATURES = "features.onnx"  # of float weights always: int8 would change small energies
EXAMPLE_SAMPLES = ((9_000, 7_000), (12_000, 11_500, 8_000))
EXAMPLE_FRAMES = ((57, 43), (93, 91, 61))  # of two batches; what differs between them is no constant
HYPOTHESES = (3, 5)


class _Encoder(nn.Module):
    """Features (B, T, F) and lengths (B,) → encoded, lengths, the decoder's memory and its first state (K = 1)."""

    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__()
        self.model = recognizer.model

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        encoded, encoded_lengths = self.model.encode(features, lengths)
        if self.model.decoder is None:
            return encoded, encoded_lengths
        memory = self.model.decoder.memory(encoded, length.mask(encoded_lengths, encoded.shape[1]))
        state = self.model.decoder.initial(memory, 1)
        return (encoded, encoded_lengths, *tree.leaves(memory), *filled_leaves(state))


class _Step(nn.Module):
    """The last tokens (B, K), memory and state → logits, weights and the next state."""

    def __init__(self, decoder: Any, memory: Any, state: Any) -> None:
        super().__init__()
        self.decoder, self.like = decoder, (memory, state)
        self.memories = sum(1 for _ in tree.leaves(memory))

    def forward(self, tokens: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
        memory = _filled(self.like[0], leaves[: self.memories], tokens)
        state = _filled(self.like[1], leaves[self.memories :], tokens)
        step = self.decoder.step(tokens, memory, state)
        return (step.logits, step.weights, *filled_leaves(step.state))


def filled_leaves(part: Any) -> list[Tensor]:
    """Those that hold anything: a GRU has no cell, and ONNX no shape for it."""
    return [leaf for leaf in tree.leaves(part) if 0 not in leaf.shape]


def _filled(like: Any, leaves: Sequence[Tensor], tokens: Tensor) -> Any:
    """The structure of `like` with these leaves in it, empty ones for tokens (B, K)."""
    left = iter(leaves)
    return tree.map_leaves(
        lambda leaf: leaf.new_zeros(*tokens.shape, *leaf.shape[2:]) if 0 in leaf.shape else next(left), like
    )


def export(recognizer: Recognizer, folder: Path, int8: bool = False) -> None:
    """Write the graphs, tokens.txt and metadata.json.

    Args:
        int8: whether the weights of the graphs have 8 bits.

    Raises:
        LasasrError: a part cannot be exported, or a package is not installed; nothing is written then.
    """
    _refuse_missing_packages("onnx", *(["onnxruntime"] if int8 else []))
    metadata = _metadata(recognizer) | {"weights": "int8" if int8 else "float32"}
    with files.replacing_folder(folder) as temporary:
        temporary.mkdir(parents=True, exist_ok=True)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing: what is constant in a graph is tested against torch
            _write_graphs(recognizer.to("cpu").eval(), temporary, metadata)
        if int8:
            for path in sorted(temporary.glob("*.onnx")):
                if path.name != FEATURES:
                    onnx_int8.quantise(path)
        (temporary / TOKENS).write_text("".join(f"{name}\n" for name in recognizer.tokenizer.tokens), encoding="utf-8")
        files.write_json(temporary / METADATA, metadata)


def _write_graphs(recognizer: Recognizer, folder: Path, metadata: dict[str, Any]) -> None:
    _write_features(recognizer.frontend, folder / FEATURES, metadata)
    encoder, examples = _Encoder(recognizer), [_features(recognizer, frames) for frames in EXAMPLE_FRAMES]
    decoder = recognizer.model.decoder
    memory_names: list[str] = []
    state_names: list[str] = []
    encodings = [encoder(*example) for example in examples]
    if decoder is not None:
        memories = [decoder.memory(output[0], length.mask(output[1], output[0].shape[1])) for output in encodings]
        states = [decoder.initial(one, hypotheses) for one, hypotheses in zip(memories, HYPOTHESES, strict=True)]
        memory_names = [f"memory_{i}" for i, _ in enumerate(tree.leaves(memories[0]))]
        state_names = [f"state_{i}" for i, _ in enumerate(filled_leaves(states[0]))]
        step = _Step(decoder, memories[0], states[0])
        inputs = [
            (torch.full((len(frames), hypotheses), special.FIRST_TEXT), *tree.leaves(memory), *filled_leaves(state))
            for frames, hypotheses, memory, state in zip(EXAMPLE_FRAMES, HYPOTHESES, memories, states, strict=True)
        ]
        outputs = ["logits", "weights", *(f"next_{name}" for name in state_names)]
        _write(step, inputs, folder / STEP, ["tokens", *memory_names, *state_names], outputs, metadata)
    metadata |= {"memory": memory_names, "state": state_names}
    names = ["encoded", "encoded_lengths", *memory_names, *state_names]
    _write(encoder, examples, folder / ENCODER, ["features", "lengths"], names, metadata)
    if recognizer.model.ctc is not None:
        encoded = [(output[0],) for output in encodings]
        _write(recognizer.model.ctc, encoded, folder / CTC, ["encoded"], ["log_probs"], metadata)


def _write_features(frontend: Any, path: Path, metadata: dict[str, Any]) -> None:
    """Write the front end; waveforms are some windows long at any sampling rate."""
    window = frontend.fbank.window_size
    inputs = [
        (torch.randn(len(samples), max(samples)), torch.tensor(samples))
        for samples in ([size * window // 400 for size in sizes] for sizes in EXAMPLE_SAMPLES)
    ]
    _write(FeatureGraph(frontend), inputs, path, ["waveforms", "waveform_lengths"], ["features", "lengths"], metadata)


def _features(recognizer: Recognizer, frames: Sequence[int]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor(frames)
    features = torch.randn(len(frames), max(frames), recognizer.frontend.output_dim)
    return features * length.mask(lengths, features.shape[1])[..., None], lengths


def _write(
    module: nn.Module,
    inputs: Sequence[tuple[Tensor, ...]],
    path: Path,
    input_names: list[str],
    output_names: list[str],
    metadata: dict[str, Any],
) -> None:
    """Record one graph of the first example; an axis is free whose size differs between the two."""
    shapes = []
    for example in inputs:
        outputs = module(*example)
        tensors = [*example, *(outputs if isinstance(outputs, tuple) else (outputs,))]
        shapes.append([tuple(tensor.shape) for tensor in tensors])
    axes = {
        name: {axis: f"{name}_{axis}" for axis, pair in enumerate(zip(*both, strict=True)) if pair[0] != pair[1]}
        for name, *both in zip([*input_names, *output_names], *shapes, strict=True)
    }
    try:
        torch.onnx.export(
            module.eval(),
            inputs[0],
            str(path),
            input_names=input_names,
            output_names=output_names,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    except Exception as error:  # of torch's exporter, of whatever kind
        reason = " ".join(str(error).split())[:200]
        parts = ", ".join(f"{place}={name}" for place, name in metadata["parts"].items())
        raise LasasrError(
            f"{path.name} cannot be written as ONNX ({parts}): {type(error).__name__}: {reason}"
        ) from None


def _refuse_missing_packages(*names: str) -> None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise LasasrError(f"--onnx needs {' and '.join(missing)}, not installed: pip install 'lasasr[onnx]'")


def _metadata(recognizer: Recognizer) -> dict[str, Any]:
    """What a decoder needs beside the graphs."""
    parts = recognizer.parts
    named = {
        place: part["_target_"].rpartition(".")[2] if part else None
        for place, part in (("listen", parts.listen), ("attend", parts.attend), ("spell", parts.spell))
    }
    return {
        "schema": SCHEMA,
        "parts": named,
        "frontend": _frontend(recognizer),
        "search": _search(recognizer.search),
        "unit": recognizer.tokenizer.unit,
        "normalizer": recognizer.normalizer,
    }


def _frontend(recognizer: Recognizer) -> dict[str, Any]:
    frontend = recognizer.frontend
    if not isinstance(frontend, FbankFrontend):
        raise LasasrError(f"frontend {type(frontend).__name__} cannot be exported: lasasr.onnx computes fbank alone")
    fbank, cmvn = frontend.fbank, frontend.cmvn
    described: dict[str, Any] = {
        "sample_rate_hz": frontend.sample_rate_hz,
        "bins": frontend.output_dim,
        "window": fbank.window_size,
        "shift": fbank.shift,
        "cmvn": "none" if cmvn is None else "global" if isinstance(cmvn, GlobalCMVN) else "utterance",
    }
    if isinstance(cmvn, GlobalCMVN):
        described |= {"mean": cmvn.mean.tolist(), "std": cmvn.std.tolist()}
    return described


def _search(search: Any) -> dict[str, Any]:
    """What `lasasr.onnx` does of it.

    Raises:
        LasasrError: it does what that cannot.
    """
    way = "decode it with lasasr, or export another search (lasasr export RUN search=beam_ctc ...)"
    if isinstance(search, CTCGreedySearch):
        return {"kind": CTC_GREEDY}
    if isinstance(search, GreedySearch):
        return {"kind": GREEDY, "limits": vars(search.limits)}
    if not isinstance(search, BeamSearch):
        raise LasasrError(f"search {type(search).__name__} cannot be exported: {way}")
    pruning = search.pruning
    beyond = {
        "lm": search.lm_weight,
        "subtract": search.subtract.internal_weight or search.subtract.lm_weight,
        "rescore": search.rescore.wanted,
        "coverage_weight": search.coverage_weight,
        "scorers": search.fused.further(),
        "normalise": search.normalise,
        # a larger margin alone lets a search end later, with the same result
        "pruning": pruning != replace(Pruning(), end_margin=pruning.end_margin),
    }
    if used := [name for name, value in beyond.items() if value]:
        raise LasasrError(f"search.{used[0]} cannot be exported: {way}")
    return {
        "kind": BEAM,
        "beam": search.beam,
        "ctc_weight": search.ctc_weight,
        "length_bonus": search.length_bonus,
        "temperature": search.temperature,
        "limits": vars(search.limits),
    }
