"""Joint beam search with the same decoder and CTC head as SpeechBrain's searcher."""

from __future__ import annotations

import torch

from lasasr.search.acoustics import Acoustics
from lasasr.search.beam import BeamSearch
from lasasr.search.limits import Limits
from lasasr.text import special
from parity import attention_speechbrain, decoders
from parity.attending import ENCODED_DIM
from parity.check import FLOAT32, Check, NotReproduced
from parity.ctc import in_double
from parity.search import BEAM, CTC_WEIGHT, ENDING, FRAMES, MANY, NEVER, SHARP, UTTERANCES, apart

VOCABULARY = special.FIRST_TEXT + MANY


def checks() -> list[Check | NotReproduced]:
    """SpeechBrain's decoder with weights mapped to ours, and a CTC head; the CTC weight is 0.3."""
    return [
        Check(
            f"joint search, beam {BEAM} = `S2SRNNBeamSearcher`",
            "SpeechBrain",
            _beam,
            "as above; no length normalisation, no threshold for eos",
            FLOAT32,
        )
    ]


@torch.no_grad()
def _beam() -> float:
    from speechbrain.decoders.scorer import CTCScorer, ScorerBuilder
    from speechbrain.decoders.seq2seq import S2SRNNBeamSearcher
    from speechbrain.nnet.linear import Linear

    theirs = decoders.speechbrain_decoder(VOCABULARY).double().eval()
    head = Linear(VOCABULARY, input_size=ENCODED_DIM).double()
    for layer, silent, ending in (
        (theirs.output.w, special.NEVER_EMITTED, special.EOS),
        (head.w, (special.PAD, special.SOS, special.EOS), special.BLANK),
    ):
        layer.weight *= SHARP
        layer.weight[list(silent)] = 0.0
        layer.bias[list(silent)] = NEVER
        layer.bias[ending] += ENDING
    ours = decoders.ours("location_speechbrain", "update_then_attend", VOCABULARY, dim=ENCODED_DIM).double().eval()
    ours.load_state_dict(decoders.speechbrain_mapped(dict(theirs.state_dict())))
    encoded = 2 * torch.randn(UTTERANCES, FRAMES, ENCODED_DIM, dtype=torch.double)
    mask = torch.ones(encoded.shape[:2], dtype=torch.bool)

    with in_double(), attention_speechbrain.in_double(theirs.decoder.attn):
        ctc = CTCScorer(ctc_fc=head, blank_index=special.BLANK, eos_index=special.EOS)
        search = S2SRNNBeamSearcher(
            embedding=theirs.embedding,
            decoder=theirs.decoder,
            linear=theirs.output,
            bos_index=special.SOS,
            eos_index=special.EOS,
            min_decode_ratio=0.0,
            max_decode_ratio=1.0,
            beam_size=BEAM,
            scorer=ScorerBuilder(weights={"ctc": CTC_WEIGHT}, full_scorers=[ctc]),
            using_eos_threshold=False,
            length_normalization=False,
        )
        texts, _, scores, _ = search(encoded, torch.ones(UTTERANCES))
    acoustics = Acoustics(encoded, mask, head(encoded).log_softmax(-1))
    nbests = BeamSearch(beam=BEAM, ctc_weight=CTC_WEIGHT, limits=Limits(max_length=FRAMES))(ours, acoustics)
    return apart(nbests, [tuple(text) for text in texts], scores.flatten().tolist())
