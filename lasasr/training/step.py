"""One training step of a recognizer as its loss looks at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lasasr.data.batch import Batch
from lasasr.listen.base import Encoded
from lasasr.losses.base import Nbest, PiecewiseHeads, StepView
from lasasr.metrics.error_rates import Metric, counts_between, units
from lasasr.models.recognizer import Recognizer
from lasasr.nn import frozen, lengths, pieces
from lasasr.search.acoustics import Acoustics
from lasasr.search.beam import BeamSearch
from lasasr.search.limits import Limits
from lasasr.spell.base import ReadoutDecoder, Unrolled, UnrolledValues
from lasasr.text import special, transcript


class RecognizerStep(StepView):
    """See `StepView`.

    Args:
        recognizer: whose model is trained.
        batch: of this step.
        features: (B, T, F), augmented; or what a frozen first stage of the encoder gives (`Recognizer.encoder_input`).
        frames: (B,) int64.
        update: updates made so far.
        sampling: probability that the decoder reads its own prediction.
    """

    def __init__(
        self, recognizer: Recognizer, batch: Batch, features: Tensor, frames: Tensor, update: int, sampling: float = 0.0
    ) -> None:
        self.recognizer, self.batch, self.update = recognizer, batch, update
        self.features, self.frames, self._sampling = features, frames, sampling
        self._unrolled: Unrolled | None = None
        self._values: UnrolledValues | None = None

    @cached_property
    def _encoded_and_intermediate(self) -> tuple[Encoded, list[Tensor]]:
        return self.recognizer.encode_with_intermediate(self.features, self.frames)

    @property
    def _encoded(self) -> Encoded:
        return self._encoded_and_intermediate[0]

    @property
    def encoded(self) -> Tensor:
        """See the contract."""
        return self._encoded.encoded

    @property
    def encoded_lengths(self) -> Tensor:
        """See the contract."""
        return self._encoded.lengths

    def _spelled(self) -> Unrolled | None:
        if self._unrolled is None and self.recognizer.model.decoder is not None:
            if self.pieces is None:
                self._unrolled = self.recognizer.model.forced(*self._spelling())
            else:
                values, weights = self.values()
                self._unrolled = Unrolled(cast(ReadoutDecoder, self.recognizer.model.decoder).readout(values), weights)
        return self._unrolled

    def values(self) -> UnrolledValues:
        """What the decoder's readout reads of the reference."""
        if self._values is None:
            self._values = self.recognizer.model.forced_values(*self._spelling())
        return self._values

    def _spelling(self) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
        return (*self._encoded, self.batch.tokens, self.batch.token_lengths, self._sampling)

    @property
    def logits(self) -> Tensor | None:
        """See the contract."""
        unrolled = self._spelled()
        return None if unrolled is None else unrolled.logits

    @property
    def weights(self) -> Tensor | None:
        """See the contract."""
        if self.recognizer.model.decoder is not None and self.pieces is not None:
            return self.values().weights
        unrolled = self._spelled()
        return None if unrolled is None else unrolled.weights

    @property
    def computed_weights(self) -> Tensor | None:
        """The attention's weights where the loss has read the decoder; nothing is computed for them."""
        computed = self._values or self._unrolled
        return None if computed is None else computed.weights

    @cached_property
    def pieces(self) -> PiecewiseHeads | None:
        """See the contract."""
        return HeadsInPieces(self) if self.recognizer.model.large_outputs else None

    @property
    def intermediate(self) -> Sequence[Tensor]:
        """(B, T', E) of each layer in `Encoder.intermediate`."""
        return self._encoded_and_intermediate[1]

    @cached_property
    def ctc_log_probs(self) -> Tensor | None:
        """See the contract."""
        model = self.recognizer.model
        return None if model.ctc is None else model.ctc_log_probs(self.encoded)

    @cached_property
    def intermediate_ctc_log_probs(self) -> Sequence[Tensor]:
        """See the contract."""
        model = self.recognizer.model
        return [] if model.ctc is None else [model.ctc_log_probs(layer) for layer in self._encoded_and_intermediate[1]]

    @property
    def acoustics(self) -> Acoustics:
        """What a search needs of the batch."""
        mask = lengths.mask(self.encoded_lengths, self.encoded.shape[1])
        return Acoustics(self.encoded, mask, self.ctc_log_probs)

    def forced(self, tokens: Tensor, token_lengths: Tensor, rows: Tensor | None = None) -> Tensor:
        """See the contract."""
        encoded, encoded_lengths = self._encoded
        if rows is not None:
            encoded, encoded_lengths = encoded[rows], encoded_lengths[rows]
        return self.recognizer.model.forced(encoded, encoded_lengths, tokens, token_lengths).logits

    @torch.no_grad()
    def hypotheses(self, beam: int, longest: Tensor | None = None) -> Nbest:
        """See the contract; what is not finite of an utterance is searched as 0: its own loss names it."""
        model = self.recognizer.model
        if model.decoder is None:
            raise ValueError("hypotheses need a decoder, and this model was built without one (its loss needs none)")
        mask = lengths.mask(self.encoded_lengths, self.encoded.shape[1])
        limits = Limits() if longest is None else _LimitsOfEach(longest=tuple(longest.tolist()))
        search = BeamSearch(beam=beam, nbest=beam, keep_weights=False, limits=limits)
        acoustics = Acoustics(self.encoded.detach().nan_to_num(0.0, 0.0, 0.0), mask)
        with frozen.evaluating(model.decoder):
            nbests = search(model.decoder, acoustics, self.batch.ids)
        rows = [[nbest[min(place, len(nbest) - 1)] for place in range(beam)] for nbest in nbests]
        device = self.encoded.device
        padded = pad_sequence(
            [torch.tensor(hypothesis.tokens, dtype=torch.int64) for nbest in rows for hypothesis in nbest],
            batch_first=True,
            padding_value=special.PAD,
        )
        sizes = torch.tensor([[len(hypothesis.tokens) for hypothesis in nbest] for nbest in rows])
        distinct = torch.tensor([[place < len(nbest) for place in range(beam)] for nbest in nbests])
        scores = torch.tensor([[hypothesis.score for hypothesis in nbest] for nbest in rows])
        tokens = padded.view(len(rows), beam, padded.shape[1])
        return Nbest(tokens.to(device), sizes.to(device), distinct.to(device), scores.to(device))

    def texts(self, tokens: Tensor, token_lengths: Tensor) -> Sequence[str]:
        """See the contract."""
        sizes = token_lengths.tolist()
        return [self.recognizer.tokenizer.decode(row[:size]) for row, size in zip(tokens.tolist(), sizes, strict=True)]

    def errors(self, tokens: Tensor, token_lengths: Tensor, rows: Tensor, metric: Metric | None = None) -> Tensor:
        """See the contract."""
        counted = metric or self.recognizer.error_metric
        scored = transcript.from_name(self.recognizer.normalizer).scored
        references = [units(scored(text), counted) for text in self.batch.texts]
        pairs = zip(self.texts(tokens, token_lengths), rows.tolist(), strict=True)
        errors = [counts_between(references[row], units(scored(text), counted)).errors for text, row in pairs]
        return torch.tensor(errors, dtype=torch.int64, device=tokens.device)


class HeadsInPieces(PiecewiseHeads):
    """See `PiecewiseHeads`, of a recognizer's step."""

    def __init__(self, step: RecognizerStep) -> None:
        self.step, self.model = step, step.recognizer.model
        self.vocabulary_size = self.model.vocabulary_size

    def decoder(self, function: Callable[[Tensor, Tensor], Tensor], rows: Tensor) -> Tensor | None:
        """See the contract."""
        decoder = cast(ReadoutDecoder | None, self.model.decoder)
        if decoder is None:
            return None
        values = self.step.values().values

        def of_values(values: Tensor, rows: Tensor) -> Tensor:
            return function(decoder.readout(values), rows)

        return self._of(of_values, values, rows, decoder)

    def ctc(self, function: Callable[[Tensor, Tensor], Tensor], of_utterance: Tensor) -> Tensor | None:
        """See the contract."""
        return None if self.model.ctc is None else self._of_layer(function, self.step.encoded, of_utterance)

    def intermediate_ctc(self, function: Callable[[Tensor, Tensor], Tensor], of_utterance: Tensor) -> Sequence[Tensor]:
        """See the contract."""
        layers = () if self.model.ctc is None else self.step.intermediate
        return [self._of_layer(function, layer, of_utterance) for layer in layers]

    def _of_layer(self, function: Callable[[Tensor, Tensor], Tensor], encoded: Tensor, of_utterance: Tensor) -> Tensor:
        head = self.model.ctc
        assert head is not None

        def of_frames(encoded: Tensor, rows: Tensor) -> Tensor:
            return function(head(encoded), rows)

        rows = of_utterance[:, None].expand(-1, encoded.shape[1], *of_utterance.shape[1:])
        return self._of(of_frames, encoded, rows, head)

    def _of(self, function: Callable[..., Tensor], values: Tensor, rows: Tensor, head: nn.Module) -> Tensor:
        flat = values.flatten(0, 1), rows.flatten(0, 1)
        result = pieces.in_pieces(function, flat, head, self.vocabulary_size)
        return result.view(*values.shape[:2], *result.shape[1:])


@dataclass(frozen=True)
class _LimitsOfEach(Limits):
    """Limits with the most tokens of each utterance of a batch."""

    longest: tuple[int, ...] = ()

    def bounds(self, lengths: Tensor) -> tuple[list[int], list[int]]:
        """See `Limits`."""
        fewest, most = super().bounds(lengths)
        most = [max(1, min(pair)) for pair in zip(most, self.longest, strict=True)]
        return [min(pair) for pair in zip(fewest, most, strict=True)], most
