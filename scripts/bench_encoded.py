"""Training on a frozen encoder: updates on what is kept of it beside updates that run it, on the same batches in turns.

    python scripts/bench_encoded.py librispeech40/pretrained listen.weights=FOLDER --batches 8 --rounds 3

Audio is decoded once and stays in memory in both cases, as in training. What is missing is prepared and encoded first.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from bench_measure import Case, measure, table

from lasasr.cli.compose import load
from lasasr.configuration.settings import Recognition
from lasasr.data.sampler import BucketBatches
from lasasr.doctor.memory import update
from lasasr.models import factory
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import prepare
from lasasr.training.machine import set_threads
from lasasr.training.parameter_groups import trained_parameters
from lasasr.training.run import data_module, kept_splits, training_module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--batches", type=int, default=8, help="of an epoch; each is a case of its own")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_intermixed_args()
    settings = load(options.recipe, options.overrides)
    assert isinstance(settings, Recognition)
    set_threads(settings.threads)
    prepared = prepare(settings, lambda task, done, total: None)
    recognizer = Recognizer.build(factory.model_parts(settings), prepared.tokenizer, str(prepared.rule))
    kept = kept_splits(settings, recognizer, prepared, lambda task, done, total: None)
    if not kept:
        parser.error("nothing of this encoder is kept, so there is nothing to compare")
    rate_hz = recognizer.frontend.sample_rate_hz
    data = {
        name: data_module(settings, prepared, rate_hz, of_case).dataset("train")
        for name, of_case in (("kept", kept), ("run in every update", None))
    }
    module = training_module(settings, prepared, recognizer)
    optimizer = module.make_optimizer(params=trained_parameters(module, module.rates))
    batching = factory.build(settings.batching, "batching")
    requests = list(BucketBatches(prepared.utterances("train").durations_s, batching, settings.seed))
    rows = []
    for number, request in enumerate(requests[: options.batches]):
        cases = [
            Case(name, partial(_updated, module, optimizer, dataset, request, settings), "kept")
            for name, dataset in data.items()
        ]
        rows += measure(f"batch {number}", cases, options.rounds, float("inf"), torch.device("cpu"))
    print(table(rows))


def _updated(module, optimizer, dataset, request, settings) -> None:  # type: ignore[no-untyped-def]
    update(module, optimizer, dataset[request], settings)


if __name__ == "__main__":
    main()
