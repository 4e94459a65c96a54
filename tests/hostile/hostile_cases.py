"""The hostile corpus: what each case damages, what the user then types, and what the line says."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hostile_ground as ground
import torch
from hostile_ground import CUTS, RECIPE, SHARDS, SMALL, TABLES, described, edited, put, shard

Damage = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """One of them."""

    name: str
    needs: tuple[str, ...]  # of the ground, copied into the working folder
    damage: Damage  # called with the working folder
    arguments: tuple[str, ...]
    words: str = ""  # a regular expression that the line must match
    slow: bool = False


def at(name: str, damage: Damage) -> Damage:
    """Damage one file of the working folder."""
    return lambda work: damage(work / name)


def both(*damages: Damage) -> Damage:
    """One after the other."""

    def all_of(work: Path) -> None:
        for one in damages:
            one(work)

    return all_of


def config(*changes: Callable[[Any], Any]) -> Damage:
    """Change the config.yaml of the bundle."""
    return lambda work: [edited(work / "bundle" / "config.yaml", one) for one in changes] and None


# bundles

TRANSCRIBE = ("transcribe", "bundle", "u0.wav")
PIECES = ("transcribe", "pieces", "u0.wav")
VALUES: dict[str, tuple[str, Any]] = {
    "hidden-1e9": ("listen.hidden_dim", 10**9),
    "hidden-1e5": ("listen.hidden_dim", 10**5),
    "hidden-20000": ("listen.hidden_dim", 20_000),
    "hidden-1e30": ("listen.hidden_dim", 10**30),
    "hidden-negative": ("listen.hidden_dim", -4),
    "hidden-0": ("listen.hidden_dim", 0),
    "hidden-text": ("listen.hidden_dim", "many"),
    "hidden-nan": ("listen.hidden_dim", float("nan")),
    "hidden-list": ("listen.hidden_dim", [6]),
    "layers-1e5": ("listen.layers", 100_000),
    "layers-1e9": ("listen.layers", 10**9),
    "layers-inf": ("listen.layers", float("inf")),
    "subsampling-2^60": ("listen.subsampling_factor", 2**60),
    "subsampling-2^4000": ("listen.subsampling_factor", 2**4000),
    "stack-1e9": ("listen.stack", 10**9),
    "unknown-option": ("listen.nonsense", 1),
    "attend-1e9": ("attend.dim", 10**9),
    "spell-1e9": ("spell.hidden_dim", 10**9),
    "spell-layers-1e6": ("spell.layers", 10**6),
    "bins-1e9": ("frontend.bins", 10**9),
    "bins-5000": ("frontend.bins", 5000),
    "window-1e12": ("frontend.frame_length_ms", 1e12),
    "window-1e300": ("frontend.frame_length_ms", 1e300),
    "window-inf": ("frontend.frame_length_ms", float("inf")),
    "rate-1e15": ("frontend.sample_rate_hz", 10**15),
    "rate-0": ("frontend.sample_rate_hz", 0),
    "rate-text": ("frontend.sample_rate_hz", "16k"),
    "ctc-weight-nan": ("loss.ctc_weight", float("nan")),
    "ctc-weight-text": ("loss.ctc_weight", "half"),
    "loss-list": ("loss", [1]),
    "frontend-null": ("frontend", None),
    "listen-text": ("listen", "pyramid"),
    "search-list": ("search", [1]),
    "seed-text": ("seed", "one"),
    "seed-list": ("seed", [1]),
    "schema-2": ("schema", 2),
    "normalizer-list": ("normalizer", ["x"]),
    "trained-on-text": ("trained_on", "much"),
    "trained-on-inf": ("trained_on", {"usual_s": float("inf"), "longest_s": float("inf")}),
    "limits-negative": ("search.limits", {"_target_": "lasasr.search.limits.Limits", "max_length": -1}),
    "limits-text": ("search.limits", "none"),
    "lm-outside": ("search.lm", "../../secret"),
    "lm-absolute": ("search.lm", "/etc/passwd"),
    "lm-home": ("search.lm", "~/secret"),
    "lm-missing": ("search.lm", "lm-0"),
}


def bundles() -> Iterator[Case]:
    """The config.yaml, weights and tokenizer of a bundle."""
    needs = ("bundle", "u0.wav")
    for name, damage in {**ground.NOT_FILES, **ground.NOT_YAML}.items():
        yield Case(f"config-{name}", needs, at("bundle/config.yaml", damage), TRANSCRIBE, r"config\.yaml")
    for name, (key, value) in VALUES.items():
        words = "config|" + key.partition(".")[0]
        yield Case(f"config-{name}", needs, config(put(key, value)), TRANSCRIBE, words)
    for part in ("listen", "seed", "search", "normalizer", "schema"):
        yield Case(f"config-no-{part}", needs, config(ground.drop(part)), TRANSCRIBE, part)
    for name, damage in {**ground.NOT_FILES, **ground.NOT_JSON}.items():
        yield Case(f"tokenizer-{name}", needs, at("bundle/tokenizer.json", damage), TRANSCRIBE, r"tokenizer\.json")
    for name, value in {
        "missing": None,
        "number": 3,
        "numbers": [1, 2],
        "pairs": ["ab"],
        "twice": ["a", "a"],
        "nested": [["a"]],
        "million": [chr(0x10000 + n) for n in range(500_000)],
    }.items():
        change = at("bundle/tokenizer.json", lambda path, value=value: edited(path, put("symbols", value)))
        yield Case(f"tokenizer-symbols-{name}", needs, change, TRANSCRIBE, r"tokenizer\.json|config\.yaml")
    for name, damage in {**ground.NOT_FILES, "garbage": ground.written(b"\x0a\xff\xff\xff\xff\x0f")}.items():
        model = at("pieces/sentencepiece.model", damage)
        yield Case(f"pieces-{name}", ("pieces", "u0.wav"), model, PIECES, r"sentencepiece\.model")
    yield Case("pieces-vouched", ("pieces", "u0.wav"), _vouched, PIECES, r"tokenizer\.json")
    yield from _weights(needs)


def _vouched(work: Path) -> None:
    """Garbage whose digest is right."""
    import hashlib

    model = b"\x0a\x03abc" * 50
    (work / "pieces" / "sentencepiece.model").write_bytes(model)
    edited(work / "pieces" / "tokenizer.json", put("sha256", hashlib.sha256(model).hexdigest()))


def _weights(needs: tuple[str, ...]) -> Iterator[Case]:
    path = "bundle/model.safetensors"
    files: dict[str, Damage] = {
        **{name: damage for name, damage in ground.NOT_FILES.items()},
        "empty": ground.written(""),
        "four-bytes": ground.written(b"\x01\x00\x00\x00"),
        "pickle": ground.evil_pickle,
        "zip": ground.evil_zip,
        "legacy": ground.evil_legacy,
        "length-2^63": ground.written(struct.pack("<Q", 2**63) + b"{}"),
        "length-2^40": ground.written(struct.pack("<Q", 2**40) + b"{}"),
        "length-beyond": ground.written(struct.pack("<Q", 1000) + b"{}"),
        "length-0": ground.written(struct.pack("<Q", 0) + b"{}"),
        "length-17-MiB": lambda path: ground.header(path, lambda _: b" " * (17 << 20)),
        "header-no-json": lambda path: ground.header(path, lambda _: b"{nonsense"),
        "header-list": lambda path: ground.header(path, lambda _: b"[1, 2]"),
        "header-deep": lambda path: ground.header(path, lambda _: b"[" * 10_000 + b"]" * 10_000),
        "truncated": lambda path: path.write_bytes(path.read_bytes()[:-4]) and None,
        "longer": lambda path: path.write_bytes(path.read_bytes() + b"1234") and None,
    }
    for name, damage in files.items():
        yield Case(f"weights-{name}", needs, at(path, damage), TRANSCRIBE, r"model\.safetensors")
    told: dict[str, Callable[[dict[str, Any]], Any]] = {
        "offsets-overlap": lambda told: _each(told, lambda one: put("data_offsets", [0, _bytes(one)])(one)),
        "offsets-outside": lambda told: _each(told, lambda one: put("data_offsets", [2**40, 2**40 + _bytes(one)])(one)),
        "offsets-negative": lambda told: _each(told, lambda one: put("data_offsets", [-8, -4])(one)),
        "offsets-backwards": lambda told: _each(told, lambda one: one["data_offsets"].reverse()),
        "shape-huge": lambda told: _each(told, lambda one: put("shape", [2**32, 2**32])(one)),
        "shape-overflow": lambda told: _each(told, lambda one: put("shape", [2**63, 2])(one)),
        "shape-negative": lambda told: _each(told, lambda one: put("shape", [-1])(one)),
        "dtype-unknown": lambda told: _each(told, lambda one: put("dtype", "F33")(one)),
        "dtype-lies": lambda told: _each(told, lambda one: put("dtype", "I32" if one["dtype"] == "F32" else "F32")(one)),
    }
    for name, change in told.items():
        lie = at(path, lambda path, change=change: ground.header(path, change))
        yield Case(f"weights-{name}", needs, lie, TRANSCRIBE, r"model\.safetensors")
    names = {
        "half": lambda all_of: _first(all_of, lambda one: one.half()),
        "bfloat16": lambda all_of: _first(all_of, lambda one: one.bfloat16()),
        "double": lambda all_of: _first(all_of, lambda one: one.double()),
        "integers": lambda all_of: _first(all_of, lambda one: one.to(torch.int32)),
        "nan": lambda all_of: _first(all_of, lambda one: one.fill_(float("nan"))),
        "infinite": lambda all_of: _first(all_of, lambda one: one.fill_(float("inf"))),
        "other-shape": lambda all_of: _first(all_of, lambda one: one.flatten()),
        "one-row": lambda all_of: _first(all_of, lambda one: one[:1].contiguous()),
        "one-missing": lambda all_of: all_of.pop(sorted(all_of)[0]) and None,
        "one-more": lambda all_of: all_of.update(more=torch.zeros(1)),
        "renamed": lambda all_of: all_of.update(more=all_of.pop(sorted(all_of)[0])),
        "none": lambda all_of: all_of.clear(),
    }
    for name, change in names.items():
        other = at(path, lambda path, change=change: ground.tensors(path, change))
        yield Case(f"weights-{name}", needs, other, TRANSCRIBE, r"model\.safetensors|config\.yaml")


def _each(told: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> None:
    for name, one in told.items():
        if name != "__metadata__":
            change(one)


def _bytes(one: dict[str, Any]) -> int:
    return int(one["data_offsets"][1] - one["data_offsets"][0])


def _first(all_of: dict[str, Any], change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Of the names that are weights of a matrix."""
    name = next(name for name in sorted(all_of) if all_of[name].ndim == 2)
    all_of[name] = change(all_of[name])


# language models in bundles


def language_models() -> Iterator[Case]:
    """What stands under lm-0 of a bundle whose search names it."""
    beam = {"_target_": "lasasr.search.beam.BeamSearch", "beam": 2, "lm": "lm-0", "lm_weight": 0.1}
    named = config(put("search", beam))
    needs = ("bundle", "u0.wav")
    files = {
        "fifo": at("bundle/lm-0", ground.fifo),
        "device": at("bundle/lm-0", ground.endless),
        "circle": at("bundle/lm-0", ground.circle),
        "garbage": at("bundle/lm-0", ground.written(b"\x00" * 1000)),
        "recognizer": lambda work: shutil.copytree(work / "bundle", work / "other") and _moved(work),
        "pickle": lambda work: (work / "bundle" / "lm-0").mkdir() or ground.evil_zip(_in_lm(work, "model.safetensors")),
        "fifos": lambda work: (work / "bundle" / "lm-0").mkdir() or ground.fifo(_in_lm(work, "model.safetensors")),
    }
    for name, damage in files.items():
        yield Case(f"lm-{name}", needs, both(named, damage), TRANSCRIBE, r"lm-0|n-gram|KenLM")


def _moved(work: Path) -> None:
    (work / "other").rename(work / "bundle" / "lm-0")


def _in_lm(work: Path, name: str) -> Path:
    return work / "bundle" / "lm-0" / name


# cut manifests

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
        "duration-nan": (cut(duration=float("nan")), "nan"),
        "duration-inf": (cut(duration=float("inf")), "inf"),
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
    truncated = both(manifest(cut()), at("train.jsonl.gz", lambda path: path.write_bytes(path.read_bytes()[:40]) and None))
    yield Case("cuts-truncated", needs, truncated, PREPARE_CUTS, "readable cut manifest")
    broken = both(manifest(cut()), at("train.jsonl.gz", lambda path: path.write_bytes(_flipped(path)) and None))
    yield Case("cuts-flipped", needs, broken, PREPARE_CUTS, r"train\.jsonl\.gz")
    for name in ("fifo", "folder", "device", "circle"):
        yield Case(f"cuts-{name}", needs, at("train.jsonl.gz", ground.NOT_FILES[name]), PREPARE_CUTS, "corpus.train")
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
    import numpy as np
    import soundfile

    name = f"x';touch MARK;'.{suffix}"
    soundfile.write(work / "two.wav", np.zeros((8000, 2)), 16_000)
    (work / "two.wav").rename(work / name)
    both_channels = {"type": "file", "channels": [0, 1], "source": name}
    manifest(cut(type="MultiCut", channel=[0, 1], recording=recording(sources=[both_channels], channel_ids=[0, 1])))(work)


# shards

PREPARE_SHARDS = ("prepare", RECIPE, *SHARDS)


def shards() -> Iterator[Case]:
    """Folders of Lhotse Shar."""
    needs = ("shards",)
    recordings: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
        "command": (put("sources", source("command", "touch MARK")["sources"]), "in a command, not in its shard"),
        "file": (put("sources", source("file", "/etc/passwd")["sources"]), "in a file, not in its shard"),
        "url": (put("sources", source("url", "file:///etc/passwd")["sources"]), "in a url"),
        "memory": (put("sources", source("memory", "abc")["sources"]), "in a memory"),
        "sources-text": (put("sources", "x"), "source"),
        "sources-number": (put("sources", 3), "recording|source"),
        "source-text": (put("sources", ["x"]), "source"),
        "transforms": (put("transforms", [IMPULSE]), "transforms"),
        "rate-0": (put("sampling_rate", 0), "0 Hz"),
        "no-samples": (ground.drop("num_samples"), "line 1"),
    }
    for name, (change, words) in recordings.items():
        yield Case(f"shar-{name}", needs, lambda work, c=change: shard(work, described(c)), PREPARE_SHARDS, words)
    train = ("train", RECIPE, *SHARDS, *SMALL)
    command = recordings["command"][0]
    yield Case("shar-command-train", needs, lambda w: shard(w, described(command)), train, "in a command")
    members: dict[str, tuple[Callable[[list[Any]], None], str]] = {
        "json-symlink": (lambda all_of: _link(all_of[1][0], tarfile.SYMTYPE), "link|description"),
        "json-hardlink": (lambda all_of: _link(all_of[1][0], tarfile.LNKTYPE), "link"),
        "json-fifo": (lambda all_of: _link(all_of[1][0], tarfile.FIFOTYPE), "link"),
        "audio-symlink": (lambda all_of: _link(all_of[0][0], tarfile.SYMTYPE), "link"),
        "audio-device": (lambda all_of: _link(all_of[0][0], tarfile.CHRTYPE), "link"),
        "json-large": (lambda all_of: all_of.insert(1, (all_of.pop(1)[0], b" " * (2 << 20))), "describes no recording"),
        "json-deep": (lambda all_of: all_of.insert(1, (all_of.pop(1)[0], b"[" * 100_000)), "cannot be read"),
        "json-no-json": (lambda all_of: all_of.insert(1, (all_of.pop(1)[0], b"{")), "cannot be read"),
        "json-list": (lambda all_of: all_of.insert(1, (all_of.pop(1)[0], b"[]")), "describes no recording"),
        "other-name": (lambda all_of: setattr(all_of[0][0], "name", "../../x.wav"), "description|not of one making"),
        "one-less": (lambda all_of: all_of.clear(), "more utterances"),
    }
    for name, (change, words) in members.items():
        yield Case(f"shar-tar-{name}", needs, lambda work, c=change: shard(work, c), PREPARE_SHARDS, words)
    files: dict[str, tuple[Damage, str]] = {
        "tar-fifo": (at("shards/train/recording.000000.tar", ground.fifo), "recording"),
        "tar-folder": (at("shards/train/recording.000000.tar", ground.folder), "recording"),
        "tar-device": (at("shards/train/recording.000000.tar", ground.endless), "recording"),
        "tar-garbage": (at("shards/train/recording.000000.tar", ground.written(b"x" * 5000)), "recording"),
        "tar-pax-8-GiB": (at("shards/train/recording.000000.tar", _pax), "header or description of"),
        "cuts-fifo": (at("shards/train/cuts.000000.jsonl.gz", ground.fifo), "cuts"),
        "cuts-folder": (at("shards/train/cuts.000000.jsonl.gz", ground.folder), "cuts"),
        "cuts-device": (at("shards/train/cuts.000000.jsonl.gz", ground.endless), "cuts"),
    }
    for name, (damage, words) in files.items():
        unlisted = at("shards/shards.json", lambda path: path.unlink())
        yield Case(f"shar-{name}", needs, both(unlisted, damage), PREPARE_SHARDS, words)
    for name, damage in {**ground.NOT_FILES, **ground.NOT_JSON}.items():
        yield Case(f"shar-list-{name}", needs, at("shards/shards.json", damage), PREPARE_SHARDS, r"shards\.json")
    for name, key, value in (
        ("outside", "splits.train.files", {"../../secret": [1, "x"]}),
        ("split-outside", "splits", {"../x": {"files": {}, "utterances": 1}}),
        ("size", "splits.train.files", {"cuts.000000.jsonl.gz": ["many", "x"]}),
        ("splits", "splits", [1]),
    ):
        change = at("shards/shards.json", lambda path, key=key, value=value: edited(path, put(key, value)))
        yield Case(f"shar-list-{name}", needs, change, PREPARE_SHARDS, r"shards\.json")
    yield Case("shar-mirror", needs, _mirror, PREPARE_SHARDS, r"mirror\.json")
    yield Case("shar-mirror-fifo", needs, _mirrored_fifo, PREPARE_SHARDS, "shards")


def _link(info: tarfile.TarInfo, kind: bytes) -> None:
    info.type, info.linkname = kind, "/etc/passwd"


def _pax(path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 8 << 30
    path.write_bytes(info.tobuf() + b"\0" * 1024)


def _mirror(work: Path) -> None:
    """Shards that say of themselves that they are of an address, and how much of them may be here."""
    content = {"address": f"file://{work}/elsewhere", "room_gb": 1e-9, "files": {}}
    (work / "shards" / "mirror.json").write_text(json.dumps(content))


def _mirrored_fifo(work: Path) -> None:
    (work / "shards" / "shards.json").unlink()
    ground.fifo(work / "shards" / "mirror.json")
    ground.fifo(work / "shards" / "train" / "recording.000000.tar")


# checkpoints

AVERAGE = ("average", "run", "--last", "1")


def checkpoints() -> Iterator[Case]:
    """Of a run whose mean is asked for, or that is gone on with."""
    needs = ("run", "train.tsv", *(f"u{number}.wav" for number in range(4)))
    files: dict[str, Damage] = {
        **{name: damage for name, damage in ground.NOT_FILES.items() if name != "circle"},
        "evil-zip": ground.evil_zip,
        "evil-pickle": ground.evil_pickle,
        "evil-legacy": ground.evil_legacy,
        "evil-renamed": lambda path: ground.evil_zip(path, more="x"),
        "empty": ground.written(""),
        "text": ground.written("state_dict"),
        "packed": _packed,
        "overlapping": _overlapping,
        "no-state": lambda path: torch.save({"hello": 1}, path),
        "list": lambda path: torch.save([1, 2], path),
        "state-list": lambda path: torch.save({"state_dict": [1]}, path),
        "state-numbers": lambda path: torch.save({"state_dict": {"a": 1}}, path),
        "hollow": lambda path: torch.save({"state_dict": {"recognizer.x": torch.zeros(1).expand(10**6, 10**6)}}, path),
        "sparse": lambda path: torch.save({"state_dict": {"recognizer.x": torch.eye(3).to_sparse()}}, path),
    }
    for name, damage in files.items():
        step = both(_one_checkpoint, at("run/checkpoints/step=1-wer=50.00.ckpt", damage))
        yield Case(f"average-{name}", needs, step, AVERAGE, r"step=1-wer=50\.00\.ckpt")
    others = {
        "other-state": {"state_dict": {"recognizer.x": torch.zeros(3)}},
        "no-weights": {"state_dict": {}},
        "nan": {"state_dict": {"recognizer.x": torch.full((3,), float("nan"))}},
    }
    for name, content in others.items():
        change = at("run/checkpoints/step=1-wer=50.00.ckpt", lambda path, content=content: torch.save(content, path))
        yield Case(f"average-{name}", needs, both(_one_checkpoint, change), AVERAGE, r"step=1-wer=50\.00\.ckpt")
    half = at("run/checkpoints/step=1-wer=50.00.ckpt", _half)
    yield Case("average-half", needs, both(_one_checkpoint, half), AVERAGE, r"dtype torch.float16")
    for name, damage in {**files, **{name: _saved(content) for name, content in others.items()}}.items():
        often = name in ("evil-zip", "evil-pickle", "fifo", "packed", "other-state")
        last = both(_unfinished, at("run/checkpoints/last.ckpt", damage))
        yield Case(f"resume-{name}", needs, last, ("train", "--resume", "run"), r"last\.ckpt", slow=not often)
    for key, value in {
        "optimizer_states": "x",
        "optimizer_states-other": [{"state": {}, "param_groups": []}],
        "lr_schedulers": [{"x": 1}],
        "loops": {"fit_loop": 3},
        "callbacks": {"x": 1},
        "global_step": "many",
        "pytorch-lightning_version": ["x"],
    }.items():
        change = at("run/checkpoints/last.ckpt", _changed(key.removesuffix("-other"), value))
        resume = ("train", "--resume", "run")
        yield Case(f"resume-{key}", needs, both(_unfinished, change), resume, r"last\.ckpt", slow=key != "loops")


def _saved(content: Any) -> Damage:
    return lambda path: torch.save(content, path)


def _changed(key: str, value: Any) -> Damage:
    def change(path: Path) -> None:
        content = torch.load(path, weights_only=True)
        torch.save({**content, key: value}, path)

    return change


def _half(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    halves = {name: one.half() if one.is_floating_point() else one for name, one in content["state_dict"].items()}
    torch.save({"state_dict": halves}, path)


def _one_checkpoint(work: Path) -> None:
    for path in (work / "run" / "checkpoints").glob("*.ckpt"):
        if path.name != "last.ckpt":
            path.unlink()
    (work / "run" / "checkpoints" / "last.ckpt").rename(work / "run" / "checkpoints" / "step=1-wer=50.00.ckpt")


def _unfinished(work: Path) -> None:
    edited(work / "run" / "card.json", put("status", "unfinished"))
    for path in (work / "run" / "checkpoints").glob("*.ckpt"):
        if path.name != "last.ckpt":
            path.unlink()


def _packed(path: Path) -> None:
    """A zip file of 10 KB that unpacks to 10 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10_000_000)


def _overlapping(path: Path) -> None:
    """A directory of a hundred members that are all the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\0" * 100_000)
        info = archive.infolist()[0]
        for number in range(100):
            again = zipfile.ZipInfo(f"archive/{number}")
            again.CRC, again.file_size, again.compress_size = info.CRC, info.file_size, info.compress_size
            again.header_offset = info.header_offset
            archive.filelist.append(again)
            archive.NameToInfo[again.filename] = again
        archive._didModify = True  # type: ignore[attr-defined]


# recipes

HEAD = "# @package _global_\ndefaults: [/base, _self_]\n"
SHOWN = ("prepare", "mine.yaml")


def recipes() -> Iterator[Case]:
    """A yaml file that is given as RECIPE, and what lies beside it."""
    for name, damage in {**ground.NOT_FILES, **ground.NOT_YAML}.items():
        if name not in ("date", "binary"):  # which are then refused where they stand
            yield Case(f"recipe-{name}", (), at("mine.yaml", damage), SHOWN, "mine")
    doubled = "".join(f"b{n}: '${{b{n - 1}}}${{b{n - 1}}}'\n" for n in range(1, 40))
    nodes = "".join(f"c{n}: ['${{c{n - 1}}}', '${{c{n - 1}}}']\n" for n in range(1, 40))
    relative = "d:\n  e0: lol\n" + "".join(f"  e{n}: '${{.e{n - 1}}}${{.e{n - 1}}}'\n" for n in range(1, 40))
    computed = "one: 1\n" + "".join(f"f{n}: '${{f${{one}}}}${{f${{one}}}}'\n" for n in range(1, 40))
    texts = {
        "doubled": f"b0: lol\n{doubled}",
        "doubled-nodes": f"c0: [1, 2]\n{nodes}",
        "doubled-relative": relative,
        "computed": computed,
        "circle-of-names": "b: ${c}\nc: ${b}\n",
        "circle-of-itself": "b: {c: '${b}'}\n",
        "callbacks": "hydra: {callbacks: {x: {_target_: os.system, command: touch MARK}}}\n",
        "env-set": "hydra: {job: {env_set: {LASASR_ALLOW: os}}}\n",
        "logging": "hydra: {job_logging: {handlers: {x: {'()': os.system, command: touch MARK}}}}\n",
        "hydra-logging": "hydra: {hydra_logging: {filters: {x: {'()': os.system}}}}\n",
        "sweeper": "hydra: {sweeper: {sampler: {_target_: os.system, command: touch MARK}}}\n",
        "searchpath": "hydra: {searchpath: [file:///dev/zero]}\nnonsense: 1\n",
        "environment": "note: ${oc.env:NONSENSE_THAT_IS_NOT_SET}\n",
        "resolver": "note: ${nonsense:1}\n",
    }
    for name, text in texts.items():
        yield Case(f"recipe-{name}", (), at("mine.yaml", ground.written(HEAD + text)), SHOWN, "mine|note")
    for name in ("callbacks", "env-set", "logging", "sweeper"):
        swept = ("train", "mine.yaml", "-m", "seed=1,2")
        yield Case(f"sweep-{name}", (), at("mine.yaml", ground.written(HEAD + texts[name])), swept, "hydra")
    beside = HEAD.replace("_self_", "{override /attend: mine}, _self_")
    for name in ("laughs", "deep", "call", "twice", "fifo"):
        damage = {**ground.NOT_FILES, **ground.NOT_YAML}[name]
        group = both(_attend, at("attend/mine.yaml", damage), at("mine.yaml", ground.written(beside)))
        yield Case(f"recipe-group-{name}", (), group, SHOWN, "mine")


def _attend(work: Path) -> None:
    (work / "attend").mkdir()


# run folders, sweeps, result files and cards

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
        yield Case(f"run-lines-{name}", needs, at("one/results/test.jsonl", ground.written(text)), COMPARE, r"test\.json")
    resume = ("train", "--resume", "one")
    for name in ("laughs", "deep", "call", "fifo"):
        damage = {**ground.NOT_FILES, **ground.NOT_YAML}[name]
        yield Case(f"resume-config-{name}", needs, at("one/config.yaml", damage), resume, "one")
        yield Case(f"evaluate-config-{name}", needs, at("one/config.yaml", damage), ("evaluate", "one"), "one")
    for name in ("fifo", "folder", "device", "huge"):
        damage = ground.NOT_FILES[name]
        yield Case(f"resume-overrides-{name}", needs, at("one/overrides.txt", damage), resume, r"overrides\.txt")
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
    for key, value in {
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
    }.items():
        change = at("one/card.json", lambda path, key=key, value=value: edited(path, put(key, value)))
        yield Case(f"run-card-value-{key}", needs, change, COMPARE, "one")
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
    for key, value in {"flags": 3, "speaker": [1], "duration_s": "x", "id": ["x"], "reference": 3, "errors": "x"}.items():
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
    sound = {"schema": 1, "recipe": RECIPE, "overrides": ["attend=dot,additive"], "runs": ["../one"]}
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
    for name, content in contents.items():
        yield Case(f"sweep-{name}", ("one",), sweep(content), resume, "")
    for name, runs_of in {"numbers": [1], "text": "one", "nested": [["one"]], "nul": ["\0"], "none": []}.items():
        yield Case(f"sweep-runs-{name}", ("one",), sweep({**sound, "runs": runs_of}), ("compare", "swept"), "swept|sweep")
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


# what names a class or function


def targets() -> Iterator[Case]:
    """Names of what the gate refuses wherever a configuration names it (`lasasr.build`)."""
    needs = ("bundle", "u0.wav")
    for number, target in enumerate(
        (
            "os.system",
            "builtins.eval",
            "subprocess.run",
            "lasasr.files.write_text",
            "lasasr.files.replacing",
            "lasasr.cli.main.main",
            "lasasr.bundle.os.system",
            "lasasr.provenance.subprocess.run",
            "torch.optim.lr_scheduler.torch.load",
            "torch.hub.load",
            "lightning.pytorch.utilities.rank_zero.os.system",
            "lasasr.recognizer.Recognizer.load",
            "lasasr.corpora.download.unpack",
            "lasasr.runs.Run",
            "LASASR.audio.frontend.Frontend",
            ".os.system",
            "",
        )
    ):
        yield Case(f"target-{number}-{target}", needs, config(put("listen._target_", target)), TRANSCRIBE, "listen")
    deep = config(put("listen.hidden_dim", {"_target_": "os.system", "command": "touch MARK"}))
    yield Case("target-nested", needs, deep, TRANSCRIBE, "listen")
    for target in ("os.system", "lasasr.files.write_text", "lasasr.cli.main.main", "lasasr.recognizer.Recognizer"):
        named = at("bundle/tokenizer.json", lambda path, target=target: edited(path, put("type", target)))
        yield Case(f"target-tokenizer-{target}", needs, named, TRANSCRIBE, r"tokenizer\.json")
    mine = at("mine.yaml", ground.written(HEAD + "corpus: {_target_: os.system, command: touch MARK}\n"))
    yield Case("target-recipe", (), mine, SHOWN, "corpus")


FILES: Sequence[Case] = [
    *bundles(),
    *language_models(),
    *cuts(),
    *shards(),
    *checkpoints(),
    *recipes(),
    *runs(),
]
TARGETS: Sequence[Case] = list(targets())

TABLES_OF_RUN = TABLES
