"""A loss on trial: a small model and a batch, what a step gives the loss to read, and how results are compared."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lasasr.data.batch import Batch
from lasasr.losses.base import Heads, Loss, Nbest, StepView, Terms
from lasasr.metrics.error_rates import Metric, counts_between
from lasasr.nn import lengths as length
from lasasr.nn.conformance import largest
from lasasr.spell.base import mask_never_emitted
from lasasr.text import special

TOLERANCE = 1e-5  # relative above 1: float32 sums in another order
V, F, E, H = 12, 5, 6, 2
FRAMES, TOKENS = (14, 9, 11, 6), (4, 2, 3, 1)  # of the utterances tried
SHARPNESS = 5.0  # of the logits, so that rounding them shows
UPDATES = (0, 1_000_000)  # both ends of a schedule
FILLING = 1e3  # of outputs beyond an utterance's end, which mean nothing
_LONGEST_HYPOTHESIS = 3


class TrialModel(nn.Module):
    """As little as a model with both heads can be: one matrix each, and an attention by the last token."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(F, E)
        self.decoder = nn.ModuleDict(
            {"query": nn.Embedding(V, H * E), "embedding": nn.Embedding(V, E), "output": nn.Linear((1 + H) * E, V)}
        )
        self.ctc = nn.Linear(E, V)
        self.intermediate_ctc = nn.Linear(E, E)  # stands for the layers between the two

    def spell(self, encoded: Tensor, mask: Tensor, read: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (R, U, V) and weights (R, U, H, T) from encoded (R, T, E) and the tokens read (R, U)."""
        query = self.decoder["query"](read).unflatten(-1, (H, E))
        energy = torch.einsum("ruhe,rte->ruht", query, encoded)
        weights = energy.masked_fill(~mask[:, None, None], -torch.inf).softmax(-1)
        context = torch.einsum("ruht,rte->ruhe", weights, encoded).flatten(2)
        logits: Tensor = self.decoder["output"](torch.cat([self.decoder["embedding"](read), context], -1))
        return mask_never_emitted(SHARPNESS * logits), weights

    def label(self, encoded: Tensor) -> Tensor:
        """CTC log-probabilities (B, T, V)."""
        ids = torch.arange(V, device=encoded.device)
        never = (ids > special.BLANK) & (ids < special.FIRST_TEXT)
        logits: Tensor = self.ctc(encoded)
        return logits.float().masked_fill(never, -1e4).log_softmax(-1)


class TrialStep(StepView):
    """A step of the model that has just the heads that the loss declares; it notes which of them are read."""

    def __init__(self, model: TrialModel, batch: Batch, features: Tensor, frames: Tensor, heads: Heads) -> None:
        self.model, self.batch, self.heads, self.update = model, batch, heads, 0
        self.read: set[str] = set()
        self.outputs: dict[str, tuple[Tensor, Tensor]] = {}  # name → a head's output, and where it lies in padding
        self._mask = length.mask(frames, features.shape[1])
        self._encoded: Tensor = model.encoder(features) * self._mask[..., None]
        self._frames = frames

    @property
    def encoded(self) -> Tensor:
        """See the contract."""
        return self._encoded

    @property
    def encoded_lengths(self) -> Tensor:
        """See the contract."""
        return self._frames

    @property
    def logits(self) -> Tensor | None:
        """See the contract; FILLING after eos."""
        return self._spelled("logits") if self.heads.decoder else None

    @property
    def weights(self) -> Tensor | None:
        """See the contract; FILLING after eos."""
        return self._spelled("weights") if self.heads.decoder else None

    @property
    def ctc_log_probs(self) -> Tensor | None:
        """See the contract; other ones than elsewhere on padding."""
        if not self.heads.ctc:
            return None
        self.read.add("ctc")
        return self._kept("ctc_log_probs", self.model.label(self.encoded), ~self._mask, -FILLING)

    @property
    def intermediate_ctc_log_probs(self) -> Sequence[Tensor]:
        """See the contract; of two layers."""
        if not self.heads.intermediate_ctc:
            return ()
        self.read.add("intermediate_ctc")
        layers = [self.encoded, self.model.intermediate_ctc(self.encoded)]
        return [
            self._kept(f"intermediate_ctc_log_probs {n}", self.model.label(layer), ~self._mask, -FILLING)
            for n, layer in enumerate(layers)
        ]

    def forced(self, tokens: Tensor, token_lengths: Tensor, rows: Tensor | None = None) -> Tensor:
        """See the contract."""
        return self._forced(tokens, token_lengths, rows)[0]

    @torch.no_grad()
    def hypotheses(self, beam: int, longest: Tensor | None = None) -> Nbest:
        """See the contract; of at most three tokens, whatever `longest` allows."""
        nbests = [self._nbest(row, beam) for row in range(len(self._frames))]
        padded = [
            [[*text, *[special.PAD] * (_LONGEST_HYPOTHESIS - len(text))] for text, _ in nbest] for nbest in nbests
        ]
        device = self.encoded.device
        return Nbest(
            torch.tensor(padded, device=device),
            torch.tensor([[len(text) for text, _ in nbest] for nbest in nbests], device=device),
            torch.ones(len(nbests), beam, dtype=torch.bool, device=device),
            torch.tensor([[score for _, score in nbest] for nbest in nbests], device=device),
        )

    def texts(self, tokens: Tensor, token_lengths: Tensor) -> Sequence[str]:
        """See the contract; a letter per token."""
        pairs = zip(tokens.tolist(), token_lengths.tolist(), strict=True)
        return ["".join(chr(ord("a") + token - special.FIRST_TEXT) for token in row[:size]) for row, size in pairs]

    def errors(self, tokens: Tensor, token_lengths: Tensor, rows: Tensor, metric: Metric | None = None) -> Tensor:
        """See the contract; each token is a unit of its own."""
        references = self.texts(self.batch.tokens, self.batch.token_lengths)
        pairs = zip(self.texts(tokens, token_lengths), rows.tolist(), strict=True)
        counted = [counts_between(references[row], text).errors for text, row in pairs]
        return torch.tensor(counted, device=tokens.device)

    def _spelled(self, name: str) -> Tensor:
        if name not in self.outputs:
            logits, weights = self._forced(self.batch.tokens, self.batch.token_lengths)
            after = ~length.mask(self.batch.token_lengths + 1, logits.shape[1])
            self._kept("logits", logits, after, FILLING)
            self._kept("weights", weights, after, FILLING)
        return self.outputs[name][0]

    def _forced(self, tokens: Tensor, token_lengths: Tensor, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if not self.heads.decoder:
            raise ValueError("heads declares no decoder, so the model has none")
        self.read.add("decoder")
        encoded, mask = (self.encoded, self._mask) if rows is None else (self.encoded[rows], self._mask[rows])
        text = tokens.masked_fill(~length.mask(token_lengths, tokens.shape[1]), special.PAD)
        return self.model.spell(encoded, mask, torch.cat([text.new_full((len(text), 1), special.SOS), text], 1))

    def _kept(self, name: str, output: Tensor, padding: Tensor, filling: float) -> Tensor:
        """The output with something else on padding, so that what reads it there shows."""
        if name not in self.outputs:
            wide = padding[(...,) + (None,) * (output.dim() - padding.dim())]
            pattern = filling * torch.arange(1, output.shape[-1] + 1, device=output.device)
            filled = torch.where(wide, pattern.to(output.dtype), output)
            if filled.requires_grad:
                filled.retain_grad()
            self.outputs[name] = filled, wide
        return self.outputs[name][0]

    def _nbest(self, row: int, beam: int) -> list[tuple[tuple[int, ...], float]]:
        """The best texts of an utterance by beam search."""
        beginnings: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
        finished: list[tuple[tuple[int, ...], float]] = []
        for size in range(_LONGEST_HYPOTHESIS + 1):
            texts = torch.tensor([text for text, _ in beginnings], dtype=torch.int64, device=self.encoded.device)
            rows = torch.full((len(beginnings),), row, device=self.encoded.device)
            logits = self.forced(texts.view(len(rows), size), torch.full_like(rows, size), rows)[:, -1]
            scores = logits.float().nan_to_num().log_softmax(-1).tolist()
            ended = [(text, total + of[special.EOS]) for (text, total), of in zip(beginnings, scores, strict=True)]
            finished += ended
            beginnings = [
                ((*text, token), total + of[token])
                for ((text, total), of), token in itertools.product(
                    zip(beginnings, scores, strict=True), range(special.FIRST_TEXT, V)
                )
            ]
            beginnings = sorted(beginnings, key=_score, reverse=True)[: max(beam, 2)]
        return sorted(finished, key=_score, reverse=True)[:beam]


def _score(hypothesis: tuple[tuple[int, ...], float]) -> float:
    return hypothesis[1]


@dataclass(frozen=True)
class Trial:
    """A loss to try and what to try it on; everything is drawn from fixed seeds."""

    make: Callable[[], Loss]
    device: str = "cpu"

    def loss(self, training: bool = False) -> Loss:
        """The loss, as at the beginning of training."""
        torch.manual_seed(5)
        loss = self.make().to(self.device)
        loss.prepare(torch.tensor([0, 0, 0, 5, *range(1, V - 3)], device=self.device))
        return loss.train(training)

    def step(
        self,
        loss: Loss,
        rows: Sequence[int] = tuple(range(len(FRAMES))),
        frames: Sequence[int] = FRAMES,
        padding: int = 0,
        features: Tensor | None = None,
    ) -> TrialStep:
        """What the loss reads of these utterances.

        Args:
            rows: of the batch, in this order.
            frames: of each utterance of the whole batch.
            padding: so many more frames and tokens of it than the longest needs.
            features: (B, T, F) of the whole batch, in place of those drawn.
        """
        torch.manual_seed(2)
        model = TrialModel().to(self.device)
        tokens = torch.randint(special.FIRST_TEXT, V, (len(TOKENS), max(TOKENS))).to(self.device)
        tokens = nn.functional.pad(tokens, (0, padding))
        token_lengths = torch.tensor([TOKENS[row] for row in rows], device=self.device)
        sizes = torch.tensor([frames[row] for row in rows], device=self.device)
        drawn = (self.features() if features is None else features)[list(rows)]
        text = tokens[list(rows)].masked_fill(~length.mask(token_lengths, tokens.shape[1]), special.PAD)
        waveforms, samples = torch.zeros(len(rows), 8, device=self.device), torch.full_like(sizes, 8)
        ids = tuple(f"utterance-{row}" for row in rows)
        taught = loss.pretend_taught(tokens, torch.tensor(TOKENS, device=self.device), V)
        of_rows = {name: value[list(rows)] for name, value in taught.items()}
        batch = Batch(ids, ids, ids, waveforms, samples, text, token_lengths, taught=of_rows)
        return TrialStep(model, batch, nn.functional.pad(drawn, (0, 0, 0, padding)), sizes, loss.heads)

    def features(self) -> Tensor:
        """(B, T, F)."""
        return torch.randn(len(FRAMES), max(FRAMES), F, generator=torch.Generator().manual_seed(3)).to(self.device)


def difference(ours: Terms, theirs: Terms) -> float:
    """The largest of total, divisor and sums, relative above 1; infinite where the names differ."""
    if set(ours.sums) != set(theirs.sums):
        return float("inf")
    pairs = [(ours.total, theirs.total), (ours.divisor, theirs.divisor)]
    pairs += [(value, theirs.sums[name]) for name, value in ours.sums.items()]
    return largest((left - right).double() / left.double().abs().clamp(min=1.0) for left, right in pairs)
