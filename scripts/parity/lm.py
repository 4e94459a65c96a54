"""Language models: log probabilities and gradients."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lasasr.lm.lstm import LSTMLanguageModel
from lasasr.lm.ngram import KenLM
from lasasr.search.acoustics import Acoustics
from lasasr.search.base import StepContext
from lasasr.search.lm_scorer import NGramScorer
from lasasr.text import special
from parity.check import FLOAT32, Check, NotReproduced
from parity.matched import Parameters, difference

VOCABULARY, WIDTH, LAYERS, SENTENCES, STEPS = 11, 8, 2, 3, 6
ARPA = """
\\data\\
ngram 1=7
ngram 2=4

\\1-grams:
-1.2	<unk>
-99	<s>	-0.4
-0.9	</s>
-0.6	a	-0.3
-0.8	ab	-0.2
-1.1	b	-0.1
-1.5	ba

\\2-grams:
-0.3	<s> a
-0.5	a ab
-0.7	ab </s>
-0.9	b a

\\end\\
"""
PIECES = (*special.NAMES, "a", "b", " a", " b", " ")
TEXTS = (" a", " a ab", " a ab a b", " ba ab abab a b", " bbb", " b a b a ab")


def checks() -> list[Check | NotReproduced]:
    """Of token models all log probabilities; of n-grams the scores of whole sentences, spelt by tokens."""
    return [
        Check("`SequentialRNNLM` = `lm=lstm`, two layers", "ESPnet", _lstm, "logits and gradients over six tokens"),
        NotReproduced(
            "`TransformerLM`",
            "ESPnet",
            "it has a linear layer and a normalisation at the input, ReLU in its layers and weights of its own at the "
            "output; `lm=transformer` follows Irie et al. 2019",
        ),
        Check(
            "2-gram, token by token = `Model.score` of the sentence",
            "KenLM",
            _ngram,
            f"{len(TEXTS)} sentences with unknown words; KenLM computes in float32",
            FLOAT32,
        ),
    ]


def mapped(theirs: Parameters) -> Parameters:
    """Our parameters from those of `SequentialRNNLM`."""
    layers = {f"layers.{name.removeprefix('rnn.')}": tensor for name, tensor in theirs.items() if "rnn." in name}
    output = {f"output.{kind}": theirs[f"decoder.{kind}"] for kind in ("weight", "bias")}
    return {"embedding.weight": theirs["encoder.weight"], **output, **layers}


def _lstm() -> float:
    from espnet2.lm.seq_rnn_lm import SequentialRNNLM

    def ours(model: Any, tokens: Tensor) -> list[Tensor]:
        return [model.unroll(tokens)[..., special.EOS :]]

    def theirs(model: Any, tokens: Tensor) -> list[Tensor]:
        return [model(tokens, None)[0][..., special.EOS :]]

    tokens = torch.randint(special.FIRST_TEXT, VOCABULARY, (SENTENCES, STEPS))
    model = LSTMLanguageModel(vocabulary_size=VOCABULARY, layers=LAYERS, hidden_dim=WIDTH, embedding_dim=WIDTH)
    return difference(model, SequentialRNNLM(VOCABULARY, WIDTH, nlayers=LAYERS), mapped, ours, theirs, (tokens,))


def _ngram() -> float:
    import kenlm

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tiny.arpa")
        path.write_text(ARPA)
        config = kenlm.Config()
        config.show_progress = False
        config.arpa_complain = kenlm.ARPALoadComplain.NONE
        theirs, scorer = kenlm.Model(str(path), config), NGramScorer(KenLM(path), PIECES)
        log_10 = torch.log(torch.tensor(10.0, dtype=torch.double))
        return max(abs(_score(scorer, text) - theirs.score(text.strip()) * float(log_10)) for text in TEXTS)


def _score(scorer: NGramScorer, text: str) -> float:
    """The sum of the scores of the text's tokens, one letter or space and letter each, and of eos."""
    tokens, rest = [], text
    while rest:
        size = 2 if rest[0] == " " else 1
        tokens.append(PIECES.index(rest[:size]))
        rest = rest[size:]
    mask = torch.ones(1, 1, dtype=torch.bool)
    memory, state = scorer.start(Acoustics(torch.zeros(1, 1, 1), mask), 1)
    total, last = 0.0, special.SOS
    for token in (*tokens, special.EOS):
        scored = scorer.score(torch.tensor([[last]]), memory, state, StepContext())
        total += float(scored.scores[0, 0, token])
        state = scorer.reorder(memory, scored.state, torch.tensor([[0]]), torch.tensor([[token]]))
        last = token
    return total
