"""How well a trained language model foresees a split of text."""

from __future__ import annotations

from typing import Any

import torch

from lasasr.corpora.base import Progress
from lasasr.data.loader import Loader
from lasasr.data.sampler import Batching, BucketBatches
from lasasr.data.sentences import TextDataset
from lasasr.lm.perplexity import Perplexity
from lasasr.models.language_model import TrainedLM
from lasasr.preparation.text import PreparedText


@torch.inference_mode()
def perplexity(
    trained: TrainedLM, prepared: PreparedText, split: str, batching: Batching, progress: Progress
) -> dict[str, Any]:
    """Perplexities of one split, as they stand in perplexity.json.

    Args:
        trained: in evaluation mode.
        prepared: with the model's tokenizer.
        batching: how many sentences go through the model at once.
    """
    sentences = prepared.sentences(split)
    device = next(trained.parameters()).device
    batches = Loader(TextDataset(sentences), BucketBatches(sentences.lengths, batching, shuffle=False))
    nats = 0.0
    for done, batch in enumerate(batches, start=1):
        moved = batch.to(device)
        nats += float(trained.model.nats(moved.tokens, moved.token_lengths).double().sum())
        progress(f"perplexity of {split}", done, len(batches))
    counts = sentences.counts
    tokens = int(sentences.ends[-1])
    measured = Perplexity(nats, tokens, counts.words, counts.characters, counts.sentences)
    return {**measured.record(), "left_out_sentences": counts.left_out}
