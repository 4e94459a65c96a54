"""Cut manifests of corpus=table."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile_ground as ground
import numpy as np
import soundfile
from hostile_case import Case, Damage, at, both
from hostile_ground import CUTS, RECIPE, SMALL

PREPARE_CUTS = ("prepare", RECIPE, *CUTS)
TRAIN_CUTS = ("train", RECIPE, *CUTS, *SMALL)


def cut(**changes: Any) -> dict[str, Any]:
    """A cut of u0.wav as a plain value."""
    source = {"type": "file", "channels": [0], "source": "u0.wav"}
    recording = {"id": "u0", "sources": [source], "sampling_rate": 16_000, "num_samples": 8000, "duration": 0.5}
    said = {"id": "u0", "recording_id": "u0", "start": 0.0, "duration": 0.5, "channel": 0, "text": "a b"}
    made = {"id": "u0", "start": 0.0, "duration": 0.5, "channel": 0, "supervisions": [said], "recording": recording}
    return {**made, "type": "MonoCut", **changes}


def recording(**changes: Any) -> dict[str, Any]:
    """The recording of `cut` with other values."""
    return {**cut()["recording"], **changes}


def source(kind: str, place: Any = "u0.wav") -> dict[str, Any]:
    """A recording with a source of another type."""
    return recording(sources=[{"type": kind, "channels": [0], "source": place}])


def manifest(*lines: Any) -> Damage:
    """Write train.jsonl.gz of cuts, or of lines as they are."""

    def write(work: Path) -> None:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (work / "train.jsonl.gz").write_bytes(gzip.compress("\n".join(texts).encode(), 1))

    return write


def bomb(work: Path, line: bytes = b"") -> None:
    """A gzip file of 100 KB that unpacks to 100 MB."""
    (work / "train.jsonl.gz").write_bytes(gzip.compress((line or b" " * 1000 + b"\n") * 100_000, 9))


ARRAY = {"storage_key": "x", "storage_path": "y", "shape": [1, 1]}
IMPULSE = {"name": "ReverbWithImpulseResponse", "kwargs": {"rir": source("command", "touch MARK")}}


def cuts() -> Iterator[Case]:
    """Cut manifests of corpus=table."""
    needs = ("u0.wav",)
    wrong: dict[str, tuple[Any, str]] = {
        "command": (cut(recording=source("command", "touch MARK; cat u0.wav")), "in a command, not in a file"),
        "url": (cut(recording=source("url", "http://127.0.0.1:1/x.wav")), "in a url, not in a file"),
        "url-file": (cut(recording=source("url", "file:///etc/passwd")), "in a url"),
        "memory": (cut(recording=source("memory", "abc")), "in a memory"),
        "shar": (cut(recording=source("shar", "")), "in a shar"),
        "kind-list": (cut(recording=source("file", ["u0.wav"])), "no path of a file"),
        "kind-null": (cut(recording={**source("file"), "sources": [{"channels": [0], "source": "u0.wav"}]}), "None"),
        "pipe": (cut(recording=source("file", "touch MARK |")), "no path of a file"),
        "pipe-prefix": (cut(recording=source("file", "pipe:touch MARK")), "no path of a file"),
        "stdin": (cut(recording=source("file", "-")), "no path of a file"),
        "file-url": (cut(recording=source("file", "file:///etc/passwd")), "no path of a file"),
        "s3": (cut(recording=source("file", "s3://bucket/x.wav")), "no path of a file"),
        "nul": (cut(recording=source("file", "u0\0.wav")), "no path of a file"),
        "device": (cut(recording=source("file", "/dev/zero")), "is missing"),
        "second-source": (
            cut(recording=recording(sources=[*recording()["sources"], *source("command", "touch MARK")["sources"]])),
            "in a command",
        ),
        "custom-recording": (cut(custom={"target": source("command", "touch MARK")}), "in a command"),
        "custom-deep": (cut(custom={"x": {"y": [source("command", "touch MARK")]}}), "in a command"),
        "unknown-field": (cut(nonsense={"recording": source("command", "touch MARK")}), "in a command"),
        "supervision-custom": (
            cut(supervisions=[{**cut()["supervisions"][0], "custom": {"x": {**ARRAY, "storage_type": "memory_raw"}}}]),
            "memory_raw",
        ),
        "custom-array": (cut(custom={"x": {**ARRAY, "storage_type": "memory_raw"}}), "memory_raw"),
        "temporal-array": (cut(custom={"x": {"array": {**ARRAY, "storage_type": "lilcom_url"}}}), "lilcom_url"),
        "features-memory": (cut(features={**ARRAY, "storage_type": "memory_lilcom"}), "memory_lilcom"),
        "features-kaldi": (cut(features={**ARRAY, "storage_type": "kaldiio"}), "kaldiio"),
        "features-list": (cut(features=[1]), "not a MonoCut"),
        "image-memory": (cut(custom={"x": {"width": 1, "storage_type": "pillow_memory"}}), "pillow_memory"),
        "impulse": (cut(recording=recording(transforms=[IMPULSE])), "in a command"),
        "transform-unknown": (cut(recording=recording(transforms=[{"name": "os", "kwargs": {}}])), "not a MonoCut"),
        "transform-huge": (
            cut(recording=recording(transforms=[{"name": "Speed", "kwargs": {"factor": 1e-9}}])),
            "factor 1e-09",
        ),
        "transform-rate": (
            cut(
                recording=recording(
                    transforms=[
                        {"name": "Resample", "kwargs": {"source_sampling_rate": 1, "target_sampling_rate": 10**12}}
                    ]
                )
            ),
            "target_sampling_rate",
        ),
        "transforms-text": (cut(recording=recording(transforms="Speed")), "transforms"),
        "mixture": (
            {"id": "m", "type": "MixedCut", "tracks": [{"cut": cut(recording=source("command", "touch MARK"))}]},
            "MixedCut",
        ),
        "padding": ({"id": "p", "type": "PaddingCut", "duration": 1e12}, "PaddingCut"),
        "rate-0": (cut(recording=recording(sampling_rate=0)), "0 Hz"),
        "rate-text": (cut(recording=recording(sampling_rate="fast")), "fast Hz"),
        "samples-text": (cut(recording=recording(num_samples="many")), "many samples"),
        "duration-nan": (cut(duration=float("nan")), "NaN"),
        "duration-inf": (cut(duration=float("inf")), "line 1"),
        "start-text": (cut(start="0"), "line 1"),
        "id-list": (cut(id=["u0"]), "line 1"),
        "deep": ('{"id": ' + "[" * 100_000 + "]" * 100_000 + "}", "readable cut manifest"),
        "levels": (cut(custom={"x": json.loads("[" * 150 + "]" * 150)}), "levels"),
        "digits": ('{"id": ' + "1" * 5000 + "}", "readable cut manifest"),
        "text-list": (cut(supervisions=[{**cut()["supervisions"][0], "text": ["a"]}]), "line 1"),
        "supervision-text": (cut(supervisions=["a"]), "line 1"),
        "supervisions-number": (cut(supervisions=3), "line 1"),
    }
    for name, (line, words) in wrong.items():
        yield Case(f"cuts-{name}", needs, manifest(line), PREPARE_CUTS, words)
    command = manifest(wrong["command"][0])
    yield Case("cuts-command-train", needs, command, TRAIN_CUTS, "in a command, not in a file")
    yield Case("cuts-bomb", needs, bomb, PREPARE_CUTS, r"train\.jsonl\.gz")
    yield Case("cuts-long-line", needs, lambda work: bomb(work, b" " * 1000), PREPARE_CUTS, r"train\.jsonl\.gz")
    truncated = both(
        manifest(cut()), at("train.jsonl.gz", lambda path: path.write_bytes(path.read_bytes()[:40]) and None)
    )
    yield Case("cuts-truncated", needs, truncated, PREPARE_CUTS, "readable cut manifest")
    broken = both(manifest(cut()), at("train.jsonl.gz", lambda path: path.write_bytes(_flipped(path)) and None))
    yield Case("cuts-flipped", needs, broken, PREPARE_CUTS, r"train\.jsonl\.gz")
    for name in ("fifo", "folder", "device", "circle"):
        yield Case(
            f"manifest-{name}", needs, at("train.jsonl.gz", ground.NOT_FILES[name]), PREPARE_CUTS, "corpus.train"
        )
    audio = both(manifest(cut()), at("u0.wav", ground.fifo))
    yield Case("cuts-audio-fifo", needs, audio, PREPARE_CUTS, r"u0\.wav is missing")
    for suffix in ("sph", "opus"):
        acting = both(lambda work, suffix=suffix: _acting(work, suffix))
        yield Case(f"cuts-shell-{suffix}", needs, acting, PREPARE_CUTS, "signs that act in a shell")


def _flipped(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def _acting(work: Path, suffix: str) -> None:
    """A file whose name is a command, in two channels, which Lhotse reads."""
    name = f"x';touch MARK;'.{suffix}"
    soundfile.write(work / "two.wav", np.zeros((8000, 2)), 16_000)
    (work / "two.wav").rename(work / name)
    both_channels = {"type": "file", "channels": [0, 1], "source": name}
    manifest(cut(type="MultiCut", channel=[0, 1], recording=recording(sources=[both_channels], channel_ids=[0, 1])))(
        work
    )
