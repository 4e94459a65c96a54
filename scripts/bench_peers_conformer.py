"""One Conformer in lasasr, ESPnet and torchaudio; used by `bench_peers.py`.

The sizes of ESPnet's recipe for LibriSpeech 100 h: 80 features, convolutions of 256 channels that leave one frame of
four, 12 layers of 256, 4 heads, 1,024 inner values, kernels of 31, dropout 0.1, and a CTC head of 1,000 tokens. What
differs: torchaudio's has no subsampling (it has lasasr's here) and no positions, so it does less; the peers normalise
by batches where lasasr does by frames, and their results depend on padding; nobody drops attention weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

FEATURES, DIM, LAYERS, HEADS, INNER, KERNEL, VOCABULARY, DROPOUT = 80, 256, 12, 4, 1024, 31, 1000, 0.1


class Conformer(NamedTuple):
    """One toolkit's encoder and CTC head."""

    name: str
    model: nn.Module
    log_probs: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # features, lengths → (B, T', V), lengths (B,)


def ours() -> Conformer:
    """lasasr."""
    from lasasr.listen.conformer import ConformerEncoder

    encoder = ConformerEncoder(FEATURES, DIM, LAYERS, HEADS, INNER, KERNEL, channels=DIM, dropout=DROPOUT)
    head = nn.Linear(DIM, VOCABULARY)

    def log_probs(features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        encoded, encoded_lengths = encoder(features, lengths)
        return head(encoded).float().log_softmax(-1), encoded_lengths

    return Conformer("lasasr", nn.ModuleList([encoder, head]), log_probs)


def espnet() -> Conformer:
    """ESPnet2's, with its newer relative positions."""
    from espnet2.asr.encoder.conformer_encoder import ConformerEncoder

    encoder = ConformerEncoder(
        FEATURES,
        output_size=DIM,
        attention_heads=HEADS,
        linear_units=INNER,
        num_blocks=LAYERS,
        dropout_rate=DROPOUT,
        positional_dropout_rate=DROPOUT,
        attention_dropout_rate=0.0,
        input_layer="conv2d",
        macaron_style=True,
        rel_pos_type="latest",
        pos_enc_layer_type="rel_pos",
        selfattention_layer_type="rel_selfattn",
        activation_type="swish",
        use_cnn_module=True,
        cnn_module_kernel=KERNEL,
    )
    head = nn.Linear(DIM, VOCABULARY)

    def log_probs(features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        encoded, encoded_lengths, _ = encoder(features, lengths)
        return head(encoded).float().log_softmax(-1), encoded_lengths

    return Conformer("ESPnet", nn.ModuleList([encoder, head]), log_probs)


def torchaudio() -> Conformer:
    """torchaudio's, behind the subsampling of lasasr."""
    from torchaudio.models import Conformer as Encoder

    from lasasr.listen.subsampling import ConvolutionalSubsampling

    below = ConvolutionalSubsampling(FEATURES, DIM, 4, DIM)
    encoder = Encoder(DIM, HEADS, INNER, LAYERS, KERNEL, dropout=DROPOUT)
    head = nn.Linear(DIM, VOCABULARY)

    def log_probs(features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        encoded, encoded_lengths = encoder(*below(features, lengths))
        return head(encoded).float().log_softmax(-1), encoded_lengths

    return Conformer("torchaudio", nn.ModuleList([below, encoder, head]), log_probs)
