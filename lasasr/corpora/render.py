"""One utterance of the synthetic corpus: spoken, resampled, set in noise and written; in parallel for many.

Everything an utterance depends on is in its `Order`, so that the number of workers changes nothing. Workers import
neither torch nor Lhotse nor SciPy.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lasasr.corpora.audio_files import write_flac
from lasasr.corpora.espeak import Voice, speak
from lasasr.corpora.timing import Segment, segments
from lasasr.errors import LasasrError

SAMPLING_RATE = 16_000  # Hz
_LOUDEST = 0.95  # of full scale
_ORDERS_PER_JOB = 8


@dataclass(frozen=True)
class Order:
    """The settings of one utterance to render."""

    id: str
    text: str
    voice: Voice
    seed: int
    level_db: float  # root mean square of the speech, relative to full scale
    snr_db: float
    pink: bool  # noise falls by 3 dB per octave instead of being white
    before_s: float  # noise alone before the speech ...
    after_s: float  # ... and after it
    path: Path


@dataclass(frozen=True)
class Rendered:
    """A rendered and written utterance."""

    order: Order
    samples: int
    words: list[Segment]
    phones: list[Segment]


def render(order: Order) -> Rendered:
    """Write the utterance as 16-bit FLAC at 16 kHz.

    Raises:
        LasasrError: eSpeak NG is not installed, or the file cannot be written.
    """
    spoken = speak(order.text, order.voice, order.seed)
    words, phones = segments(order.text, spoken)
    speech = _resampled(spoken.samples / 32768, spoken.sampling_rate)
    before, after = round(order.before_s * SAMPLING_RATE), round(order.after_s * SAMPLING_RATE)
    waveform = _in_noise(speech, before, after, order)
    write_flac(order.path, np.round(waveform * 32767).astype(np.int16), SAMPLING_RATE)
    end_s = len(waveform) / SAMPLING_RATE
    return Rendered(
        order,
        len(waveform),
        _shifted(words, before / SAMPLING_RATE, end_s),
        _shifted(phones, before / SAMPLING_RATE, end_s),
    )


@contextmanager
def rendering_pool(count: int) -> Iterator[ProcessPoolExecutor | None]:
    """Processes to render in; none for a count of 1."""
    if count == 1:
        yield None
        return
    # spawned, not forked: the parent may hold the threads of torch
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_begin_worker)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def rendered(orders: Iterator[Order], pool: ProcessPoolExecutor | None, ahead: int) -> Generator[Rendered]:
    """Render in the order of `orders`, up to `ahead` jobs ahead of the caller.

    Raises:
        LasasrError: as `render`, or a process died.
    """
    if pool is None:
        yield from map(render, orders)
        return
    jobs: deque[Future[list[Rendered]]] = deque()
    try:
        while job := list(islice(orders, _ORDERS_PER_JOB)):
            jobs.append(pool.submit(_render_all, job))
            if len(jobs) > ahead:
                yield from jobs.popleft().result()
        while jobs:
            yield from jobs.popleft().result()
    except BrokenProcessPool:
        raise LasasrError("a rendering process died (out of memory?): set corpus.workers lower") from None
    finally:
        for waiting in jobs:
            waiting.cancel()


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent, and end with it even when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _render_all(orders: list[Order]) -> list[Rendered]:
    return [render(order) for order in orders]


def _resampled(speech: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """The same at 16 kHz, through its spectrum: the part that fits is kept, its upper edge smoothed."""
    common = math.gcd(SAMPLING_RATE, rate)
    up, down = SAMPLING_RATE // common, rate // common
    blocks = 16 * math.ceil((len(speech) / down + 1) / 16)  # at least one of silence, and a size that is fast
    spectrum = np.fft.rfft(speech, blocks * down)[: blocks * up // 2 + 1]
    edge = len(spectrum) // 20
    spectrum[-edge:] *= 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, edge))
    return np.fft.irfft(spectrum, blocks * up)[: math.ceil(len(speech) * up / down)] * (up / down)


def _in_noise(speech: NDArray[np.float64], before: int, after: int, order: Order) -> NDArray[np.float64]:
    rng = np.random.default_rng(order.seed)
    power = float(np.mean(speech**2))
    noise = _noise(before + len(speech) + after, order.pink, rng) * np.sqrt(power / 10 ** (order.snr_db / 10))
    noise[before : before + len(speech)] += speech
    level = 10 ** (order.level_db / 20) / np.sqrt(power)
    quiet: NDArray[np.float64] = noise * min(level, _LOUDEST / float(np.abs(noise).max()))
    return quiet


def _noise(samples: int, pink: bool, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of power 1."""
    noise = rng.standard_normal(samples)
    if pink:
        size = 4096 * math.ceil(samples / 4096)  # a prime size is slow
        spectrum = np.fft.rfft(noise, size)
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        spectrum[0] = 0
        noise = np.fft.irfft(spectrum, size)[:samples]
    noise /= np.sqrt(np.mean(noise**2))
    return noise


def _shifted(segments: list[Segment], by_s: float, end_s: float) -> list[Segment]:
    return [Segment(s.symbol, min(s.start_s + by_s, end_s), min(s.end_s + by_s, end_s)) for s in segments]
