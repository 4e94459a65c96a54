"""The same work in lasasr, ESPnet and SpeechBrain, in one process, in turn: what one takes against the other.

    make peers
    .venv-parity/bin/python scripts/bench_peers.py [--work decode train-fixed train-variable conformer-fixed \
        conformer-variable] [--rounds N] [--device cuda]

The peers lie in an environment of their own that sees the torch of this project, so that all use the same one. Models
are of the same sizes with random weights, and their parameters are printed: 80 features, 4 x BLSTM 320 per direction
with projection to 640, subsampling 8, LSTM decoder of 512, location attention of 10 x 201 and width 320, vocabulary
1,000, CTC 0.3. Work:

* decode: joint beam search (beam 10) over 150 encoded frames (12 s); every hypothesis is 60 tokens long. The encoder is
  no part of it. "15 candidates": CTC scores only the tokens that the decoder likes best; "all": every token, as lasasr.
* train-fixed, train-variable: forward and backward pass of 16 utterances of 12 s, or of 12 down to 8 s; 60 tokens;
  lasasr in bfloat16, too. MB is the most that the tensors of a pass hold beside the model's.
* conformer-fixed, conformer-variable: the same of a Conformer with a CTC head (`bench_peers_conformer.py`), beside
  ESPnet's and torchaudio's.

Each round does every case once, in a new order; peers that take minutes (CTC scores of all tokens, lengths that
differ) join the first only. What searches one by one is given one utterance of a batch. As in `lasasr evaluate`, lasasr
makes what is made of the parameters alone once for all batches. Trust the ratios before the seconds.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import bench_decode
import bench_measure
import bench_peers_conformer
import torch
from torch import Tensor, nn

from lasasr.nn import host_mirror, shared_steps

FEATURES, HIDDEN, ENCODED, DECODER, ATTENTION, VOCABULARY = 80, 320, 640, 512, 320, 1000
SUBSAMPLING = (2, 2, 2, 1)
FILTERS, HALF_WIDTH = 10, 100  # 10 filters of 201 frames
FRAMES, TOKENS, BEAM, CTC = 150, 60, 10, 0.3
LONGEST, SHORTEST = 1200, 800  # feature frames, 10 ms each
OURS = "lasasr"


class Batch(NamedTuple):
    """What a training step is given."""

    features: Tensor  # (B, T, F)
    lengths: Tensor  # (B,)
    tokens: Tensor  # (B, U), ids of 4 and above
    token_lengths: Tensor  # (B,)


@dataclass
class Toolkit:
    """One toolkit's model."""

    name: str
    model: nn.Module
    train: Callable[[Batch], Tensor]  # the loss
    searches: dict[str, Callable[[Tensor], object]]  # of encoded (B, T', E)


def ours() -> Toolkit:
    """lasasr."""
    from lasasr.attend.location import LocationAttention
    from lasasr.listen.blstm import BLSTMEncoder
    from lasasr.losses.joint import JointLoss
    from lasasr.models.network import CTCHead, Model
    from lasasr.search.acoustics import Acoustics
    from lasasr.search.beam import BeamSearch
    from lasasr.search.limits import Limits
    from lasasr.search.pruning import Pruning
    from lasasr.spell.recurrent import RecurrentDecoder

    encoder = BLSTMEncoder(FEATURES, HIDDEN, 4, SUBSAMPLING, ENCODED)
    attend = partial(LocationAttention, dim=ATTENTION, filters=FILTERS, kernel_size=2 * HALF_WIDTH + 1)
    decoder = RecurrentDecoder(
        attend=attend,
        encoded_dim=ENCODED,
        vocabulary_size=VOCABULARY,
        hidden_dim=DECODER,
        embedding_dim=DECODER,
    )
    ctc = CTCHead(encoded_dim=ENCODED, vocabulary_size=VOCABULARY)
    model, loss = Model(encoder=encoder, decoder=decoder, ctc=ctc), JointLoss(ctc_weight=CTC)
    limits = Limits(min_length=TOKENS, max_length=TOKENS)
    pruning = Pruning(end_margin=float("inf"))
    search = BeamSearch(beam=BEAM, ctc_weight=CTC, limits=limits, pruning=pruning, keep_weights=False)

    def train(batch: Batch) -> Tensor:
        logits, _, log_probs, lengths = model(batch.features, batch.lengths, batch.tokens, batch.token_lengths)
        total: Tensor = loss(logits, log_probs, lengths, batch.tokens, batch.token_lengths).total
        return total

    def decode(encoded: Tensor) -> object:
        mask = torch.ones(encoded.shape[:2], dtype=torch.bool, device=encoded.device)
        return search(decoder, Acoustics(encoded, mask, ctc(encoded)))

    return Toolkit(OURS, model, train, {"all": decode})


def espnet() -> Toolkit:
    """ESPnet2's model and one-by-one search, and the batched search of the older ESPnet."""
    from espnet.nets.beam_search import BeamSearch
    from espnet.nets.pytorch_backend.rnn.attentions import AttLoc
    from espnet.nets.pytorch_backend.rnn.decoders import Decoder
    from espnet.nets.scorers.ctc import CTCPrefixScorer
    from espnet2.asr.ctc import CTC as Head  # noqa: N811
    from espnet2.asr.decoder.rnn_decoder import RNNDecoder
    from espnet2.asr.encoder.rnn_encoder import RNNEncoder
    from espnet2.asr.espnet_model import ESPnetASRModel

    names = ["<blank>", *map(str, range(VOCABULARY - 2)), "<sos/eos>"]
    sos = VOCABULARY - 1
    encoder = RNNEncoder(FEATURES, hidden_size=HIDDEN, output_size=ENCODED, num_layers=4, subsample=SUBSAMPLING)
    attention = {"atype": "location", "adim": ATTENTION, "aconv_chans": FILTERS, "aconv_filts": HALF_WIDTH}
    decoder = RNNDecoder(VOCABULARY, ENCODED, hidden_size=DECODER, context_residual=True, att_conf=attention)
    ctc = Head(VOCABULARY, ENCODED)
    nothing = dict.fromkeys(("frontend", "specaug", "normalize", "preencoder", "postencoder", "joint_network"))
    model = ESPnetASRModel(
        vocab_size=VOCABULARY,
        token_list=names,
        encoder=encoder,
        decoder=decoder,
        ctc=ctc,
        ctc_weight=CTC,
        report_cer=False,
        report_wer=False,
        **nothing,
    )
    looks = nn.ModuleList([AttLoc(ENCODED, DECODER, ATTENTION, FILTERS, HALF_WIDTH)])
    older = Decoder(ENCODED, VOCABULARY, "lstm", 1, DECODER, sos, sos, looks, context_residual=True).eval()
    older.log_level = logging.ERROR

    def train(batch: Batch) -> Tensor:
        loss: Tensor = model(batch.features, batch.lengths, batch.tokens, batch.token_lengths)[0]
        return loss

    def one_by_one(key: str | None, encoded: Tensor) -> object:
        search = BeamSearch(
            scorers={"decoder": decoder, "ctc": CTCPrefixScorer(ctc, sos)},
            weights={"decoder": 1 - CTC, "ctc": CTC},
            beam_size=BEAM,
            vocab_size=VOCABULARY,
            sos=sos,
            eos=sos,
            token_list=names,
            pre_beam_score_key=key,
        )
        return [search(utterance, maxlenratio=-TOKENS, minlenratio=-TOKENS) for utterance in encoded]

    def batched(encoded: Tensor) -> object:
        options = argparse.Namespace(beam_size=BEAM, penalty=0.0, ctc_weight=CTC, nbest=1, lm_weight=0.0)
        options.maxlenratio = options.minlenratio = TOKENS / encoded.shape[1]
        lengths = torch.full((len(encoded),), encoded.shape[1])
        return older.recognize_beam_batch(encoded, lengths, ctc.log_softmax(encoded), options, names)

    searches = {
        "one by one, 15 candidates": partial(one_by_one, "full"),
        "one by one, all": partial(one_by_one, None),
        "older, batched, 15 candidates": batched,
    }
    return Toolkit("ESPnet", model, train, searches)


def speechbrain() -> Toolkit:
    """SpeechBrain's layers, put together as its recurrent recipes do."""
    from speechbrain.decoders.scorer import CTCScorer, ScorerBuilder
    from speechbrain.decoders.seq2seq import S2SRNNBeamSearcher
    from speechbrain.nnet.linear import Linear
    from speechbrain.nnet.losses import ctc_loss, nll_loss
    from speechbrain.nnet.RNN import LSTM, AttentionalRNNDecoder

    widths = [FEATURES, *[ENCODED] * 3]
    layers = nn.ModuleList(LSTM(HIDDEN, input_size=width, bidirectional=True) for width in widths)
    projections = nn.ModuleList(nn.Linear(2 * HIDDEN, ENCODED) for _ in widths)
    decoder = AttentionalRNNDecoder(
        rnn_type="lstm",
        attn_type="location",
        hidden_size=DECODER,
        attn_dim=ATTENTION,
        num_layers=1,
        enc_dim=ENCODED,
        input_size=DECODER,
        kernel_size=2 * HALF_WIDTH + 1,
        channels=FILTERS,
    )
    embedding = nn.Embedding(VOCABULARY, DECODER)
    output, head = (Linear(VOCABULARY, input_size=width) for width in (DECODER, ENCODED))
    model = nn.ModuleList([layers, projections, decoder, embedding, output, head])

    def train(batch: Batch) -> Tensor:
        relative, encoded = batch.lengths / batch.lengths.max(), batch.features
        for layer, projection, factor in zip(layers, projections, SUBSAMPLING, strict=True):
            encoded = torch.tanh(projection(layer(encoded, lengths=relative)[0]))[:, ::factor]
        read = nn.functional.pad(batch.tokens, (1, 0), value=2)
        targets = nn.functional.pad(batch.tokens, (0, 1), value=3)
        states, _ = decoder(embedding(read), encoded, relative)
        log_probs = output(states).log_softmax(-1)
        whole = torch.ones(len(read), device=read.device)
        ctc_log_probs = head(encoded).log_softmax(-1)
        loss: Tensor = (1 - CTC) * nll_loss(log_probs, targets, whole) + CTC * ctc_loss(
            ctc_log_probs, batch.tokens, relative, whole, 0
        )
        return loss

    def search(kind: str, encoded: Tensor) -> object:
        ctc = CTCScorer(ctc_fc=head, blank_index=0, eos_index=3)
        scorer = ScorerBuilder(weights={"ctc": CTC}, **{f"{kind}_scorers": [ctc]})
        ratio = TOKENS / encoded.shape[1]
        searcher = S2SRNNBeamSearcher(
            embedding=embedding,
            decoder=decoder,
            linear=output,
            bos_index=2,
            eos_index=3,
            min_decode_ratio=ratio,
            max_decode_ratio=ratio,
            beam_size=BEAM,
            scorer=scorer,
            using_eos_threshold=False,
        )
        return searcher(encoded, torch.ones(len(encoded), device=encoded.device))

    searches = {"15 candidates": partial(search, "partial"), "all": partial(search, "full")}
    return Toolkit("SpeechBrain", model, train, searches)


@dataclass
class Case:
    """One piece of work."""

    name: str
    work: Callable[[], object]
    warm: Callable[[], object]  # what is done once only (choice of kernels, allocations), before the clock runs
    utterances: int
    slow: bool = False  # of the first round only
    wide: bool = False  # also count the memory its tensors take, in one more pass
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)


def decoding(toolkits: list[Toolkit], batch: int, device: str) -> Iterator[Case]:
    """Every search of every toolkit, the first of them ours."""
    torch.manual_seed(1)
    encoded = torch.randn(batch, FRAMES, ENCODED).to(device)

    def work(search: Callable[[Tensor], object], encoded: Tensor) -> None:
        with torch.inference_mode():
            search(encoded.clone())

    for toolkit in toolkits:
        toolkit.model.eval()
        for name, search in toolkit.searches.items():
            inputs = encoded[:1] if name.startswith("one by one") else encoded
            slow = name.endswith("all") and toolkit.name != OURS
            warm = partial(work, search, encoded[:1])
            yield Case(f"{toolkit.name}, {name}", partial(work, search, inputs), warm, len(inputs), slow)


def training(toolkits: list[Toolkit], utterances: int, shortest: int, device: str) -> Iterator[Case]:
    """A forward and backward pass of every toolkit, the first of them ours."""
    from lasasr.listen.bilstm import BiLSTM

    torch.manual_seed(1)
    lengths = torch.linspace(LONGEST, shortest, utterances).long() // 8 * 8
    tokens = torch.randint(4, VOCABULARY - 1, (utterances, TOKENS))
    features, token_lengths = torch.randn(utterances, LONGEST, FEATURES), torch.full((utterances,), TOKENS)
    whole = features, lengths, tokens, token_lengths
    batch = Batch(*(host_mirror.to(part, device) for part in whole))
    few = Batch(*(host_mirror.to(part[:2], device) for part in whole))

    def work(toolkit: Toolkit, batch: Batch, halves: bool = False, again: bool = False) -> None:
        toolkit.model.train()
        toolkit.model.zero_grad()
        for layer in toolkit.model.modules():
            if isinstance(layer, BiLSTM):
                layer.implementation, layer.lstm.recompute = "recomputed" if again else "auto", again
        with torch.autocast(device, torch.bfloat16, enabled=halves):
            loss = toolkit.train(batch)
        loss.backward()

    for toolkit in toolkits:
        ours = toolkit.name == OURS
        for halves, again in product((False, True), (False, True)) if ours else ((False, False),):
            passing = [partial(work, toolkit, some, halves, again) for some in (batch, few)]
            slow = shortest < LONGEST and not ours
            name = f"{toolkit.name}, {'bfloat16' if halves else 'float32'}{', lstm=recomputed' * again}"
            yield Case(name, *passing, utterances, slow, wide=not slow)


def conformers(utterances: int, shortest: int, device: str) -> Iterator[Case]:
    """A forward and backward pass of every toolkit's Conformer, the first of them ours."""
    torch.manual_seed(1)
    lengths = torch.linspace(LONGEST, shortest, utterances).long()
    tokens = torch.randint(4, VOCABULARY - 1, (utterances, TOKENS))
    whole = torch.randn(utterances, LONGEST, FEATURES), lengths, tokens, torch.full((utterances,), TOKENS)
    batch, few = (Batch(*(host_mirror.to(part[:count], device) for part in whole)) for count in (utterances, 2))

    def work(toolkit: bench_peers_conformer.Conformer, batch: Batch, halves: bool, again: bool) -> None:
        toolkit.model.zero_grad()
        if toolkit.name == OURS:
            toolkit.model[0].recompute = again  # type: ignore[index,union-attr]
        with torch.autocast(device, torch.bfloat16, enabled=halves):
            log_probs, frames = toolkit.log_probs(batch.features, batch.lengths)
        nats = nn.functional.ctc_loss(
            log_probs.transpose(0, 1), batch.tokens, frames.cpu(), batch.token_lengths.cpu(), reduction="sum"
        )
        nats.backward()

    for make in (bench_peers_conformer.ours, bench_peers_conformer.espnet, bench_peers_conformer.torchaudio):
        yield from _passes(make(), work, batch, few, device)


def _passes(
    toolkit: bench_peers_conformer.Conformer, work: Callable[..., None], batch: Batch, few: Batch, device: str
) -> Iterator[Case]:
    """In float32 and bfloat16; ours also with layers that are run again."""
    toolkit.model.to(device).train()
    print(f"{toolkit.name}: {sum(p.numel() for p in toolkit.model.parameters()) / 1e6:.2f} M parameters")
    for halves, again in product((False, True), (False, True) if toolkit.name == OURS else (False,)):
        name = f"{toolkit.name}, {'bfloat16' if halves else 'float32'}{', recompute' * again}"
        passing = [partial(work, toolkit, some, halves, again) for some in (batch, few)]
        yield Case(name, *passing, len(batch.lengths), wide=True)


def works(toolkits: list[Toolkit], args: argparse.Namespace) -> Iterator[tuple[str, Iterator[Case]]]:
    """What is asked for, each by its title."""
    for kind in args.work:
        if kind == "decode":
            yield from ((f"decode, batch {batch}", decoding(toolkits, batch, args.device)) for batch in args.batches)
        else:
            shortest = LONGEST if kind.endswith("-fixed") else SHORTEST
            cases = conformers if kind.startswith("conformer") else partial(training, toolkits)
            yield kind, cases(args.utterances, shortest, args.device)


def measure(title: str, cases: list[Case], rounds: int, device: str) -> list[dict[str, Any]]:
    """Do all cases in turn and print a line for each; the first one is what the others are compared with."""
    for case in cases:
        case.warm()
    for done in range(rounds):
        for case in random.sample(cases, len(cases)):
            if done and case.slow:
                continue
            start, cpu = now(), time.process_time()
            case.work()
            case.seconds.append(now() - start)
            case.cpu_seconds.append(time.process_time() - cpu)
    print(f"\n{title}: median of {rounds}, seconds per utterance (clock, CPU), and its CPU seconds over {OURS}'s")
    rows = []
    for case in cases:
        clock, cpu = (statistics.median(some) / case.utterances for some in (case.seconds, case.cpu_seconds))
        rounds_done = zip(case.cpu_seconds, cases[0].cpu_seconds, strict=False)  # a slow case has the first one only
        ratio = statistics.median(a / b for a, b in rounds_done) * cases[0].utterances / case.utterances
        with bench_measure.cores(1):  # the books are those of one thread
            mb = bench_decode.peak_mb(case.work, device) if case.wide else None
        memory = "" if mb is None else f" {mb:8.0f} MB"
        print(f"  {case.name:40} {clock:9.3f} {cpu:9.3f} {ratio:7.1f} x{memory}", flush=True)
        row = {"work": title, "case": case.name, "seconds": clock, "cpu_seconds": cpu, "ratio": ratio, "peak_mb": mb}
        rows.append(row)
    return rows


def now() -> float:
    """Seconds, after all that is queued on a GPU."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def missing() -> list[str]:
    """The peers that cannot be imported."""
    return [name for name in ("espnet", "espnet2", "speechbrain") if importlib.util.find_spec(name) is None]


def main() -> None:
    """Measure what is asked for."""
    kinds = ("decode", "train-fixed", "train-variable", "conformer-fixed", "conformer-variable")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8], help="utterances decoded at once")
    parser.add_argument("--utterances", type=int, default=16, help="of a training step")
    parser.add_argument(
        "--without", default=[], nargs="+", metavar="CASE", help="leave out, as 'ESPnet, one by one, all'"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", type=bench_measure.device_here, default="cpu")
    bench_measure.add_json(parser)
    args = parser.parse_args()
    if lacking := missing():
        sys.exit(f"{', '.join(lacking)} not installed: make peers, then .venv-parity/bin/python scripts/bench_peers.py")
    torch.set_num_threads(args.threads)
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    toolkits = [] if all(kind.startswith("conformer") for kind in args.work) else [ours(), espnet(), speechbrain()]
    for toolkit in toolkits:
        toolkit.model.to(args.device)
        print(f"{toolkit.name}: {sum(p.numel() for p in toolkit.model.parameters()) / 1e6:.2f} M parameters")
    figures = {"torch": torch.__version__, "threads": args.threads}
    rows: list[dict[str, Any]] = []
    for title, cases in works(toolkits, args):
        with shared_steps.loop() if title.startswith("decode") else nullcontext():
            rows += measure(title, [case for case in cases if case.name not in args.without], args.rounds, args.device)
        bench_measure.write(args.json, {**figures, "rows": rows}, complete=False)
    bench_measure.write(args.json, {**figures, "rows": rows}, complete=True)


if __name__ == "__main__":
    main()
