"""`listen=pretrained`: a speech encoder that was trained elsewhere, a projection, and an encoder on top."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from lasasr.errors import LasasrError, UsageError
from lasasr.listen.base import Encoded, Encoder, StagedEncoder
from lasasr.listen.pretrained import folder, types, weights
from lasasr.listen.pretrained.body import Body
from lasasr.listen.pretrained.mix import LayerMix
from lasasr.nn import allocation, frozen, initial_weights
from lasasr.nn import lengths as length
from lasasr.nn.sizes import check_widths

Layers = Literal["last", "weighted"]
Freeze = Literal["all", "features", "none"]
Stored = Literal["weights", "reference"]

_VERSION = 1  # of what `fixed` computes of weights and features: another number, and kept values are computed anew


class PretrainedEncoder(StagedEncoder):
    """The frames of a pretrained encoder, then a linear projection, then another encoder; the last two if wanted.

    Args:
        input_dim: F.
        weights: a folder with config.json and model.safetensors, or a name on the Hugging Face hub whose files are in
            the local cache.
        window: of Whisper: "real" (the frames of the utterance alone) or "full" (in silence of 30 s).
        layers: "last", or "weighted" (softmax-weighted sum over all).
        freeze: what is not trained: "all", "features" (what computes features of the waveform) or "none".
        thaw_after: with freeze=all: updates after which layers are trained, too; None: never.
        thaw_layers: how many of them, from the last on; None: all.
        learning_rate: of what is trained of the pretrained encoder; None: optimizer.lr.
        layer_drop: probability that a trained layer is skipped, in training (Fan et al. 2020, LayerDrop).
        recompute: keep only what goes into each layer, and run it once more in the backward pass (Chen et al. 2016).
        projection_dim: of the linear layer above; 0: none.
        top: makes the encoder above from the keyword `input_dim`; None: none.
        bundle: what a bundle holds of the pretrained encoder: its "weights", or a "reference" to this folder.
        architecture, sha256: of the weights, as bundles carry them; None: as the folder says.

    Raises:
        LasasrError: the weights cannot be used; the message says why.
        ValueError: an option makes no sense.
    """

    def __init__(
        self,
        *,
        input_dim: int,
        weights: str,
        window: str = "real",
        layers: Layers = "last",
        freeze: Freeze = "all",
        thaw_after: int | None = None,
        thaw_layers: int | None = None,
        learning_rate: float | None = None,
        layer_drop: float = 0.0,
        recompute: bool = False,
        projection_dim: int = 0,
        top: Callable[..., Encoder] | None = None,
        bundle: Stored = "weights",
        architecture: Mapping[str, Any] | None = None,
        sha256: str | None = None,
    ) -> None:
        super().__init__()
        _check(layers=(layers, Layers), freeze=(freeze, Freeze), bundle=(bundle, Stored))
        if architecture is None:
            part = self.resolved({"weights": weights})
            architecture, sha256 = part["architecture"], part["sha256"]
        self.weights, self.sha256, self.freeze, self.window = weights, sha256, freeze, window
        self.architecture = dict(architecture)
        self.thaw_after, self.learning_rate = thaw_after, learning_rate
        self.layer_drop, self.recompute = layer_drop, recompute
        stored_elsewhere = bundle == "reference"
        if stored_elsewhere and (freeze != "all" or thaw_after is not None):
            raise ValueError("bundle=reference is for weights that stay as they are: freeze=all, and thaw_after=null")
        check_widths(projection_dim=projection_dim or None)
        source = _source(weights, sha256) if initial_weights.wanted() or stored_elsewhere else None
        self.body = _body(self.architecture, window, weights, source)
        self.body.stored_elsewhere = stored_elsewhere
        total = len(self.body.layers)
        self._check_freezing(thaw_layers, total)
        self.boundary = total - (total if thaw_layers is None else thaw_layers) if thaw_after is not None else total
        self.mix = LayerMix(total + 1) if layers == "weighted" else None
        self.projection = nn.Linear(self.body.width, projection_dim) if projection_dim else None
        width = projection_dim or self.body.width
        self.top = None if top is None else top(input_dim=width)
        self.input_dim, self.unit, self.longest = input_dim, self.body.unit, self.body.longest
        self.self_attentive = self.top is None or self.top.self_attentive
        self.output_dim = width if self.top is None else self.top.output_dim
        self.subsampling_factor = self.body.factor * (1 if self.top is None else self.top.subsampling_factor)
        self.keeps = self.keeps_frozen({"freeze": freeze, "window": window, "thaw_after": thaw_after})
        self.fixed_dim = self.body.width * (self.boundary + 1 if self.mix is not None else 1)
        self._freeze()

    @classmethod
    def resolved(cls, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """See the contract: with `architecture` and `sha256`; of a reference the absolute path, for other folders."""
        if part.get("architecture") is not None:
            return part
        types.require_transformers()
        source = folder.find(str(part.get("weights")))
        types.type_of(source.name, source.model_type)
        weights = _reference(source) if part.get("bundle") == "reference" else part.get("weights")
        return {**part, "weights": weights, "architecture": types.architecture(source), "sha256": source.sha256()}

    @classmethod
    def required_frontend(cls, part: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """See the contract: the one that the weights were trained with."""
        return types.frontend_part(folder.find(str(part["weights"])))

    @classmethod
    def bytes_elsewhere(cls, part: Mapping[str, Any]) -> int:
        """See the contract."""
        if part.get("bundle", "weights") == "weights":
            return 0
        return folder.find(str(part.get("weights"))).tensors.stat().st_size

    @classmethod
    def keeps_frozen(cls, part: Mapping[str, Any]) -> bool:
        """See the contract: in a window of silence, layers that are thawed would want the frames of the silence."""
        whole = part.get("thaw_after") is None or part.get("window", types.WINDOWS[0]) == types.WINDOWS[0]
        return part.get("freeze", "all") == "all" and whole

    def identity(self) -> Mapping[str, Any]:
        """See the contract: a digest over the weights as they are, wherever they came from."""
        digest, learning = hashlib.sha256(), {id(parameter) for parameter in self.brought()}
        for name, value in self.body.state_dict(keep_vars=True).items():
            if id(value) not in learning:
                digest.update(f"{name} {tuple(value.shape)}".encode())
                digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
        options = {"window": self.window, "mixed": self.mix is not None, "boundary": self.boundary}
        return {"version": _VERSION, "sha256": digest.hexdigest(), "architecture": self.architecture, **options}

    def stored(self, part: Mapping[str, Any], bundle: str) -> Mapping[str, Any]:
        """See the contract: "weights", or a "reference" to a folder that has the same weights still."""
        if bundle not in get_args(Stored):
            raise UsageError(f"it must be {' or '.join(get_args(Stored))}")
        place = self.weights
        if bundle == "reference":
            place = self._place_of_same_weights()
        self.body.stored_elsewhere = bundle == "reference"
        return {**part, "weights": place, "bundle": bundle}

    def _place_of_same_weights(self) -> str:
        """What a reference names: a name on the hub, or the absolute path of the folder."""
        if self.freeze != "all" or self.thaw_after is not None:
            raise UsageError("the weights were trained further, so that no other file has them")
        source = _source(self.weights, self.sha256)
        brought = _body(self.architecture, self.window, self.weights, source).state_dict()
        own = self.body.state_dict()
        if own.keys() != brought.keys() or not all(torch.equal(own[name].cpu(), brought[name]) for name in own):
            raise UsageError(
                f"the weights are not those of {source.tensors}: an adaptation or a warm start changed them"
            )
        return _reference(source)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """See the contract."""
        frames = self.body.output_lengths(lengths)
        return frames if self.top is None else self.top.output_lengths(frames)

    def fixed_lengths(self, lengths: Tensor) -> Tensor:
        """See the contract."""
        return self.body.output_lengths(lengths)

    def forward(self, features: Tensor, lengths: Tensor) -> Encoded:
        """Features (B, T, F) and lengths (B,) → encoded (B, T', E)."""
        states, frames = self._first(features, lengths)
        return self._second(states, frames, self._frames(features))

    def fixed(self, features: Tensor, lengths: Tensor) -> Encoded:
        """See the contract."""
        states, frames = self._first(features, lengths)
        joined = torch.cat(states if self.mix is not None else states[-1:], 2)[:, : self._frames(features)]
        return Encoded(joined.masked_fill(~length.mask(frames, joined.shape[1])[..., None], 0.0), frames)

    def learnt(self, fixed: Encoded) -> Encoded:
        """See the contract."""
        states = list(torch.split(fixed.encoded, self.body.width, 2))
        return self._second(states, fixed.lengths, fixed.encoded.shape[1])

    def brought(self) -> Iterable[nn.Parameter]:
        """See the contract."""
        if self.freeze != "all":
            return [parameter for parameter in self.body.parameters() if parameter.requires_grad]
        return [parameter for part in self._thawing() for parameter in part.parameters()]

    def thaw(self) -> None:
        """See the contract."""
        for parameter in self.brought():
            parameter.requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> PretrainedEncoder:
        """What is frozen stays as in evaluation: without dropout."""
        super().train(mode)
        frozen.settle(self)
        for part in self.body.modules():
            if isinstance(part, nn.BatchNorm1d):  # of its own statistics an utterance would know its batch
                part.eval()
        return self

    def _first(self, features: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """The frames below the first layer and above each up to the boundary, and their lengths."""
        real = length.mask(lengths, features.shape[1])[..., None]
        hidden, frames = self.body.begin(torch.where(real, features, 0.0), lengths)
        return self.body.run([hidden], frames, 0, self.boundary, self.layer_drop, self.recompute), frames

    def _second(self, states: list[Tensor], frames: Tensor, longest: int) -> Encoded:
        states = self.body.run(states, frames, self.boundary, len(self.body.layers), self.layer_drop, self.recompute)
        hidden = (states[-1] if self.mix is None else self.mix(states))[:, :longest]
        hidden = hidden if self.projection is None else self.projection(hidden)
        hidden = hidden.masked_fill(~length.mask(frames, longest)[..., None], 0.0)
        return Encoded(hidden, frames) if self.top is None else self.top(hidden, frames)

    def _frames(self, features: Tensor) -> int:
        """T' of T."""
        return int(self.body.output_lengths(torch.tensor([features.shape[1]])))

    def _thawing(self) -> list[nn.Module]:
        if self.thaw_after is None:
            return []
        return [*self.body.layers[self.boundary :], *self.body.ending]

    def _freeze(self) -> None:
        parts: dict[str, tuple[nn.Module, ...]] = {"all": (self.body,), "features": self.body.features, "none": ()}
        for part in parts[self.freeze]:
            frozen.freeze(part.parameters())
        self.train(self.training)

    def _check_freezing(self, thaw_layers: int | None, total: int) -> None:
        if self.thaw_after is not None and self.freeze != "all":
            raise ValueError(f"thaw_after={self.thaw_after} is for freeze=all, and freeze is {self.freeze}")
        if self.thaw_after is not None and self.thaw_after < 1:
            raise ValueError(f"thaw_after must be at least 1, got {self.thaw_after}; freeze=none trains from the start")
        if thaw_layers is not None and (self.thaw_after is None or not 1 <= thaw_layers <= total):
            raise ValueError(f"thaw_layers must be 1 to {total}, and thaw_after says when, got {thaw_layers}")
        never_trained = self.freeze == "all" and self.thaw_after is None
        if self.learning_rate is not None:
            if never_trained:
                raise ValueError(f"learning_rate={self.learning_rate} is of nothing: freeze=all, and nothing is thawed")
            if not 0.0 < self.learning_rate < math.inf:
                raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}; null takes optimizer.lr")
        if not 0.0 <= self.layer_drop < 1.0:
            raise ValueError(f"layer_drop must lie in [0, 1), got {self.layer_drop}")
        if self.layer_drop and never_trained:
            raise ValueError(f"layer_drop={self.layer_drop} skips trained layers: freeze=all, and nothing is thawed")


def _reference(source: folder.WeightsFolder) -> str:
    """What names a folder of weights from any other folder."""
    return source.name if folder.is_hub_name(source.name) else str(source.path.resolve())


def _source(name: str, sha256: str | None) -> folder.WeightsFolder:
    """The folder that weights are read from: the one of which the digest was taken, where that is known."""
    source = folder.find(name)
    if sha256 is not None and source.sha256() != sha256:
        raise LasasrError(
            f"listen.weights={name}: {source.tensors} has sha256 {source.sha256()[:12]}..., not {sha256[:12]}... as "
            "when it was trained with"
        )
    return source


def _body(architecture: Mapping[str, Any], window: str, name: str, source: folder.WeightsFolder | None) -> Body:
    """The model with the weights of `source`; None: they are read from a bundle afterwards, which bounds it, too."""
    model_type = str(architecture.get("model_type"))
    try:
        with nullcontext() if source is None else weights.bounding(source):
            body = types.body(model_type, architecture, window, name)
    except allocation.TooLargeError as error:
        if source is None:
            raise
        raise LasasrError(
            f"listen.weights={name}: config.json describes another model than that of {source.tensors}: {error}"
        ) from None
    body.constants = frozen.constants(body)
    if source is not None:
        weights.read(body, source)
    return body


def _check(**options: tuple[str, Any]) -> None:
    for name, (value, choices) in options.items():
        if value not in get_args(choices):
            raise ValueError(f"{name} must be {' or '.join(get_args(choices))}, got {value!r}")
