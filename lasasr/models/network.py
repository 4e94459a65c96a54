"""Encoder, decoder and CTC head as one module: features to logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lasasr.listen.base import Encoded, Encoder, StagedEncoder
from lasasr.nn import concurrent, pieces
from lasasr.nn import lengths as length_arithmetic
from lasasr.nn.concurrent import concurrently
from lasasr.spell.base import MASKED, Decoder, ReadoutDecoder, Unrolled, UnrolledValues, draws
from lasasr.text import special

CTC_NEVER_EMITTED = (special.PAD, special.SOS, special.EOS)


class Output(NamedTuple):
    """What the losses need. A part the model does not have is None."""

    logits: Tensor | None  # (B, U + 1, V), of the tokens and eos; blank, pad and sos hold MASKED
    weights: Tensor | None  # (B, U + 1, H, T'), of the attention
    ctc_log_probs: Tensor | None  # (B, T', V) float32
    encoded_lengths: Tensor  # (B,) int64


class CTCHead(nn.Module):
    """Encoded (B, T', E) → log-probabilities (B, T', V) of blank and text, float32 whatever the precision."""

    never_emitted: Tensor

    def __init__(self, *, encoded_dim: int, vocabulary_size: int) -> None:
        super().__init__()
        self.output = nn.Linear(encoded_dim, vocabulary_size)
        never = torch.zeros(vocabulary_size, dtype=torch.bool)
        never[list(CTC_NEVER_EMITTED)] = True
        self.register_buffer("never_emitted", never, persistent=False)

    def forward(self, encoded: Tensor) -> Tensor:
        logits: Tensor = self.output(encoded).float()
        return logits.masked_fill(self.never_emitted, MASKED).log_softmax(-1)


class Model(nn.Module):
    """Listen, then spell and/or label the frames.

    Args:
        encoder: features → encoded.
        decoder: spells; None for a CTC-only model.
        ctc: labels the frames; None for an attention-only model.

    Raises:
        ValueError: neither a decoder nor a CTC head is given.
    """

    def __init__(self, *, encoder: Encoder, decoder: Decoder | None, ctc: CTCHead | None) -> None:
        super().__init__()
        if decoder is None and ctc is None:
            raise ValueError("a model needs a decoder, a CTC head or both, got neither")
        self.encoder = encoder
        self.decoder = decoder
        self.ctc = ctc

    def encode(self, features: Tensor, lengths: Tensor, fixed: bool = False) -> Encoded:
        """Encode features (B, T, F) of `lengths` (B,) frames.

        Args:
            fixed: they are what the first stage of a `StagedEncoder` gives.
        """
        if fixed:
            assert isinstance(self.encoder, StagedEncoder)
            return self.encoder.learnt(Encoded(features, lengths))
        encoded: Encoded = self.encoder(features, lengths)
        return encoded

    def encode_with_intermediate(
        self, features: Tensor, lengths: Tensor, fixed: bool = False
    ) -> tuple[Encoded, list[Tensor]]:
        """As `encode`, with the outputs (B, T', E) of the layers in `Encoder.intermediate`."""
        with _outputs_of(self.encoder.intermediate) as outputs:
            encoded = self.encode(features, lengths, fixed)
        return encoded, outputs

    def ctc_log_probs(self, encoded: Tensor) -> Tensor:
        """CTC log-probabilities (B, T', V), float32, of encoded (B, T', E).

        Raises:
            ValueError: the model has no CTC head.
        """
        if self.ctc is None:
            raise ValueError("this model was built without a CTC head (ctc_weight is 0)")
        log_probs: Tensor = self.ctc(encoded)
        return log_probs

    def forward(
        self, features: Tensor, lengths: Tensor, tokens: Tensor, token_lengths: Tensor, sampling: float = 0.0
    ) -> Output:
        """The teacher-forced pass.

        Args:
            features: (B, T, F).
            lengths: (B,) int64 frames.
            tokens: (B, U) int64, without sos and eos; padding may hold anything.
            token_lengths: (B,) int64; logits after an utterance's own U + 1 mean nothing.
            sampling: probability of reading the model's own prediction (`Decoder.unroll`).
        """
        encoded, encoded_lengths = self.encode(features, lengths)
        log_probs = None if self.ctc is None else self.ctc_log_probs(encoded)
        if self.decoder is None:
            return Output(None, None, log_probs, encoded_lengths)
        logits, weights = self.forced(encoded, encoded_lengths, tokens, token_lengths, sampling)
        return Output(logits, weights, log_probs, encoded_lengths)

    def forced(
        self, encoded: Tensor, encoded_lengths: Tensor, tokens: Tensor, token_lengths: Tensor, sampling: float = 0.0
    ) -> Unrolled:
        """Logits (B, U + 1, V) and weights (B, U + 1, H, T') of the decoder, teacher-forced by tokens (B, U).

        Raises:
            ValueError: the model has no decoder.
        """
        if self.decoder is None:
            raise ValueError("this model was built without a decoder (its loss needs none)")
        heard = encoded, encoded_lengths, tokens, token_lengths
        return Unrolled(*_spelled(self.decoder, self.decoder.unroll, *_read_by_the_decoder(*heard), sampling))

    def forced_values(
        self, encoded: Tensor, encoded_lengths: Tensor, tokens: Tensor, token_lengths: Tensor, sampling: float = 0.0
    ) -> UnrolledValues:
        """The same before the readout, of a decoder that reads in pieces.

        Raises:
            ValueError: the decoder makes its logits otherwise.
        """
        if not isinstance(self.decoder, ReadoutDecoder) or not self.decoder.reads_in_pieces:
            raise ValueError("the logits of this decoder are not made of values of its steps")
        heard = encoded, encoded_lengths, tokens, token_lengths
        unroll = self.decoder.unroll_values
        return UnrolledValues(*_spelled(self.decoder, unroll, *_read_by_the_decoder(*heard), sampling))

    @property
    def large_outputs(self) -> bool:
        """Whether the heads' outputs are so large that a loss is better computed of pieces of them.

        No: where hooks are to see an output as a whole, where weights are drawn anew in each use, or where a decoder
        makes its logits otherwise.
        """
        decoder = self.decoder
        if self.ctc is not None and draws(self.ctc):
            return False
        if decoder is not None and not (isinstance(decoder, ReadoutDecoder) and decoder.reads_in_pieces):
            return False
        heads = [head for head in (decoder, self.ctc) if head is not None]
        return pieces.worth(self.vocabulary_size) and not any(map(_has_hooks, heads))

    @property
    def vocabulary_size(self) -> int:
        """V."""
        if self.decoder is not None:
            return self.decoder.vocabulary_size
        assert self.ctc is not None
        return len(self.ctc.never_emitted)


def _read_by_the_decoder(
    encoded: Tensor, encoded_lengths: Tensor, tokens: Tensor, token_lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """encoded (B, T', E), its mask (B, T'), and sos before the text (B, U + 1)."""
    mask = length_arithmetic.mask(encoded_lengths, encoded.shape[1])
    text = tokens.masked_fill(~length_arithmetic.mask(token_lengths, tokens.shape[1]), special.PAD)
    return encoded, mask, torch.cat((text.new_full((len(text), 1), special.SOS), text), 1)


@contextmanager
def _outputs_of(layers: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """What the layers return while it is open, in the order in which they are called."""
    outputs: list[Tensor] = []
    handles = [layer.register_forward_hook(lambda _layer, _inputs, output: outputs.append(output)) for layer in layers]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _spelled(
    decoder: Decoder,
    unroll: Callable[..., Sequence[Tensor]],
    encoded: Tensor,
    mask: Tensor,
    read: Tensor,
    sampling: float,
) -> Sequence[Tensor]:
    """The teacher-forced pass of the decoder by its `unroll`; on a CPU each half of the batch has a thread of its own.

    A decoder's loop is a long row of small operations that no OpenMP thread speeds up. Where random numbers are drawn
    the batch stays whole, because two threads would draw them in an order of chance; where the step is compiled, which
    one thread does at a time; and where a module has hooks, which are to see the whole batch and its graph.
    """

    def spell(encoded: Tensor, mask: Tensor, read: Tensor, *parameters: Tensor) -> Any:
        memory = decoder.memory(encoded, mask)
        return unroll(read, memory, decoder.initial(memory, 1), sampling)

    whole, half = (encoded, mask, read), len(read) // 2
    two_threads = encoded.device.type == "cpu" and torch.is_grad_enabled() and concurrent.cores_per_process() > 1
    if not two_threads or not half or sampling > 0.0 or decoder.draws or decoder.compiles or _has_hooks(decoder):
        results: Sequence[Tensor] = spell(*whole)
        return results
    weights = [parameter for parameter in decoder.parameters() if parameter.requires_grad]
    first_half, second_half = ([*(part[rows] for part in whole), *weights] for rows in (slice(half), slice(half, None)))
    halves = concurrently(spell, spell, first_half, second_half)
    return [torch.cat(pair) for pair in zip(*halves, strict=True)]


def _has_hooks(module: nn.Module) -> bool:
    """Whether anything is called before or after a part of `module`, forward or backward."""
    return any(
        part._forward_pre_hooks or part._forward_hooks or part._backward_pre_hooks or part._backward_hooks
        for part in module.modules()
    )
