"""The decoder of Listen, Attend and Spell: recurrent layers around attention, a readout (Chan et al. 2015, §3.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from lasasr.attend.base import Attention
from lasasr.errors import LasasrError
from lasasr.nn import shared_steps, tree
from lasasr.nn.shared_layers import SharedLinear, floating, parameter
from lasasr.nn.sizes import check_depth, check_widths
from lasasr.spell.base import (
    MASKED,
    DecoderMemory,
    DecoderState,
    DecoderStep,
    ReadoutDecoder,
    Unrolled,
    UnrolledValues,
    draws,
    never_emitted_mask,
    sampled,
)
from lasasr.spell.cell import CELLS, Cell

Order = Literal["update_then_attend", "attend_then_update"]

# Steps of a loop, and of the loops within one (the batches of an evaluation): with so many, looking the shares of all
# tokens up costs less than computing those of the tokens that come.
SOON, LATE = 16, 1024


class _Inner(NamedTuple):
    """The state inside a loop: one tensor per layer, the hypotheses of all utterances as N = B·K rows."""

    hidden: Sequence[Tensor]  # (N, D) per layer
    cell: Sequence[Tensor]  # (N, D or 0) per layer
    context: Tensor  # (N, ·), as in DecoderState
    attention: Any


class _StepOutput(NamedTuple):
    """One step, before the logits."""

    readout_inputs: tuple[Tensor, ...]  # concatenated: (N, D) and (N, C), or the attentional vector (N, R)
    weights: Tensor  # (B, K, H, T)
    inner: _Inner


class RecurrentDecoder(ReadoutDecoder):
    """LSTM or GRU layers around any attention.

    * `update_then_attend` (Chan et al. 2015): the layers read the token and the last context, then attend.
    * `attend_then_update` (Bahdanau et al. 2015): attend with the last top hidden value, then the layers read the token
      and that context.

    The readout reads the top hidden value and the context: linear, or with `readout_dim` R through the attentional
    vector tanh(W [hidden; context]) (Luong et al. 2015, eq. 5). With `input_feeding` the attentional vector of the last
    step is read too (Luong et al. 2015, §3.3): in `update_then_attend` in place of the last context, in
    `attend_then_update` beside the new one.

    Args:
        attend: finishes the attention with `encoded_dim` and `query_dim`.
        encoded_dim: E.
        vocabulary_size: V.
        cell: "lstm" or "gru".
        layers: L.
        hidden_dim: D, also the query's width.
        embedding_dim: width of a token's embedding.
        order: of the two halves of a step.
        readout_dim: R; None reads linearly.
        input_feeding: feed the attentional vector.
        tied_embeddings: the readout uses the embedding matrix (Press & Wolf 2017).
        dropout: of embeddings, between layers and before the readout, in training (Zaremba et al. 2014).
        compile: run the training loop's step as one graph by `torch.compile`: fewer kernels to launch on a GPU, and
            minutes at the start; a CPU wants a C++ compiler and gains nothing.

    Raises:
        ValueError: an unknown `cell` or `order`, `input_feeding` without `readout_dim`, or tied embeddings whose width
            is not that of the readout.
    """

    never_emitted: Tensor

    def __init__(
        self,
        *,
        attend: Callable[..., Attention[Any, Any]],
        encoded_dim: int,
        vocabulary_size: int,
        cell: Literal["lstm", "gru"] = "lstm",
        layers: int = 1,
        hidden_dim: int = 256,
        embedding_dim: int = 128,
        order: Order = "update_then_attend",
        readout_dim: int | None = None,
        input_feeding: bool = False,
        tied_embeddings: bool = False,
        dropout: float = 0.0,
        compile: bool = False,
    ) -> None:
        super().__init__()
        self.compiles = compile
        _check(cell, layers, order, readout_dim, input_feeding)
        check_widths(hidden_dim=hidden_dim, embedding_dim=embedding_dim, readout_dim=readout_dim or None)
        self.vocabulary_size = vocabulary_size
        self.update_first = order == "update_then_attend"
        self.input_feeding = input_feeding
        self.attention = attend(encoded_dim=encoded_dim, query_dim=hidden_dim)
        context_dim = self.attention.context_dim
        self.carried_dim = (readout_dim or 0) if input_feeding else context_dim if self.update_first else 0
        fed_dim = self.carried_dim + (0 if self.update_first else context_dim)
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim)
        widths = [(embedding_dim, fed_dim)] + [(0, hidden_dim)] * (layers - 1)
        self.cells = nn.ModuleList(CELLS[cell](token_width, fed_width, hidden_dim) for token_width, fed_width in widths)
        self.dropout = nn.Dropout(dropout)
        readout_input_dim = hidden_dim + context_dim
        self.attentional = SharedLinear(readout_input_dim, readout_dim) if readout_dim else None
        self.output = SharedLinear(readout_dim or readout_input_dim, vocabulary_size)
        if tied_embeddings:
            _check_widths(embedding_dim, self.output.in_features)
            self.output.weight = self.embedding.weight
        self.reset_parameters()
        self.register_buffer("never_emitted", never_emitted_mask(vocabulary_size), persistent=False)

    def reset_parameters(self) -> None:
        """Tied embeddings start with variance 1 / width, so that the first logits are of order 1; the rest as drawn."""
        if self.output.weight is self.embedding.weight:
            nn.init.normal_(self.embedding.weight, std=1.0 / math.sqrt(self.embedding.embedding_dim))

    def memory(self, encoded: Tensor, mask: Tensor) -> DecoderMemory:
        return DecoderMemory(self.attention.memory(encoded, mask))

    def initial(self, memory: DecoderMemory, hypotheses: int) -> DecoderState:
        batch = next(tree.leaves(memory)).shape[0]
        hidden_dim, keeps_cell = self._cells[0].hidden_dim, self._cells[0].keeps_cell
        zeros = floating(self).new_zeros
        return DecoderState(
            hidden=zeros(batch, hypotheses, len(self.cells), hidden_dim),
            cell=zeros(batch, hypotheses, len(self.cells), hidden_dim if keeps_cell else 0),
            context=zeros(batch, hypotheses, self.carried_dim),
            attention=self.attention.initial(memory.attention, hypotheses),
        )

    def step(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState) -> DecoderStep:
        rows = tokens.shape
        share = self._token_share(tokens.flatten())
        output = self._advance(share, memory, _unpack(state), rows)
        logits = self._read(torch.cat(output.readout_inputs, -1))
        return DecoderStep(logits.view(*rows, -1), output.weights, _pack(output.inner, rows))

    def unroll(self, tokens: Tensor, memory: DecoderMemory, state: DecoderState, sampling: float = 0.0) -> Unrolled:
        """As in the contract; what does not depend on the loop is computed for all steps at once."""
        values, weights = self.unroll_values(tokens, memory, state, sampling)
        return Unrolled(self.readout(values), weights)

    @property
    def reads_in_pieces(self) -> bool:
        """Unless a class of one's own does something else, or the weights are drawn anew in each use."""
        own = ("unroll", "unroll_values", "readout", "_read")
        return all(getattr(type(self), name) is getattr(RecurrentDecoder, name) for name in own) and not draws(
            self.output
        )

    def unroll_values(
        self, tokens: Tensor, memory: DecoderMemory, state: DecoderState, sampling: float = 0.0
    ) -> UnrolledValues:
        """See the contract."""
        compiled = self.compiles and torch.is_grad_enabled()
        advance = partial(compiled_step(), self) if compiled else self._advance
        rows, inner = torch.Size((len(tokens), 1)), _unpack(state)
        shares = self._token_share(tokens.t()).unbind(0) if sampling <= 0.0 else None
        outputs: list[_StepOutput] = []
        with _refusing() if compiled else shared_steps.loop():
            for u in range(tokens.shape[1]):
                share = shares[u] if shares else self._token_share(self._next(tokens[:, u], outputs, sampling))
                outputs.append(advance(share, memory, inner, rows))
                inner = outputs[-1].inner
        steps = zip(*(output.readout_inputs for output in outputs), strict=True)
        readout_inputs = [torch.stack(values, 1) for values in steps]
        values = self._readout_values(torch.cat(readout_inputs, -1))
        return UnrolledValues(values, torch.cat([output.weights for output in outputs], 1))

    def _next(self, reference: Tensor, outputs: Sequence[_StepOutput], sampling: float) -> Tensor:
        """The tokens (B,) to read: `reference` or, with probability `sampling`, the model's own prediction."""
        if not outputs:
            return reference
        with torch.no_grad():
            return sampled(reference, self._read(torch.cat(outputs[-1].readout_inputs, -1)), sampling)

    def _token_share(self, tokens: Tensor) -> Tensor:
        """(..., G) of tokens (...): looked up, where later steps would compute as much for some tokens."""
        steps = LATE if shared_steps.lasting() else SOON
        if shared_steps.preparing() and not self.training and self.vocabulary_size <= steps * tokens.numel():
            return shared_steps.cached(self._share_of_every_token)[tokens]
        return self._cells[0].token_share(self.dropout(self.embedding(tokens)))

    def _share_of_every_token(self) -> Tensor:
        """(V, G)."""
        every = torch.arange(self.vocabulary_size, device=self.never_emitted.device)
        return self._cells[0].token_share(self.embedding(every))

    @property
    def _cells(self) -> list[Cell]:
        return list(self.cells)  # type: ignore[arg-type]

    def _advance(self, share: Tensor, memory: DecoderMemory, inner: _Inner, rows: torch.Size) -> _StepOutput:
        """One step of the loop: both halves in their order. share: (N, G) of the first layer; rows: (B, K)."""
        if self.update_first:
            hidden, cell = self._update(share, inner.context, inner)
            attended = self.attention(hidden[-1].view(*rows, -1), memory.attention, inner.attention)
            context = attended.context.flatten(0, 1).to(hidden[-1].dtype)
        else:
            attended = self.attention(inner.hidden[-1].view(*rows, -1), memory.attention, inner.attention)
            context = attended.context.flatten(0, 1).to(inner.context.dtype)
            fed = torch.cat((context, inner.context), 1) if self.input_feeding else context
            hidden, cell = self._update(share, fed, inner)
        readout_inputs: tuple[Tensor, ...] = (hidden[-1], context)
        carried = context if self.update_first else inner.context
        if self.input_feeding:
            carried = self._attend_readout(torch.cat(readout_inputs, 1)).to(carried.dtype)
            readout_inputs = (carried,)
        return _StepOutput(readout_inputs, attended.weights, _Inner(hidden, cell, carried, attended.state))

    def _update(self, share: Tensor, fed: Tensor, inner: _Inner) -> tuple[list[Tensor], list[Tensor]]:
        """The next hidden and cell value of every layer."""
        hidden: list[Tensor] = []
        cells: list[Tensor] = []
        for layer, cell in enumerate(self._cells):
            layer_share = parameter(cell, "bias") if layer else share
            below = self.dropout(hidden[-1]) if layer else fed
            value, cell_value = cell(layer_share, below, inner.hidden[layer], inner.cell[layer])
            hidden.append(value)
            cells.append(cell_value)
        return hidden, cells

    def _attend_readout(self, values: Tensor) -> Tensor:
        """The attentional vector (..., R) from hidden value and context (..., D + C)."""
        assert self.attentional is not None
        return torch.tanh(self.attentional(values))

    def _read(self, values: Tensor) -> Tensor:
        """Logits (..., V) from the readout's inputs (..., D + C or R)."""
        return self.readout(self._readout_values(values))

    def _readout_values(self, values: Tensor) -> Tensor:
        """What the last layer reads (..., D + C or R)."""
        if self.attentional is not None and not self.input_feeding:
            values = self._attend_readout(values)
        dropped: Tensor = self.dropout(values)
        return dropped

    def readout(self, values: Tensor) -> Tensor:
        """See the contract."""
        logits: Tensor = self.output(values)
        return logits.masked_fill(self.never_emitted, MASKED)


@cache
def compiled_step() -> Callable[..., _StepOutput]:
    """`RecurrentDecoder._advance` as one graph for batches of any size; made when a decoder first needs it."""
    return torch.compile(RecurrentDecoder._advance, fullgraph=True, dynamic=True)


@contextmanager
def _refusing() -> Iterator[None]:
    """Say in one line why a step cannot be compiled."""
    from torch._dynamo.exc import TorchDynamoException  # slow to import, and rarely needed

    try:
        yield
    except TorchDynamoException as error:
        reason = " ".join(str(error).split())[:200]
        raise LasasrError(f"this decoder's step cannot be compiled; set spell.compile=false ({reason})") from error


def _unpack(state: DecoderState) -> _Inner:
    hidden, cell = state.hidden.flatten(0, 1), state.cell.flatten(0, 1)
    return _Inner(hidden.unbind(1), cell.unbind(1), state.context.flatten(0, 1), state.attention)


def _pack(inner: _Inner, rows: torch.Size) -> DecoderState:
    hidden, cell = torch.stack(list(inner.hidden), 1), torch.stack(list(inner.cell), 1)
    return DecoderState(
        hidden.view(*rows, *hidden.shape[1:]),
        cell.view(*rows, *cell.shape[1:]),
        inner.context.view(*rows, -1),
        inner.attention,
    )


def _check(cell: str, layers: int, order: str, readout_dim: int | None, input_feeding: bool) -> None:
    if cell not in CELLS:
        raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {cell}")
    check_depth(layers=layers)
    if order not in get_args(Order):
        raise ValueError(f"order must be one of {', '.join(get_args(Order))}, got {order}")
    if input_feeding and not readout_dim:
        raise ValueError("input_feeding feeds the attentional vector and so needs readout_dim, got None")


def _check_widths(embedding_dim: int, readout_width: int) -> None:
    if embedding_dim != readout_width:
        raise ValueError(
            f"tied_embeddings needs embedding_dim equal to the readout's width {readout_width}, got {embedding_dim}"
        )
