"""Training steps, decoder steps and encoders at two sizes, and their floors; used by `bench.py`.

A floor is the bare work of the same shapes and precision with nothing around it: the LSTMs of both directions and the
projections over padded frames for an encoder; for a decoder the products, sums and sigmoids of a step, each weight's
gradient one product after the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from bench_measure import Case, Work, cores, synchronize
from torch import Tensor, nn

from lasasr.attend.content import AdditiveAttention, DotAttention
from lasasr.attend.location import LocationAttention
from lasasr.listen.base import Encoder
from lasasr.listen.bilstm import BiLSTM
from lasasr.listen.blstm import BLSTMEncoder
from lasasr.listen.pyramid import PyramidEncoder
from lasasr.losses.joint import JointLoss
from lasasr.models import factory
from lasasr.models.network import CTCHead, Model
from lasasr.nn import host_mirror
from lasasr.nn.lstm import onednn_computes
from lasasr.spell.base import Decoder
from lasasr.spell.recurrent import RecurrentDecoder
from lasasr.text import special

FEATURES = 80
FILTERS, KERNEL_SIZE = 10, 201
ATTENTIONS = ("location", "additive", "dot")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Shape:
    """B, T, U, V and the widths of a model."""

    batch: int
    frames: int  # T, of 10 ms
    tokens: int  # U
    vocabulary: int  # V
    listen: Callable[..., Encoder]
    encoded_frames: int  # T'
    attention: int = 320  # A
    hidden: int = 512  # D, of the decoder
    embedding: int = 320
    readout: int | None = None


LARGE = Shape(  # 16 utterances of 12 s, 15.5 million parameters
    16,
    1198,
    60,
    1000,
    partial(BLSTMEncoder, hidden_dim=320, layers=4, subsampling=[1, 2, 2, 2], projection_dim=640),
    150,
)
SMALL = Shape(  # of the recipe synthetic/las_char
    24,
    400,
    45,
    32,
    partial(PyramidEncoder, hidden_dim=192, layers=3, subsampling_factor=4, stack=2),
    100,
    attention=128,
    hidden=256,
    embedding=128,
    readout=256,
)


class Bench:
    """The cases, at one size on one device.

    Args:
        shape: of the work.
        device: where.
        threads: cores that `lasasr.nn.concurrent` uses, one case for each.
    """

    def __init__(self, shape: Shape, device: torch.device, threads: tuple[int, ...] = (1, 2)) -> None:
        self.shape, self.device = shape, device
        self.threads = threads if device.type == "cpu" else (1,)

    # -- training step ------------------------------------------------------------------------------------------------

    def training(self) -> Iterator[list[Case]]:
        """Forward pass, joint loss and backward pass; the floor is the encoder's LSTMs and projections alone."""
        precisions = self.of_lstms()
        for lengths in ("equal", "variable"):
            yield self._training(lengths, precisions)

    def _training(self, lengths: str, precisions: list[str]) -> list[Case]:
        models = {lstm: self.model("location", lstm) for lstm in ("padded", "packed")}
        models["packed"].load_state_dict(models["padded"].state_dict())
        batch = self.batch(lengths)
        losses = {lstm: float(self.loss(model, batch, "float32").detach()) for lstm, model in models.items()}
        print(f"training, {lengths} lengths: {sum(p.numel() for p in models['padded'].parameters()):,} parameters,")
        print(f"  losses in float32: {', '.join(f'{lstm} {loss:.7f}' for lstm, loss in losses.items())}")
        cases = []
        for precision in precisions:
            floor = f"{lengths}: floor {precision}"
            bare = self.bare_encoder(models["padded"].encoder, precision)
            decoder = self.bare_decoder("location", precision)
            cases.append(Case(floor, bare, floor))
            cases.append(Case(f"{lengths}: floor with decoder {precision}", partial(_both, bare, decoder), floor))
            for count in self.threads:
                label = f"{lengths}: padded {precision}, {count} core{'s' * (count > 1)}"
                step = partial(self.train, models["padded"], batch, precision, count)
                cases.append(Case(label, step, floor, wide=count == 1))
            if precision == "float32" or self.device.type == "cuda":
                count = max(self.threads)
                step = partial(self.train, models["packed"], batch, precision, count)
                cases.append(Case(f"{lengths}: packed {precision}, {count} core{'s' * (count > 1)}", step, floor))
        return cases

    def attentions(self) -> Iterator[list[Case]]:
        """The decoder's share of a training step for every shipped attention; the floor is that of `none`."""
        cases = []
        for name in attention_names():
            unroll = self.unrolled(self.decoder(name), "float32")
            cases.append(Case(f"decoder step, {name}", unroll, "decoder step, none", self.shape.tokens + 1))
        yield cases

    def model(self, attention: str, lstm: str = "auto") -> Model:
        """Encoder, decoder and CTC head."""
        torch.manual_seed(0)
        encoder = self.shape.listen(input_dim=FEATURES, lstm=lstm)
        decoder = self.decoder(attention, encoder.output_dim)
        head = CTCHead(encoded_dim=encoder.output_dim, vocabulary_size=self.shape.vocabulary)
        return Model(encoder=encoder, decoder=decoder, ctc=head).to(self.device)

    def batch(self, lengths: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features, frames, tokens, their lengths; "variable" is from the longest down to two thirds of it."""
        shape = self.shape
        share = 1.0 if lengths == "equal" else 2 / 3
        frames = torch.linspace(shape.frames, shape.frames * share, shape.batch).round().long()
        tokens = torch.linspace(shape.tokens, shape.tokens * share, shape.batch).round().long()
        torch.manual_seed(1)
        features = torch.randn(shape.batch, shape.frames, FEATURES)
        text = torch.randint(special.FIRST_TEXT, shape.vocabulary, (shape.batch, shape.tokens))
        features, frames, text, tokens = (
            host_mirror.to(tensor, self.device) for tensor in (features, frames, text, tokens)
        )
        return features, frames, text, tokens

    def mixed(self, precision: str) -> Any:
        """Autocast, or nothing."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bfloat16")

    def of_lstms(self) -> list[str]:
        """The precisions in which torch has an LSTM here, which floors are; says which it leaves out."""
        absent = [
            name
            for name, dtype in PRECISIONS.items()
            if self.device.type == "cpu" and dtype != torch.float32 and not onednn_computes(dtype)
        ]
        if absent:
            print(f"no cases in {', '.join(absent)}: oneDNN has no such LSTM on this processor (or ONEDNN_MAX_CPU_ISA)")
        return [name for name in PRECISIONS if name not in absent]

    def loss(self, model: Model, batch: tuple[Tensor, ...], precision: str) -> Tensor:
        """The joint loss."""
        features, frames, tokens, token_lengths = batch
        with self.mixed(precision):
            output = model(features, frames, tokens, token_lengths)
        joint = JointLoss(ctc_weight=0.3, label_smoothing=0.1, prior="even")
        return joint(output.logits, output.ctc_log_probs, output.encoded_lengths, tokens, token_lengths).total

    def train(self, model: Model, batch: tuple[Tensor, ...], precision: str, count: int) -> None:
        """One step without the optimizer's."""
        with cores(count):
            for parameter in model.parameters():
                parameter.grad = None
            self.loss(model, batch, precision).backward()

    # -- decoder ------------------------------------------------------------------------------------------------------

    def decoders(self) -> Iterator[list[Case]]:
        """A decoder's step, forward and backward, in a teacher-forced pass."""
        steps = self.shape.tokens + 1
        for precision in PRECISIONS:
            cases = []
            for name in ATTENTIONS:
                floor = f"{name} {precision}: floor"
                unroll = self.unrolled(self.decoder(name), precision)
                plain = self.unrolled(self.decoder(name), precision, plain=True)
                cases.append(Case(floor, self.bare_decoder(name, precision), floor, steps))
                cases.append(Case(f"{name} {precision}", unroll, floor, steps, wide=True))
                cases.append(Case(f"{name} {precision}: plain steps", plain, floor, steps, wide=True))
                if self.device.type == "cuda" and name == "location":  # a minute to compile
                    compiled = self.unrolled(self.decoder(name, compiled=True), precision)
                    cases.append(Case(f"{name} {precision}: compiled", compiled, floor, steps, wide=True))
            yield cases

    def decoder(self, attention: str, encoded_dim: int | None = None, compiled: bool = False) -> RecurrentDecoder:
        """A decoder with this attention: one of the three by their classes, or one of `configs/attend`."""
        shape = self.shape
        attend: Any = {
            "location": partial(LocationAttention, dim=shape.attention, filters=FILTERS, kernel_size=KERNEL_SIZE),
            "additive": partial(AdditiveAttention, dim=shape.attention),
            "dot": partial(DotAttention, dim=shape.attention),
        }.get(attention) or partial(factory.build, attention_config(attention) | self._width(attention), "attend")
        torch.manual_seed(0)
        return RecurrentDecoder(
            attend=attend,
            encoded_dim=encoded_dim or self.encoded_dim,
            vocabulary_size=shape.vocabulary,
            hidden_dim=shape.hidden,
            embedding_dim=shape.embedding,
            readout_dim=shape.readout,
            compile=compiled,
        ).to(self.device)

    def _width(self, attention: str) -> dict[str, int]:
        return {"dim": self.shape.attention} if "dim" in attention_config(attention) else {}

    @property
    def encoded_dim(self) -> int:
        """E."""
        return self.shape.listen(input_dim=FEATURES).output_dim

    def unrolled(self, decoder: RecurrentDecoder, precision: str, plain: bool = False) -> Work:
        """Memory and all steps, forward and backward; `plain`: one step after another, as the contract has it."""
        shape = self.shape
        encoded = torch.randn(shape.batch, shape.encoded_frames, self.encoded_dim, device=self.device)
        encoded.requires_grad_()
        mask = torch.ones(encoded.shape[:2], dtype=torch.bool, device=self.device)
        tokens = torch.randint(special.FIRST_TEXT, shape.vocabulary, (shape.batch, shape.tokens + 1))
        tokens = tokens.to(self.device)

        def work() -> None:
            encoded.grad = None
            for parameter in decoder.parameters():
                parameter.grad = None
            with self.mixed(precision):
                memory = decoder.memory(encoded, mask)
                unroll = partial(Decoder.unroll, decoder) if plain else decoder.unroll
                logits = unroll(tokens, memory, decoder.initial(memory, 1)).logits
            logits.float().square().sum().backward()

        return work

    def bare_decoder(self, attention: str, precision: str) -> Work:
        """The floor of `unrolled`, for the three attentions of `ATTENTIONS`."""
        shape, width = self.shape, self.encoded_dim
        B, T, U, A, D, R = (
            shape.batch,
            shape.encoded_frames,
            shape.tokens + 1,
            shape.attention,
            shape.hidden,
            shape.readout,
        )
        make = partial(torch.randn, device=self.device, dtype=PRECISIONS[precision])
        embedded, weight_known = make(U * B, shape.embedding), make(4 * D, shape.embedding)
        read, loop, gates = make(B, width + D), make(4 * D, width + D), make(B, 4 * D)
        reads, all_gates, hiddens, queries = make(U * B, width + D), make(U * B, 4 * D), make(U * B, D), make(U * B, A)
        hidden, to_query, query = make(B, D), make(A, D), make(B, 1, A)
        frames, keys, buffer = make(B, T, width), make(B, T, A), make(B, T, A)
        to_key, total, vector = make(A, width), torch.zeros_like(keys, dtype=torch.float32), make(A, 1)
        weights, energy, context = make(B, 1, T), make(B, T, 1), make(B, 1, width)
        all_weights, contexts, location_rows = make(B, U, T), make(B, U, width), make(U * B, FILTERS * T)
        readout, output = make(U * B, D + width), make(R or shape.vocabulary, D + width)
        logits = make(shape.vocabulary, R) if R else None
        band, features, filters = make(T, FILTERS * T), make(B, FILTERS, T), make(FILTERS, A).expand(B, -1, -1)
        additive, location = attention != "dot", attention == "location"

        def forward() -> None:
            for _ in range(U):
                read @ loop.t()
                hidden @ to_query.t()
                if location:
                    weights[:, 0] @ band
                if additive:
                    torch.add(keys, query, out=buffer)
                    if location:
                        buffer.baddbmm_(features.transpose(1, 2), filters)
                    buffer.sigmoid_().view(-1, A) @ vector
                else:
                    torch.bmm(query, keys.transpose(1, 2))
                torch.bmm(weights, frames)

        def backward() -> None:
            for _ in range(U):
                gates @ loop
                query[:, 0] @ to_query
                torch.bmm(context, frames.transpose(1, 2))
                torch.bmm(energy.transpose(1, 2), keys)
                if additive:
                    slope = torch.ops.aten.sigmoid_backward(energy, keys)
                    slope.sum(1)
                    total.add_(slope)
                if location:
                    torch.bmm(features, slope)
                    features.flatten(1) @ band.t()
                    torch.bmm(filters, slope.transpose(1, 2))

        def work() -> None:
            embedded @ weight_known.t(), all_gates.t() @ embedded, all_gates @ weight_known
            flat = frames.flatten(0, 1)
            flat @ to_key.t(), keys.flatten(0, 1) @ to_key, keys.flatten(0, 1).t() @ flat
            forward()
            read_out = readout @ output.t()
            read_out.t() @ readout, read_out @ output
            if logits is not None:
                scores = read_out @ logits.t()
                scores.t() @ read_out, scores @ logits
            backward()
            all_gates.t() @ reads, queries.t() @ hiddens
            torch.bmm(all_weights.transpose(1, 2), contexts)
            if location:
                all_weights.transpose(0, 1).flatten(0, 1).t() @ location_rows

        return work

    # -- encoder ------------------------------------------------------------------------------------------------------

    def encoders(self) -> Iterator[list[Case]]:
        """Forward and backward pass; the floor is the same LSTMs and projections with no care for lengths."""
        encoders = {
            lstm: self.shape.listen(input_dim=FEATURES, lstm=lstm).to(self.device) for lstm in ("padded", "packed")
        }
        precisions = self.of_lstms()
        for lengths in ("equal", "variable"):
            features, frames, _, _ = self.batch(lengths)
            cases = []
            for precision in precisions:
                floor = f"{lengths}: floor {precision}"
                cases.append(Case(floor, self.bare_encoder(encoders["padded"], precision), floor))
                for count in self.threads:
                    label = f"{lengths}: padded {precision}, {count} core{'s' * (count > 1)}"
                    cases.append(
                        Case(label, partial(self.encode, encoders["padded"], features, frames, precision, count), floor)
                    )
                if precision == "float32" or self.device.type == "cuda":
                    work = partial(self.encode, encoders["packed"], features, frames, precision, 1)
                    cases.append(Case(f"{lengths}: packed {precision}", work, floor))
            yield cases

    def encode(self, listen: Encoder, features: Tensor, lengths: Tensor, precision: str, count: int) -> None:
        """Forward and backward."""
        with cores(count):
            with self.mixed(precision):
                encoded = listen(features, lengths).encoded
            encoded.float().sum().backward()

    def bare_encoder(self, listen: Encoder, precision: str) -> Work:
        """Per layer: its two directions as plain LSTMs and its projection, on an input of the right shape."""
        frames = self.shape.frames
        layers: list[tuple[list[nn.LSTM], nn.Module, Tensor]] = []
        counts: list[int] | None = getattr(listen, "joined", None)
        for index, layer in enumerate(cast(list[BiLSTM], listen.layers)):
            if counts:
                frames = -(-frames // counts[index])
            size = layer.lstm.input_size
            lstms = [nn.LSTM(size, layer.lstm.hidden_size, batch_first=True).to(self.device) for _ in range(2)]
            inputs = torch.randn(self.shape.batch, frames, size, device=self.device, requires_grad=index > 0)
            layers.append((lstms, layer.projection or nn.Identity(), inputs))
            if not counts:
                frames = -(-frames // cast(list[int], listen.strides)[index])

        def work() -> None:
            for lstms, projection, inputs in layers:
                with self.mixed(precision):
                    result = projection(torch.cat([lstm(inputs)[0] for lstm in lstms], -1))
                result.backward(torch.ones_like(result))

        return work

    # -- growth -------------------------------------------------------------------------------------------------------

    def growth(self) -> Iterator[list[Case]]:
        """The decoder's pass against T', U, B and V: where the size doubles, the time should at most double."""
        for name, field in (("T'", "encoded_frames"), ("U", "tokens"), ("B", "batch"), ("V", "vocabulary")):
            middle = getattr(self.shape, field)
            sizes = [max(8, middle // 2), middle, 2 * middle, 4 * middle]
            cases = []
            for size in sizes:
                other = Bench(replace(self.shape, **{field: size}), self.device, self.threads)
                work = other.unrolled(other.decoder("location"), "float32")
                cases.append(Case(f"{name} = {size} ({size / sizes[0]:.0f} x)", work, f"{name} = {sizes[0]} (1 x)"))
            yield cases

    # -- launches -----------------------------------------------------------------------------------------------------

    def launches(self) -> dict[str, float]:
        """Per decoder step, from passes of two lengths, so that what surrounds the loop drops out.

        On a GPU kernels; on a CPU operators that do arithmetic or copy, which on a GPU are about one kernel each.
        Also how often a training step waits for the device.
        """
        counts: dict[str, float] = {}
        kinds = [(name, False) for name in ATTENTIONS]
        if self.device.type == "cuda":
            kinds.append(("location", True))
        for name, compiled in kinds:
            for backward in (False, True):
                operations = [self._launched(name, tokens, backward, compiled) for tokens in (10, 20)]
                label = f"{name}{', compiled' * compiled}, {'forward and backward' if backward else 'forward'}"
                counts[f"{label}, per decoder step"] = (operations[1] - operations[0]) / 10
        if self.device.type == "cuda":
            model, batch = self.model("location"), self.batch("variable")
            self.train(model, batch, "float32", 1)
            step = partial(self.train, model, batch, "float32", 1)
            waits = _events(step, self.device, "Synchronize")
            counts["waits of the host per training step, 6 of them in torch's CTC"] = waits - 1  # 1 by `_events`
            counts["copies to the host per training step"] = _events(step, self.device, "Memcpy DtoH")
        return counts

    def _launched(self, attention: str, tokens: int, backward: bool, compiled: bool) -> int:
        other = Bench(replace(self.shape, tokens=tokens), self.device)
        decoder = other.decoder(attention, compiled=compiled)
        if backward:
            work = other.unrolled(decoder, "float32")
        else:
            encoded = torch.randn(self.shape.batch, self.shape.encoded_frames, self.encoded_dim, device=self.device)
            mask = torch.ones(encoded.shape[:2], dtype=torch.bool, device=self.device)
            text = torch.full((self.shape.batch, tokens), special.SOS, device=self.device)

            def work() -> None:
                memory = decoder.memory(encoded, mask)
                decoder.unroll(text, memory, decoder.initial(memory, 1))

        work()
        return _kernels(work, self.device)


def _both(first: Work, second: Work) -> None:
    first()
    second()


def attention_names() -> list[str]:
    """The variants of `configs/attend`."""
    from pathlib import Path

    import lasasr.configs

    folder = Path(lasasr.configs.__file__).parent / "attend"
    return sorted(path.stem for path in folder.glob("*.yaml") if not path.stem.startswith("_"))


def attention_config(name: str) -> dict[str, Any]:
    """The plain values of `attend=name`."""
    from hydra import compose, initialize_config_module
    from omegaconf import OmegaConf

    with initialize_config_module("lasasr.configs", version_base="1.3"):
        plain: Any = OmegaConf.to_container(compose(overrides=[f"+attend={name}"]).attend, resolve=True)
    return dict(plain)


VIEWS = ("view", "reshape", "expand", "select", "slice", "transpose", "squeeze", "unsqueeze", "as_strided", "detach")
VIEWS += ("unbind", "split", "chunk", "empty", "permute", "alias", "resize", "narrow", "unfold", "t", "set", "result")


def _kernels(work: Work, device: torch.device) -> int:
    """Kernels that `work` launches, or on a CPU the operators that do something."""
    if device.type == "cuda":
        from torch.autograd import DeviceType

        with torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
        ) as profiler:
            work()
            synchronize(device)
        return sum(event.device_type == DeviceType.CUDA for event in profiler.events() or ())
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counting(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = function.overloadpacket.__name__.strip("_")
            self.count += not name.startswith(VIEWS) or name.startswith(("tanh", "threshold", "topk"))
            return function(*args, **(kwargs or {}))

    with Counting() as counting:
        work()
    return counting.count


def _events(work: Work, device: torch.device, name: str) -> int:
    """How many events of the profiler's trace have `name` in their name."""
    kinds = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[kinds.CPU, kinds.CUDA]) as profiler:
        work()
        synchronize(device)
    return sum(name in event.name for event in profiler.events() or ())
