"""The steps of a beam search over (utterances × beam) as tensors.

The hypotheses of all utterances take each step together. Those that end wait in a list of the n best finished ones; an
utterance leaves the batch when none of its unfinished hypotheses can still enter that list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from lasasr.nn import shared_steps, tree
from lasasr.search.acoustics import Acoustics
from lasasr.search.greedy import flags
from lasasr.search.hypothesis import Hypothesis, near_tied
from lasasr.search.limits import Limits
from lasasr.search.pruning import Pruning, peaks, shifted, unsure_of_eos
from lasasr.search.scorer import refuse_nan, worth_leaving
from lasasr.search.scorer_set import TIE, Fused, ScorerSet
from lasasr.text import special


class Past(NamedTuple):
    """What a hypothesis takes over from the one that it continues."""

    parts: Tensor  # (B, K, S) float64, of each scorer
    history: Tensor  # (B, K, U) int64, tokens so far
    peaks: Tensor  # (B, K) int64, the frame of the last attention peak, -1 before the first


class Running(NamedTuple):
    """The unfinished hypotheses, best first; those of score -inf fill unused slots."""

    totals: Tensor  # (B, K) float64, weighted
    tokens: Tensor  # (B, K) int64, the last of them
    past: Past


class Finished(NamedTuple):
    """The finished hypotheses, best first; a rank of -inf marks an unused slot."""

    ranks: Tensor  # (B, N) float64, the score they are ranked by
    parts: Tensor  # (B, N, S) float64
    history: Tensor  # (B, N, U) int64, padded; U of the longest
    lengths: Tensor  # (B, N) int64, tokens without eos
    forced: Tensor  # (B, N) bool, True where eos came of the length limit


class Options(Protocol):
    """The options of a beam search; see `BeamSearch`."""

    beam: int  # K
    nbest: int  # N
    normalise: bool
    pruning: Pruning
    limits: Limits


class BeamState:
    """The state of one beam search: running and finished hypotheses of every utterance."""

    def __init__(self, scorer_set: ScorerSet, acoustics: Acoustics, options: Options, ids: Sequence[str]) -> None:
        self.scorer_set, self.options, self.ids = scorer_set, options, ids
        device, B, K, V = acoustics.encoded.device, len(acoustics.mask), options.beam, len(scorer_set.bias)
        shortest, longest = options.limits.bounds(acoustics.lengths)
        self.limit = (max(shortest), min(longest), max(longest))
        self.shortest, self.longest = torch.tensor(shortest, device=device), torch.tensor(longest, device=device)
        self.frames = acoustics.lengths.to(device)
        self.waited = torch.zeros(B, dtype=torch.int64, device=device)  # steps since one entered the n best
        self.rows = torch.arange(B, device=device)  # the utterances still in the batch
        self.done = torch.zeros(B, dtype=torch.bool, device=device)
        self.behind = TIE * V * torch.arange(K, dtype=torch.float64, device=device)
        self.running = self._first(B, K, len(scorer_set.names))
        self.finished = self._none(B, options.nbest + 1, len(scorer_set.names))  # one more, to find near ties
        self.results: list[list[Hypothesis]] = [[] for _ in range(B)]

    def _first(self, B: int, K: int, S: int) -> Running:
        totals = torch.full((B, K), -torch.inf, dtype=torch.float64, device=self.rows.device)
        totals[:, 0] = 0.0
        tokens = torch.full((B, K), special.SOS, device=self.rows.device)
        past = Past(totals.new_zeros(B, K, S), tokens.new_empty((B, K, 0)), torch.full_like(tokens, -1))
        return Running(totals, tokens, past)

    def _none(self, B: int, N: int, S: int) -> Finished:
        ranks = torch.full((B, N), -torch.inf, dtype=torch.float64, device=self.rows.device)
        lengths = torch.zeros((B, N), dtype=torch.int64, device=ranks.device)
        history = lengths.new_empty((B, N, 0))
        return Finished(ranks, ranks.new_zeros(B, N, S), history, lengths, lengths.bool())

    def search(self) -> list[list[Hypothesis]]:
        """Search until every utterance is done."""
        with shared_steps.loop():
            for u in range(self.limit[2] + 1):
                self._step(u)
                if not len(self.rows):
                    break
        return self.results

    def _step(self, u: int) -> None:
        """Every running hypothesis has u tokens and gets one more, or ends."""
        fused = self.scorer_set.score(self.running.tokens)
        self._drop_shifted(fused)
        at_limit = u >= self.longest if u >= self.limit[1] else None
        ending = self._ending(u, fused, at_limit)
        best, parents, tokens = self._best(fused, at_limit)
        further = [
            (name, part)
            for name, part in zip(self.scorer_set.names, fused.parts, strict=True)
            if name not in ("decoder", "ctc")
        ]
        refuse_nan((best[:, 0] + ending.sum(1)).isnan() & ~self.done, self.rows, self.ids, further)
        self._finish(u, fused, ending, best, at_limit)
        past = tree.reorder(self.running.past, parents)
        past = past._replace(parts=past.parts + fused.of(parents, tokens))
        reachable = self._reachable(best, past.parts, fused.highest_of(parents), u + 1)
        last = self.finished.ranks[:, self.options.nbest - 1]
        self.done = self.done | (reachable <= last - self.options.pruning.end_margin)
        if self.options.pruning.end_patience is not None:
            self.done = self.done | ((self.waited >= self.options.pruning.end_patience) & (last > -torch.inf))
        left = int((~self.done).sum())
        if left:
            self._grow(past, best, tokens)
        if worth_leaving(len(self.rows) - left, len(self.rows)):
            kept = (~self.done).nonzero()[:, 0]
            self._leave(kept)
            parents, tokens = parents[kept], tokens[kept]
        if left:
            self.scorer_set.follow(parents, tokens)

    def _reachable(self, best: Tensor, parts: Tensor, highest: Sequence[Tensor | None], length: int) -> Tensor:
        """(B,): the highest rank that an unfinished hypothesis can still come to.

        With g the most that a further token adds and c what all of them may add at once, one of total t and `length`
        tokens ends at length L with at most t + c + g · (L + 1 − length). Divided by L + 1 that rises or falls with L
        throughout, so that the shortest and the longest L bound it.

        Args:
            best: (B, K), the totals of the unfinished.
            parts: (B, K, S), what each scorer has given them.
            highest: S times (B, K), what that can come to at most, where a scorer says so.
            length: their tokens, without eos.
        """
        ends = (self.shortest, self.longest) if self.options.normalise else (self.longest,)
        bounds = []
        for end in ends:
            end = end.clamp(min=length)[:, None]
            total = best + self.scorer_set.most_left(parts, highest, end + 1 - length, self.frames[:, None])
            bounds.append(total / (end + 1) if self.options.normalise else total)
        return torch.stack(bounds).amax((0, 2))

    def _rank(self, totals: Tensor, length: int) -> Tensor:
        return totals / (length + 1) if self.options.normalise else totals

    def _drop_shifted(self, fused: Fused) -> None:
        most = self.options.pruning.max_shift
        if most is None or fused.weights is None:
            return
        now = peaks(fused.weights)
        totals, past = self.running.totals, self.running.past
        self.running = self.running._replace(
            totals=shifted(totals, past.peaks, now, most), past=past._replace(peaks=now)
        )

    def _ending(self, u: int, fused: Fused, at_limit: Tensor | None) -> Tensor:
        """(B, K): the totals with eos, -inf where it may not come yet."""
        totals = self.running.totals + fused.total[..., special.EOS]
        threshold = self.options.pruning.eos_threshold
        if threshold is not None and self.scorer_set.names[0] == "decoder":
            unsure = unsure_of_eos(fused.parts[0], threshold)
            totals = totals.masked_fill(unsure if at_limit is None else unsure & ~at_limit[:, None], -torch.inf)
        if u < self.limit[0]:
            totals = totals.masked_fill((u < self.shortest)[:, None], -torch.inf)
        return totals

    def _best(self, fused: Fused, at_limit: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The K best continuations by a token of text: totals, parents and tokens, each (B, K), best first."""
        candidates = fused.total + (self.running.totals - self.behind)[..., None]
        candidates[..., special.EOS] = -torch.inf
        if at_limit is not None:
            candidates.masked_fill_(at_limit[:, None, None], -torch.inf)
        best, index = candidates.flatten(1).topk(self.options.beam)
        V = fused.total.shape[-1]
        return best + TIE * index, index // V, index % V

    def _finish(self, u: int, fused: Fused, ending: Tensor, best: Tensor, at_limit: Tensor | None) -> None:
        """Hypotheses end that with eos are among the K best of this step."""
        admitted = (ending >= best[:, -1:]) & ~ending.isneginf()
        patient = self.options.pruning.end_patience is not None
        if patient:
            self.waited = self.waited + 1
        if not bool(admitted.any()):
            return
        forced = torch.zeros_like(admitted)
        if at_limit is not None:
            text = fused.total[..., special.FIRST_TEXT :].amax(-1)
            forced = at_limit[:, None] & (text > fused.total[..., special.EOS])
        past = self.running.past
        ended = Finished(
            ranks=self._rank(ending, u).masked_fill(~admitted, -torch.inf),
            parts=past.parts + fused.of_eos(),
            history=past.history,
            lengths=torch.full_like(self.running.tokens, u),
            forced=forced,
        )
        longer = functional.pad(self.finished.history, (0, u - self.finished.history.shape[2]), value=special.PAD)
        finished = self.finished._replace(history=longer)
        candidates = Finished(*[torch.cat(pair, 1) for pair in zip(finished, ended, strict=True)])
        order = torch.arange(candidates.ranks.shape[1], device=candidates.ranks.device)
        picked = (candidates.ranks - TIE * order).topk(self.options.nbest + 1).indices
        if patient:
            ranked = picked[:, : self.options.nbest]
            entered = (ranked > self.options.nbest) & (candidates.ranks.gather(1, ranked) > -torch.inf)
            self.waited = self.waited.masked_fill(entered.any(1), 0)
        self.finished = tree.reorder(candidates, picked)

    def _grow(self, past: Past, best: Tensor, tokens: Tensor) -> None:
        """Take up the continuations by `tokens`; nothing goes on in an utterance that is done."""
        past = past._replace(history=torch.cat([past.history, tokens[..., None]], -1))
        self.running = Running(best.masked_fill(self.done[:, None], -torch.inf), tokens, past)

    def _leave(self, kept: Tensor) -> None:
        """Store the results of the utterances that are done and go on with the rows `kept`."""
        finished_rows = self.done.nonzero()[:, 0]
        for b, nbest in zip(
            self.rows[finished_rows].tolist(), self._hypotheses(tree.select(self.finished, finished_rows)), strict=True
        ):
            self.results[b] = nbest
        self.rows, self.done = self.rows[kept], self.done[kept]
        self.shortest, self.longest = self.shortest[kept], self.longest[kept]
        self.frames, self.waited = self.frames[kept], self.waited[kept]
        self.running, self.finished = tree.select(self.running, kept), tree.select(self.finished, kept)
        self.scorer_set.keep(kept)
        shared_steps.forget()

    def _hypotheses(self, finished: Finished) -> list[list[Hypothesis]]:
        """Read finished hypotheses back from the device."""
        names = self.scorer_set.names
        columns = [leaf.tolist() for leaf in finished]
        ranked = [
            [
                Hypothesis(tuple(text[:u]), rank, dict(zip(names, parts, strict=True)), flags=flags(text[:u], forced))
                for rank, parts, text, u, forced in zip(*utterance, strict=True)
                if rank > -torch.inf
            ]
            for utterance in zip(*columns, strict=True)
        ]
        return [near_tied(nbest)[: self.options.nbest] for nbest in ranked]
