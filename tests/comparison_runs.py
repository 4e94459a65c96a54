"""Run folders without any training: hypotheses are references with some words changed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lasasr.artifacts import results, run_choice, runs, sweeps
from lasasr.metrics.error_rates import Metric, compare, pooled

METRICS: Final[tuple[Metric, Metric]] = ("wer", "cer")
WORDS = ("one", "two", "three", "four", "five", "six", "seven")
SEARCH = {"_target_": "lasasr.search.beam.BeamSearch", "beam": 10}
Line = dict[str, Any]


def config(root: Path, attend: str = "dot", seed: int = 1, dim: int = 8, **changes: Any) -> dict[str, Any]:
    """As config.yaml holds it."""
    return {
        "recipe": "synthetic/las_char",
        "choices": {"attend": attend, "search": "beam_ctc", "search@validation.search": "greedy"},
        "seed": seed,
        "data_dir": "data",
        "prepared_dir": "prepared",
        "runs_dir": str(root),
        "threads": None,
        "evaluate": {"splits": ["test"]},
        "attend": {"_target_": f"lasasr.attend.{attend}", "dim": dim},
        "listen": {"layers": 3},
        "search": SEARCH,
    } | changes


def lines(rate: float, seed: int, speakers: int = 8, each: int = 6, text_seed: int = 0) -> list[Line]:
    """Utterances that depend on `text_seed`, with about `rate` of their words changed."""
    text_random, error_random = random.Random(text_seed), random.Random(f"{rate} {seed}")
    result_lines = []
    for speaker in range(speakers):
        for number in range(each):
            reference = [text_random.choice(WORDS) for _ in range(text_random.randint(3, 9))]
            hypothesis = [w for word in reference for w in _changed(word, rate, error_random)]
            result_lines.append(line(f"s{speaker}-u{number}", f"s{speaker}", " ".join(reference), " ".join(hypothesis)))
    return result_lines


def _changed(word: str, rate: float, error_random: random.Random) -> Sequence[str]:
    drawn = error_random.random() / rate
    return ["wrong"] if drawn < 0.5 else [] if drawn < 0.8 else [word, "more"] if drawn < 1.0 else [word]


def line(key: str, speaker: str, reference: str, hypothesis: str) -> Line:
    """One line of results/<split>.jsonl."""
    counts = compare(reference, hypothesis, "wer")
    return {
        "id": key,
        "speaker": speaker,
        "duration_s": round(0.3 * len(reference.split()), 3),
        "reference": reference,
        "hypothesis": hypothesis,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
        "flags": [],
    }


def summary(result_lines: Sequence[Line], **changes: Any) -> dict[str, Any]:
    """results/<split>.json of these lines."""
    texts = [(result_line["reference"], result_line["hypothesis"]) for result_line in result_lines]
    total, characters = (pooled(compare(*pair, metric) for pair in texts) for metric in METRICS)
    return {
        "split": "test",
        "metric": "wer",
        "percent": total.percent,
        "ci95": [0.0, 100.0],
        "errors": total.errors,
        "substitutions": total.substitutions,
        "deletions": total.deletions,
        "insertions": total.insertions,
        "reference_length": total.reference_length,
        "utterances": len(result_lines),
        "cer_percent": characters.percent,
        "audio_s": 100.0,
        "decode_s": 2.0,
        "rtf": 0.02,
        "alignment": {"boundaries": {"against": "corpus", "unit": "word", "attention": {"median_ms": 30.0}}},
        "search": SEARCH,
        "normalizer": "english/1",
        "corpus": "0123456789ab",
        "seed": 1,
        "attend": "dot",
    } | changes


def write_run(
    root: Path,
    attend: str = "dot",
    seed: int = 1,
    rate: float = 0.2,
    result_lines: Sequence[Line] | None = None,
    summary_fields: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    **changes: Any,
) -> runs.Run:
    """A finished run with results on test.

    Args:
        rate: of wrong words.
        result_lines: its utterances, in place of those that `rate` and `seed` give.
        summary_fields: more of its summary.
        facts: more of its card.
        changes: of its configuration.
    """
    plain = config(root, attend, seed=seed, **changes)
    run = run_choice.run_for(plain, [f"attend={attend}", f"seed={seed}"])
    run.start(plain, [f"attend={attend}", f"seed={seed}"], commit="0" * 40, command="lasasr train synthetic/las_char")
    utterances = lines(rate, seed) if result_lines is None else list(result_lines)
    results.write(
        run.results, "test", summary(utterances, seed=seed, attend=attend, **(summary_fields or {})), utterances
    )
    history = [{"step": 10 * step, "epoch": 0, "wer": 100.0 / step, "cer": 50.0 / step} for step in range(1, 4)]
    metadata: dict[str, Any] = {"parameters": 1_000_000, "steps": 30, "train_s": 60.0, "aligned_at_step": 20}
    run.finish(**metadata | {"validations": history} | dict(facts or {}))
    return run


def write_sweep(root: Path, planned: Sequence[runs.Run]) -> Path:
    """A sweep of these runs."""
    folder = sweeps.sweep_folder(root / "synthetic" / "las_char", ["attend=dot,additive"])
    sweeps.write(sweeps.Sweep(folder, "synthetic/las_char", ["attend=dot,additive"], [], list(planned)))
    return folder
