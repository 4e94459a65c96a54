"""Joint beam search with the same decoder and CTC head in both toolkits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lasasr.lm.lstm import LSTMLanguageModel
from lasasr.search.acoustics import Acoustics
from lasasr.search.beam import BeamSearch
from lasasr.search.hypothesis import Hypothesis
from lasasr.search.limits import Limits
from lasasr.search.lm_scorer import LMScorer
from lasasr.spell.recurrent import RecurrentDecoder
from lasasr.text import special
from parity import attending, attention_espnet, lm
from parity.attending import ENCODED_DIM, QUERY_DIM
from parity.check import FLOAT32, Check, NotReproduced
from parity.decoders import cell

CTC_WEIGHT, LM_WEIGHT, FRAMES, UTTERANCES, BEAM = 0.3, 0.5, 16, 12, 10
FEW, MANY = 3, 20  # tokens of text: so few that every sequence can be scored; as many as a beam needs
FEWEST = 6  # utterances of those that must be left to compare
LONGEST = 4  # tokens of an enumerated sequence
NEVER = -1e4  # logit of what ESPnet's decoder and CTC could say and lasasr's cannot
ENDING = 3.0  # added to the logits of eos and of CTC's blank, so that hypotheses end before the last frame
SHARP = 4.0  # times the drawn weights of the output layers: distributions as peaked as trained ones


def checks() -> list[Check | NotReproduced]:
    """ESPnet's decoder with weights mapped to ours, and a CTC head; the CTC weight is 0.3."""
    return [
        Check(
            f"joint search, a beam as wide as the space = the best of all {len(_space())} sequences",
            "ESPnet",
            _exhaustive,
            f"{UTTERANCES} utterances; each sequence scored by `RNNDecoder.score` and torch's `ctc_loss`",
            FLOAT32,
        ),
        Check(
            f"joint search, beam {BEAM} = `BeamSearch`",
            "ESPnet",
            _beam,
            f"same tokens and scores of at least {FEWEST} of {UTTERANCES} utterances, which end before the limit; its "
            "CTC is float32",
            FLOAT32,
        ),
        Check(
            f"joint search with a language model, beam {BEAM} = `BeamSearch`",
            "ESPnet",
            lambda: _beam(LM_WEIGHT),
            f"as above, with `SequentialRNNLM` of weight {LM_WEIGHT}",
            FLOAT32,
        ),
    ]


class _Models:
    """The same model twice. ESPnet has one id for sos and eos, the last, and blank as 0; text lies between."""

    def __init__(self, tokens: int) -> None:
        from espnet2.asr.ctc import CTC
        from espnet2.asr.decoder.rnn_decoder import RNNDecoder
        from espnet2.lm.seq_rnn_lm import SequentialRNNLM

        self.tokens, self.sos = tokens, tokens + 1
        self.theirs = RNNDecoder(tokens + 2, ENCODED_DIM, hidden_size=QUERY_DIM, context_residual=True).eval()
        self.ctc = CTC(tokens + 2, ENCODED_DIM).eval()
        self.lm = SequentialRNNLM(tokens + 2, QUERY_DIM, nlayers=1).eval()
        heads = (self.theirs.output, special.BLANK), (self.lm.decoder, special.BLANK), (self.ctc.ctc_lo, self.sos)
        with torch.no_grad():
            for head, silent in heads:
                head.weight *= SHARP
                head.weight[silent] = 0.0
                head.bias[silent] = NEVER
            self.theirs.output.bias[self.sos] += ENDING
            self.ctc.ctc_lo.bias[special.BLANK] += ENDING
        self.ours = RecurrentDecoder(
            attend=lambda **_: attending.preset("location_espnet"),
            encoded_dim=ENCODED_DIM,
            vocabulary_size=special.FIRST_TEXT + tokens,
            hidden_dim=QUERY_DIM,
            embedding_dim=QUERY_DIM,
            order="attend_then_update",
        ).eval()
        self.ours.load_state_dict(self._mapped())
        self.our_lm = LSTMLanguageModel(
            vocabulary_size=special.FIRST_TEXT + tokens, hidden_dim=QUERY_DIM, embedding_dim=QUERY_DIM
        ).eval()
        self.our_lm.load_state_dict(self._mapped_lm())
        for model in (self.theirs, self.ctc, self.lm, self.ours, self.our_lm):
            model.double()
        self.encoded = 2 * torch.randn(UTTERANCES, FRAMES, ENCODED_DIM, dtype=torch.double)

    def _mapped(self) -> dict[str, Tensor]:
        theirs = dict(self.theirs.state_dict())
        at = "att_list.0."
        attention = {name.removeprefix(at): tensor for name, tensor in theirs.items() if name.startswith(at)}
        named = {f"attention.{name}": tensor for name, tensor in attention_espnet.location(attention).items()}
        rows = {name: self._rows(theirs[name]) for name in ("output.weight", "output.bias")}
        return {"embedding.weight": self._rows(theirs["embed.weight"]), **rows, **named, **cell(theirs, "decoder.0")}

    def _mapped_lm(self) -> dict[str, Tensor]:
        mapped = lm.mapped(dict(self.lm.state_dict()))
        return {name: tensor if name.startswith("layers.") else self._rows(tensor) for name, tensor in mapped.items()}

    def _rows(self, of: Tensor) -> Tensor:
        """Rows of ESPnet's ids in the order of ours: blank, pad, sos, eos, text."""
        return of[[special.BLANK, special.BLANK, self.sos, self.sos, *range(1, self.sos)]]

    def acoustics(self) -> Acoustics:
        mask = torch.ones(self.encoded.shape[:2], dtype=torch.bool)
        log_probs = self.ctc.log_softmax(self.encoded).detach()
        ours = log_probs.new_full((*mask.shape, special.FIRST_TEXT + self.tokens), -1e3)
        ours[..., special.BLANK] = log_probs[..., 0]
        ours[..., special.FIRST_TEXT :] = log_probs[..., 1 : self.sos]
        return Acoustics(self.encoded, mask, ours)


@cache
def _models(tokens: int) -> _Models:
    return _Models(tokens)


def _space() -> list[tuple[int, ...]]:
    """Every sequence of ESPnet's ids of at most `LONGEST` tokens."""
    return [text for size in range(LONGEST + 1) for text in product(range(1, FEW + 1), repeat=size)]


@torch.no_grad()
def _exhaustive() -> float:
    models, space = _models(FEW), _space()
    limits = Limits(max_length=LONGEST)
    nbests = BeamSearch(beam=len(space), ctc_weight=CTC_WEIGHT, limits=limits)(models.ours, models.acoustics())
    largest = 0.0
    for encoded, nbest in zip(models.encoded, nbests, strict=True):
        scores = {text: _score(models, encoded, text) for text in space}
        best = max(space, key=lambda text: scores[text])
        if nbest[0].tokens != _ids(best):
            return math.inf
        largest = max(largest, abs(nbest[0].score - scores[best]))
    return largest


def _ids(text: Any) -> tuple[int, ...]:
    return tuple(int(token) - 1 + special.FIRST_TEXT for token in text)


def _score(models: _Models, encoded: Tensor, text: tuple[int, ...]) -> float:
    """ESPnet's decoder, token by token, and all alignments."""
    state, total, read = models.theirs.init_state(encoded), 0.0, [models.sos]
    for token in (*text, models.sos):
        log_probs, state = models.theirs.score(torch.tensor(read), state, encoded)
        total += float(log_probs[token])
        read.append(token)
    frames = models.ctc.log_softmax(encoded[None]).transpose(0, 1)
    ctc = -functional.ctc_loss(frames, torch.tensor([text]).long(), [FRAMES], [len(text)], special.BLANK, "sum")
    return (1 - CTC_WEIGHT) * total + CTC_WEIGHT * float(ctc)


def apart(nbests: Sequence[Sequence[Hypothesis]], texts: Sequence[tuple[int, ...]], scores: Sequence[float]) -> float:
    """The largest difference of the best scores; infinite where the tokens differ.

    Hypotheses that end in the last two positions are left out: at the limit both peers add eos without its score.

    Raises:
        ValueError: too few utterances are left.
    """
    compared = [
        abs(nbest[0].score - score) if nbest[0].tokens == text else math.inf
        for nbest, text, score in zip(nbests, texts, scores, strict=True)
        if max(len(text), len(nbest[0].tokens)) < FRAMES - 2
    ]
    if len(compared) < FEWEST:
        raise ValueError(f"at least {FEWEST} utterances must end before the limit, got {len(compared)}")
    return max(compared)


@torch.no_grad()
def _beam(lm_weight: float = 0.0) -> float:
    from espnet.nets.beam_search import BeamSearch as Theirs
    from espnet.nets.scorers.ctc import CTCPrefixScorer

    models = _models(MANY)
    search: nn.Module = Theirs(
        scorers={"decoder": models.theirs, "ctc": CTCPrefixScorer(models.ctc, models.sos), "lm": models.lm},
        weights={"decoder": 1 - CTC_WEIGHT, "ctc": CTC_WEIGHT, "lm": lm_weight},
        beam_size=BEAM,
        vocab_size=MANY + 2,
        sos=models.sos,
        eos=models.sos,
    )
    scorer = LMScorer(models.our_lm)
    limits = Limits(max_length=FRAMES)
    ours = BeamSearch(beam=BEAM, ctc_weight=CTC_WEIGHT, lm=scorer, lm_weight=lm_weight, limits=limits)
    nbests = ours(models.ours, models.acoustics())
    texts, scores = [], []
    for encoded in models.encoded:
        best = search(encoded, maxlenratio=-FRAMES)[0]
        tokens = best.yseq[1:].tolist()
        texts.append(_ids(tokens[: tokens.index(models.sos)]))  # at its last position it adds another eos
        scores.append(float(best.score))
    return apart(nbests, texts, scores)
