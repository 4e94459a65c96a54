"""Whether a disturbed run is the undisturbed one: to the last bit, each utterance once, nothing left behind."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load_file

from lasasr.training.checkpoint_file import damage

OF_A_PROCESS = ("diary-", "output.txt", "processes.json", "events.out.tfevents")  # beginnings of names
ARRAYS = (".index-", ".tokens-", ".digests")  # of manifests
VARYING = {
    "decode_s",
    "rtf",
    "hardware",
    "run_id",
    "started_at",
    "finished_at",
    "command",
    "train_s",
    "made_from",
    "made_at",
}
NOT_COMPARED = ("decode_s", "rtf", "corpus")  # of a result: times, and where the tables lie
OF_LAST = ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch", "SpeechDataModule")
OF_CARD = ("status", "steps", "validations", "parameters", "aligned_at_step", "infeasible_utterances", "seed", "data")


def run_folder(work: Path) -> Path:
    """The only run of a case."""
    (found,) = (path for path in (work / "runs").rglob("*") if (path / "card.json").exists())
    return found


def diary(work: Path, rank: int) -> list[dict[str, Any]]:
    """What a rank noted, in the order in which it did."""
    path = work / f"diary-{rank}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def utterances(work: Path, ranks: int) -> tuple[int, int]:
    """How many utterances of all epochs were not trained on, and how many more than once.

    What a killed process did after its last checkpoint counts for nothing: the next one begins before it.
    """
    seen: Counter[tuple[int, str]] = Counter()
    for rank in range(ranks):
        kept: list[dict[str, Any]] = []
        for line in diary(work, rank):
            if "begins" in line:
                kept = [each for each in kept if each["step"] < line["begins"]]
            elif "ids" in line:
                kept.append(line)
        seen.update((line["epoch"], name) for line in kept for name in line["ids"])
    expected = {(epoch, f"train{number}") for epoch in range(3) for number in range(12)}
    return len(expected - seen.keys()), sum(count - 1 for count in seen.values()) + len(seen.keys() - expected)


def recovery_s(work: Path) -> float:
    """The longest time from the start of a process behind a fault to the first batch that it trained."""
    waits, started, met = [0.0], None, False
    for line in diary(work, 0):
        if "started" in line:
            started = line["at_s"]
        elif "fault" in line:
            met = True
        elif "ids" in line and started is not None:
            waits += [line["at_s"] - started] if met else []
            started = None
    return max(waits)


def differences(expected: Path, found: Path) -> list[str]:
    """What differs between two finished run folders, beside times."""
    return [*_other_names(expected, found), *_other_checkpoints(expected, found), *_other_outcome(expected, found)]


def other_files(expected: Path, found: Path) -> list[str]:
    """What differs between all that two commands have written, beside times."""
    names = [{path.relative_to(work) for path in work.rglob("*") if _is_result(path)} for work in (expected, found)]
    wrong = [f"missing: {name}" for name in sorted(names[0] - names[1])]
    wrong += [f"too many: {name}" for name in sorted(names[1] - names[0])]
    return wrong + [
        f"{name} differs" for name in sorted(names[0] & names[1]) if not _alike(expected / name, found / name)
    ]


def _is_result(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(OF_A_PROCESS)


def _alike(one: Path, two: Path) -> bool:
    if one.suffix == ".json":
        return bool(_without_times(json.loads(one.read_text())) == _without_times(json.loads(two.read_text())))
    if one.name.endswith(".safetensors") and any(part in one.name for part in ARRAYS):  # made from files of some time
        arrays, others = load_file(one), load_file(two)
        return arrays.keys() == others.keys() and all((arrays[name] == others[name]).all() for name in arrays)
    if "digests" in one.name:  # which stand with times of change
        return bool(gzip.decompress(two.read_bytes()))
    return one.suffix == ".html" or one.read_bytes() == two.read_bytes()  # a page tells times


def _without_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_times(value) for key, value in content.items() if key not in VARYING}
    return list(map(_without_times, content)) if isinstance(content, list) else content


def leftovers(work: Path, finished_before: bool = False) -> list[str]:
    """Temporary files, temporary folders and locks.

    Args:
        finished_before: whether the last command had nothing to do: it locks nothing, and leaves the note of a killed
            writer, which means nothing (docs/clusters.md).
    """
    endings = (".tmp",) if finished_before else (".tmp", ".writer")
    names = (path for path in work.rglob(".*") if path.name.endswith(endings))
    return [f"left: {path.relative_to(work)}" for path in names]


def _names(run: Path) -> set[str]:
    paths = (path.relative_to(run) for path in run.rglob("*") if path.is_file())
    return {str(path) for path in paths if path.parts[0] not in ("tensorboard", "refused", ".writer")}


def _other_names(expected: Path, found: Path) -> list[str]:
    lacking, more = _names(expected) - _names(found), _names(found) - _names(expected)
    return [*(f"missing: {name}" for name in sorted(lacking)), *(f"too many: {name}" for name in sorted(more))]


def _other_checkpoints(expected: Path, found: Path) -> list[str]:
    wrong = []
    for path in sorted((expected / "checkpoints").glob("*.ckpt")):
        other = found / "checkpoints" / path.name
        if not other.exists() or damage(other):
            wrong.append(f"{path.name}: missing or damaged")
        elif path.name != "before.ckpt":  # which differs where a run went on after its last update
            one, two = (torch.load(each, weights_only=True) for each in (path, other))
            wrong += [
                f"{path.name}: {name} differs{_short(one[name], two[name])}"
                for name in OF_LAST
                if not same(one[name], two[name])
            ]
    return wrong


def _short(one: Any, two: Any) -> str:
    told = f" ({one} and {two})"
    return told if len(told) < 400 else ""


def _other_outcome(expected: Path, found: Path) -> list[str]:
    exact = ("bundle/model.safetensors", "bundle/config.yaml", "bundle/tokenizer.json", "results/test.jsonl")
    wrong = [f"{name} differs" for name in exact if _bytes(expected / name) != _bytes(found / name)]
    one, two = (_read(run / "results" / "test.json", NOT_COMPARED) for run in (expected, found))
    wrong += [
        f"results/test.json: {name} differs" for name in one.keys() | two.keys() if one.get(name) != two.get(name)
    ]
    cards = [_read(run / "card.json") for run in (expected, found)]
    for card in cards:
        card.get("data", {}).pop("corpus", None)
    return wrong + [f"card.json: {name} differs" for name in OF_CARD if cards[0].get(name) != cards[1].get(name)]


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _read(path: Path, without: tuple[str, ...] = ()) -> dict[str, Any]:
    content = json.loads(path.read_text()) if path.exists() else {}
    return {name: value for name, value in content.items() if name not in without}


def same(one: Any, two: Any) -> bool:
    """Whether two trees of plain values and tensors are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(two, torch.Tensor) and one.dtype == two.dtype and torch.equal(one, two)
    if isinstance(one, dict):
        return isinstance(two, dict) and one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(same(*pair) for pair in zip(one, two, strict=True))
    return bool(one == two)
