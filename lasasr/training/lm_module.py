"""The LightningModule of a language model."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lasasr.data.batch import Batch
from lasasr.data.sentences import TextCounts
from lasasr.lm.perplexity import Perplexity
from lasasr.models.language_model import TrainedLM
from lasasr.training.token_normalized import TokenNormalizedModule


class LMTraining(TokenNormalizedModule):
    """Trains a language model by cross-entropy, in nats per token.

    Args:
        trained: the model and its tokenizer.
        dev: what the dev split holds.
        optimizer, schedule, seed: see `TokenNormalizedModule`.
    """

    def __init__(
        self,
        trained: TrainedLM,
        dev: TextCounts,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[..., Any],
        seed: int,
    ) -> None:
        super().__init__(optimizer, schedule, seed)
        self.trained, self.dev = trained, dev
        self.dev_sums = torch.zeros(2, dtype=torch.float64)  # nats and tokens of the validation under way

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """−log p of the batch, times what Lightning divides by."""
        nats_of = self.trained.model.nats(batch.tokens, batch.token_lengths)
        self.seen.append((batch, nats_of.detach().isfinite()))
        nats = nats_of.sum()
        tokens = (batch.token_lengths + 1).sum()
        self.tokens_in_update = self.tokens_in_update + self.over_ranks(tokens)
        return {"loss": nats * self.trainer.accumulate_grad_batches, "nats": nats.detach(), "tokens": tokens}

    def on_validation_epoch_start(self) -> None:
        """A fresh sheet."""
        self.dev_sums = torch.zeros(2, dtype=torch.float64)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add up nats and tokens."""
        nats = self.trained.model.nats(batch.tokens, batch.token_lengths)
        self.dev_sums += torch.stack([nats.double().sum(), batch.token_lengths.sum().double()]).cpu()

    def on_validation_epoch_end(self) -> None:
        """Perplexities over the whole split."""
        here = self.dev_sums if self.trainer.world_size == 1 else self.dev_sums.to(self.device)
        nats, tokens = self.over_ranks(here).tolist()
        dev = Perplexity(nats, int(tokens), self.dev.words, self.dev.characters, self.dev.sentences)
        self.log("dev/perplexity", dev.per_token, prog_bar=True, rank_zero_only=True)
        self.log("dev/word_perplexity", dev.per_word, rank_zero_only=True)
        self.log("dev/loss", math.log(dev.per_token), rank_zero_only=True)
        self.observe(dev.per_token)
