"""Whole decoders, teacher-forced: embedding, cell, attention and readout in each toolkit's order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lasasr.spell.recurrent import RecurrentDecoder
from lasasr.text import special
from parity import attending, attention_espnet, attention_speechbrain
from parity.attending import ENCODED_DIM, LENGTHS, STEPS
from parity.check import Check, NotReproduced
from parity.matched import Parameters, difference

VOCABULARY, HIDDEN = 9, 6  # the queries of `attending` are as wide


def checks() -> list[Check | NotReproduced]:
    """Logits and gradients over five tokens, three utterances with padding."""
    return [
        Check(
            "`RNNDecoder` = `spell=lstm spell.order=attend_then_update spell.readout_dim=null`",
            "ESPnet",
            _espnet,
            "one layer, `context_residual`, `attend=location_espnet`",
        ),
        NotReproduced(
            "`RNNDecoder` of several layers",
            "ESPnet",
            "it attends with the first layer's state; ours with the last's",
        ),
        NotReproduced(
            "`RNNDecoder` without `context_residual` (its default)",
            "ESPnet",
            "its output reads the state alone; ours reads state and context",
        ),
        Check(
            "`AttentionalRNNDecoder` = `spell=lstm spell.readout_dim=null`",
            "SpeechBrain",
            _speechbrain,
            "one LSTM layer, `attend=location_speechbrain` without the context's bias; its two linear layers as one",
        ),
    ]


def ours(attend: str, order: str, vocabulary: int = VOCABULARY, **changes: Any) -> RecurrentDecoder:
    """Our decoder of one layer with a linear readout; `changes` are of the attention."""

    def attention(**sizes: int) -> nn.Module:
        if sizes != {"encoded_dim": ENCODED_DIM, "query_dim": attending.QUERY_DIM}:
            raise ValueError(f"the decoder must ask for the sizes of `attending`, got {sizes}")
        return attending.preset(attend, **changes)

    return RecurrentDecoder(
        attend=attention,
        encoded_dim=ENCODED_DIM,
        vocabulary_size=vocabulary,
        hidden_dim=HIDDEN,
        embedding_dim=HIDDEN,
        order=order,
    )


def _inputs() -> tuple[Tensor, Tensor, Tensor]:
    encoded, lengths, _ = attending.inputs()
    return encoded, lengths, torch.randint(special.FIRST_TEXT, VOCABULARY, (len(LENGTHS), STEPS))


def _unrolled(decoder: Any, encoded: Tensor, lengths: Tensor, tokens: Tensor) -> list[Tensor]:
    """Logits of what can be emitted, (B, U, ·)."""
    mask = torch.arange(encoded.shape[1]) < lengths[:, None]
    memory = decoder.memory(encoded, mask)
    logits = decoder.unroll(tokens, memory, decoder.initial(memory, 1)).logits
    return [logits[..., special.EOS :]]


def cell(theirs: Parameters, at: str) -> Parameters:
    """ours reads [embedding] and [context; hidden]."""
    into = theirs[f"{at}.weight_ih"]
    return {
        "cells.0.weight_known": into[:, :HIDDEN],
        "cells.0.weight_loop": torch.cat([into[:, HIDDEN:], theirs[f"{at}.weight_hh"]], 1),
        "cells.0.bias": theirs[f"{at}.bias_ih"] + theirs[f"{at}.bias_hh"],
    }


def _below(theirs: Parameters, at: str) -> Parameters:
    return {name.removeprefix(at): tensor for name, tensor in theirs.items() if name.startswith(at)}


def _named(mapped: Parameters) -> Parameters:
    return {f"attention.{name}": tensor for name, tensor in mapped.items()}


def _espnet() -> float:
    from espnet2.asr.decoder.rnn_decoder import RNNDecoder

    def mapping(theirs: Parameters) -> Parameters:
        attention = _named(attention_espnet.location(_below(theirs, "att_list.0.")))
        output = {f"output.{kind}": theirs[f"output.{kind}"] for kind in ("weight", "bias")}
        return {"embedding.weight": theirs["embed.weight"], **output, **attention, **cell(theirs, "decoder.0")}

    def run(decoder: Any, encoded: Tensor, lengths: Tensor, tokens: Tensor) -> list[Tensor]:
        logits, _ = decoder(encoded, lengths, tokens, torch.full((len(tokens),), tokens.shape[1]))
        return [logits[..., special.EOS :]]

    theirs = RNNDecoder(VOCABULARY, ENCODED_DIM, hidden_size=HIDDEN, context_residual=True)
    return difference(ours("location_espnet", "attend_then_update"), theirs, mapping, _unrolled, run, _inputs())


def speechbrain_decoder(vocabulary: int = VOCABULARY) -> nn.Module:
    """Embedding, decoder and output, as the recipes put them together; no bias on the context."""
    from speechbrain.nnet.linear import Linear
    from speechbrain.nnet.RNN import AttentionalRNNDecoder

    parts = nn.Module()
    parts.embedding, parts.output = nn.Embedding(vocabulary, HIDDEN), Linear(vocabulary, input_size=HIDDEN)
    parts.decoder = AttentionalRNNDecoder(
        rnn_type="lstm",
        attn_type="location",
        hidden_size=HIDDEN,
        attn_dim=ENCODED_DIM,
        num_layers=1,
        enc_dim=ENCODED_DIM,
        input_size=HIDDEN,
        channels=10,
        kernel_size=100,
    )
    del parts.decoder.attn.mlp_out.bias
    parts.decoder.attn.mlp_out.bias = None
    return parts


def speechbrain_mapped(theirs: Parameters) -> Parameters:
    """Our parameters from those of `speechbrain_decoder`."""
    joined = theirs["output.w.weight"] @ theirs["decoder.proj.weight"]  # of [context; hidden]
    bias = theirs["output.w.weight"] @ theirs["decoder.proj.bias"] + theirs["output.w.bias"]
    attention = _named(attention_speechbrain.location(_below(theirs, "decoder.attn.")))
    return {
        "embedding.weight": theirs["embedding.weight"],
        "output.weight": torch.cat([joined[:, ENCODED_DIM:], joined[:, :ENCODED_DIM]], 1),
        "output.bias": bias,
        **attention,
        **cell(theirs, "decoder.rnn.rnn_cells.0"),
    }


def _speechbrain() -> float:
    def run(parts: Any, encoded: Tensor, lengths: Tensor, tokens: Tensor) -> list[Tensor]:
        with attention_speechbrain.in_double(parts.decoder.attn):
            states, _ = parts.decoder(parts.embedding(tokens), encoded, lengths / encoded.shape[1])
        return [parts.output(states)[..., special.EOS :]]

    decoder = ours("location_speechbrain", "update_then_attend", dim=ENCODED_DIM)
    return difference(decoder, speechbrain_decoder(), speechbrain_mapped, _unrolled, run, _inputs())
