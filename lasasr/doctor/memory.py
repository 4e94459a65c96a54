"""What the worst batch costs: two updates on it, in a process of its own, so that running out of memory ends only that.

The batch is noise of the right shape: memory does not depend on what is said.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch
from torch.optim import Optimizer

from lasasr.configuration.settings import Recognition, Settings
from lasasr.data.batch import Batch
from lasasr.doctor.batches import Shape
from lasasr.doctor.finding import Finding, overall
from lasasr.errors import LasasrError
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import prepare
from lasasr.text import special
from lasasr.training.adapting import beginning
from lasasr.training.machine import keep_freed_memory, precision, set_threads
from lasasr.training.memory import memory_bytes
from lasasr.training.module import Training
from lasasr.training.parameter_groups import trained_parameters
from lasasr.training.run import training_module
from lasasr.training.step import RecognizerStep

KILLED = -9  # exit status of a process that the system kills when memory runs out
TIGHT = 0.85  # of the memory: what else a run needs (workers, cache, other shapes) may not fit beside


class Cost(NamedTuple):
    """Of updates on the worst batch."""

    peak_bytes: int  # CUDA: reserved by torch; CPU: resident, the interpreter and its libraries included
    limit_bytes: int | None  # what there is; None where that is not known
    device: str


def device(settings: Settings) -> str:
    """Where the Trainer would compute: "cuda" or "cpu"."""
    wanted = settings.trainer["accelerator"] in ("auto", "gpu", "cuda")
    return "cuda" if wanted and torch.cuda.is_available() else "cpu"


def probe(settings: Recognition, shapes: Sequence[Shape]) -> Cost | None:
    """Make two updates on each of the worst batches; None if there is not enough memory for one.

    Raises:
        LasasrError: the update fails for another reason.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(settings, tuple(shapes), theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        answer: Cost | str | None = ours.recv()
    except EOFError:
        child.join()
        if child.exitcode != KILLED:
            raise LasasrError(f"the memory probe ended with status {child.exitcode}") from None
        return None
    child.join()
    if isinstance(answer, str):
        raise LasasrError(f"an update on the worst batch fails: {answer}")
    return answer


def findings(cost: Cost | None, shapes: Sequence[Shape]) -> list[Finding]:
    """What the worst batch takes; a warning or an error where memory is short."""
    batch = " or ".join(
        f"{shape.utterances} utterances of {shape.audio_s:.1f} s and {shape.tokens} tokens" for shape in shapes
    )
    way_out = "lower batching.max_utterances or batching.batch_seconds (accumulate_grad_batches makes up for it)"
    if cost is None:
        return [overall("memory", "error", f"a batch of {batch} does not fit into memory: {way_out}")]
    used = f"the worst batch, {batch}, takes {cost.peak_bytes / 2**30:.3g} GiB on {cost.device}"
    if cost.limit_bytes is None or cost.peak_bytes <= TIGHT * cost.limit_bytes:
        return [overall("memory", "note", used)]
    return [overall("memory", "warning", f"{used}, of {cost.limit_bytes / 2**30:.3g} GiB there are: {way_out}")]


def _child(settings: Recognition, shapes: tuple[Shape, ...], answer: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's Ctrl-C ends the parent, and with it this daemon
    try:
        answer.send(_measured(settings, shapes))
    except torch.OutOfMemoryError:
        answer.send(None)
    except Exception as error:
        answer.send(f"{type(error).__name__}: {' '.join(str(error).split())}")


def _measured(settings: Recognition, shapes: tuple[Shape, ...]) -> Cost:
    set_threads(settings.threads)
    keep_freed_memory()  # as training does: what is kept counts
    prepared = prepare(settings, lambda task, done, total: None)
    recognizer = beginning(settings, prepared.tokenizer, str(prepared.rule))
    batches = [noise(shape, recognizer) for shape in shapes]
    if not recognizer.frontend.ready:  # its statistics change nothing here
        recognizer.frontend.fit((batch.waveforms, batch.waveform_lengths) for batch in batches)
    module = training_module(settings, prepared, recognizer).to(device(settings))
    optimizer = module.make_optimizer(params=trained_parameters(module, module.rates))
    for batch in (*batches, *batches):  # from the second update on, the optimizer's state lies beside the activations
        taught = module.loss.pretend_taught(batch.tokens, batch.token_lengths, recognizer.tokenizer.vocabulary_size)
        batch = replace(batch, taught=taught)
        update(module, optimizer, batch.to(device(settings)), settings)
    if device(settings) == "cuda":
        return Cost(torch.cuda.max_memory_reserved(), torch.cuda.get_device_properties(0).total_memory, "cuda")
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, memory_bytes(), "cpu")


def noise(shape: Shape, recognizer: Recognizer) -> Batch:
    """A batch of this shape."""
    size, samples = shape.utterances, round(shape.audio_s * recognizer.frontend.sample_rate_hz)
    tokens = torch.randint(special.FIRST_TEXT, recognizer.tokenizer.vocabulary_size, (size, shape.tokens))
    return Batch(
        ids=tuple(f"noise-{number}" for number in range(size)),
        speakers=("",) * size,
        texts=("",) * size,
        waveforms=0.1 * torch.randn(size, samples),
        waveform_lengths=torch.full((size,), samples),
        tokens=tokens,
        token_lengths=torch.full((size,), shape.tokens),
    )


def update(module: Training, optimizer: Optimizer, batch: Batch, settings: Settings) -> None:
    """Forward, backward and one step of the optimizer, in the precision of training."""
    kind = batch.waveforms.device.type
    trained_in = precision(settings)
    dtype = torch.float16 if trained_in == "16-mixed" else torch.bfloat16
    features, frames = module.recognizer.encoder_input(batch.waveforms, batch.waveform_lengths, batch.kept)
    step = RecognizerStep(module.recognizer, batch, features, frames, 0, module.sampling(0))
    with torch.autocast(kind, dtype, enabled=trained_in != "32-true"):
        terms = module.loss.terms(step)
    loss: torch.Tensor = terms.total / terms.divisor
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    optimizer.zero_grad()
