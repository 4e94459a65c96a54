"""Run folders, result files, sweeps, and finished comparisons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile_ground as ground
from hostile_case import Case, Damage, at, both
from hostile_ground import RECIPE, edited, put

COMPARE = ("compare", "one", "two")


def runs() -> Iterator[Case]:
    """What compare, diff, evaluate and train --resume read of a run."""
    needs = ("one", "two")
    for name, damage in {**ground.NOT_FILES, **ground.NOT_YAML}.items():
        yield Case(f"run-config-{name}", needs, at("one/config.yaml", damage), COMPARE, "one")
    for name, damage in {**ground.NOT_FILES, **ground.NOT_JSON}.items():
        yield Case(f"run-card-{name}", needs, at("one/card.json", damage), COMPARE, "one")
        yield Case(f"run-result-{name}", needs, at("one/results/test.json", damage), COMPARE, "test|one")
    for name in ("fifo", "folder", "device", "circle"):
        lines = at("one/results/test.jsonl", ground.NOT_FILES[name])
        yield Case(f"run-lines-{name}", needs, lines, COMPARE, "test")
    for name, text in {
        "deep": "[" * 100_000,
        "digits": "1" * 5000,
        "numbers": "1\n2\n",
        "lists": "[]\n",
        "long": " " * (17 << 20),
    }.items():
        yield Case(
            f"run-lines-{name}", needs, at("one/results/test.jsonl", ground.written(text)), COMPARE, r"test\.json"
        )
    resume = ("train", "--resume", "one")
    for name in ("laughs", "deep", "call", "fifo"):
        damage = {**ground.NOT_FILES, **ground.NOT_YAML}[name]
        yield Case(f"resume-config-{name}", needs, at("one/config.yaml", damage), resume, "one")
        yield Case(f"evaluate-config-{name}", needs, at("one/config.yaml", damage), ("evaluate", "one"), "one")
    partial = at("one/config.yaml", lambda path: edited(path, ground.drop("listen")))
    yield Case("evaluate-partial", needs, partial, ("evaluate", "one"), "lacks .*listen")
    yield Case("resume-partial", needs, partial, resume, "lacks .*listen")
    yield from _values(needs)
    yield from _sweeps()
    yield from _cards()


def _values(needs: tuple[str, ...]) -> Iterator[Case]:
    for key, value in {
        "seed": [1],
        "choices": [1],
        "choices.attend": {"x": 1},
        "search": 3,
        "recipe": {"x": 1},
    }.items():
        change = at("one/config.yaml", lambda path, key=key, value=value: edited(path, put(key, value)))
        yield Case(f"run-config-value-{key}", needs, change, COMPARE, "one|differ|search")
    for name, value in {
        "averaged": [1],
        "steps": "many",
        "train_s": {"x": 1},
        "parameters": "1",
        "aligned_at_step": [1],
        "diverged": {"x": 1},
        "validations": 3,
        "status": ["finished"],
        "data": 3,
        "versions": [1],
        "versions-number": {"torch": 2},
        "validations-stepless": [{"wer": 3.0}],
        "validations-text": [{"step": 1, "wer": "low"}],
        "results": {"test": 4.2},
        "data-split": {"splits": {"dev": 3}},
        "data-corpus": {"corpus": [1]},
        "averaged-number": {"checkpoints": 3},
        "mine": float("inf"),
    }.items():
        key = name.partition("-")[0]
        change = at("one/card.json", lambda path, key=key, value=value: edited(path, put(key, value)))
        yield Case(f"run-card-value-{name}", needs, change, COMPARE, rf"one.card\.json .*{key}")
    for key, value in {
        "alignment": 5,
        "alignment.boundaries": [1],
        "alignment.boundaries.attention": 3,
        "ci95": ["a", "b"],
        "rtf": "fast",
        "search": "x",
        "seed": {"x": 1},
        "metric": "bleu",
        "utterances": 10**400,
        "percent": float("nan"),
        "cer_percent": "low",
        "decode_s": [1],
    }.items():
        change = at("one/results/test.json", lambda path, key=key, value=value: edited(path, put(key, value)))
        yield Case(f"run-result-value-{key}", needs, change, COMPARE, "one|test")
    for key, value in {
        "flags": 3,
        "speaker": [1],
        "duration_s": "x",
        "id": ["x"],
        "reference": 3,
        "errors": "x",
    }.items():
        if key != "errors":
            yield Case(f"run-line-value-{key}", needs, _line(key, value), COMPARE, r"test\.json")


def _line(key: str, value: Any) -> Damage:
    def change(work: Path) -> None:
        path = work / "one" / "results" / "test.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        lines[0][key] = value
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    return change


def _sweeps() -> Iterator[Case]:
    def sweep(content: Any) -> Damage:
        def write(work: Path) -> None:
            (work / "swept").mkdir()
            (work / "swept" / "sweep.json").write_text(content if isinstance(content, str) else json.dumps(content))

        return write

    resume = ("train", "--resume", "swept")
    sound = {"schema": 1, "recipe": RECIPE, "overrides": ["attend=dot,additive"], "runs": ["../absent-s1"]}
    contents: dict[str, Any] = {
        "deep": ground.DEEP_JSON,
        "digits": ground.DIGITS_JSON,
        "list": [1],
        "overrides-text": {**sound, "overrides": "attend=dot"},
        "overrides-numbers": {**sound, "overrides": [1]},
        "overrides-nested": {**sound, "overrides": ["x=" + "[" * 5000 + "]" * 5000]},
        "overrides-many": {**sound, "overrides": ["seed=range(0,1000000000)"]},
        "overrides-grid": {**sound, "overrides": [f"+x{n}=1,2,3,4,5,6,7,8" for n in range(12)]},
        "overrides-hydra": {**sound, "overrides": ["hydra.job.env_set.LASASR_ALLOW=os", "seed=1,2"]},
        "overrides-callback": {**sound, "overrides": ["+hydra.callbacks.x._target_=os.system", "seed=1,2"]},
        "recipe-number": {**sound, "recipe": 3},
        "recipe-outside": {**sound, "recipe": "/etc/passwd"},
        "recipe-device": {**sound, "recipe": "/dev/zero"},
    }
    job = {"overrides": ["seed=1"], "config": {"recipe": RECIPE, "seed": 1}}
    for name, jobs in {
        "numbers": [1],
        "more": [job, job],
        "placeless": [job],
        "config-list": [{**job, "config": [1]}],
        "overrides-number": [{**job, "overrides": [1]}],
    }.items():
        contents[f"jobs-{name}"] = {**sound, "jobs": jobs}
    placed = {**job, "config": {**job["config"], "runs_dir": "."}}
    partial = sweep({**sound, "jobs": [placed], "runs": [f"../{RECIPE}/absent-s1"]})
    yield Case("sweep-jobs-partial", ("one",), partial, resume, "lacks|lie in|damaged")
    for name, content in contents.items():
        yield Case(f"sweep-{name}", ("one",), sweep(content), resume, "")
    for name, runs_of in {"numbers": [1], "text": "one", "nested": [["one"]], "nul": ["\0"], "none": []}.items():
        yield Case(
            f"sweep-runs-{name}", ("one",), sweep({**sound, "runs": runs_of}), ("compare", "swept"), "swept|sweep"
        )
    for name, damage in {**ground.NOT_FILES, **ground.NOT_JSON}.items():
        if name != "circle":  # a link that leads nowhere is no sweep
            note = both(lambda work: (work / "swept").mkdir(), at("swept/sweep.json", damage))
            yield Case(f"sweep-file-{name}", ("one",), note, ("compare", "swept"), "swept")


def _cards() -> Iterator[Case]:
    shown = ("compare", "comparison.json")
    needs = ("comparison.json",)
    for name, damage in {**ground.NOT_FILES, **ground.NOT_JSON}.items():
        yield Case(f"card-{name}", needs, at("comparison.json", damage), shown, "comparison")
    for key, value in {
        "systems": 3,
        "systems-empty": [],
        "systems-text": ["x"],
        "systems-hollow": [{}],
        "pairs": 3,
        "pairs-hollow": [{}],
        "about": [1],
        "baseline": ["x"],
        "verdict": {"x": 1},
        "budgets": 3,
        "split": ["x"],
        "metric": ["x"],
        "utterances": "many",
        "notes": 3,
        "rules": 3,
        "missing": 3,
        "schema": 9,
        "kind": "x",
    }.items():
        name = key.partition("-")[0]
        change = at("comparison.json", lambda path, name=name, value=value: edited(path, put(name, value)))
        yield Case(f"card-value-{key}", needs, change, shown, "comparison")
