"""Bundles: config.yaml, tokenizer, weights, language models, and what names a class or function."""

from __future__ import annotations

import hashlib
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile_ground as ground
import torch
from hostile_case import PREPARE_MINE, RECIPE_HEAD, TRANSCRIBE, Case, Damage, at, both, config
from hostile_ground import edited, put

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
    "heads-list": ("heads", [1]),
    "heads-text": ("heads.ctc", "yes"),
    "heads-more": ("heads.mine", True),
    "heads-none": ("heads", {"decoder": False, "ctc": False}),
    "frontend-null": ("frontend", None),
    "listen-text": ("listen", "pyramid"),
    "search-list": ("search", [1]),
    "search-null": ("search", None),
    "listen-null": ("listen", None),
    "attend-null": ("attend", None),
    "spell-null": ("spell", None),
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
        words = "config|lm-0|" + key.partition(".")[0]
        yield Case(f"config-{name}", needs, config(put(key, value)), TRANSCRIBE, words)
    for name, loss in {"list": [1], "weight-nan": {"ctc_weight": float("nan")}, "text": {"ctc_weight": "half"}}.items():
        old = config(ground.drop("heads"), put("loss", loss))  # as 0.1.0 wrote bundles
        yield Case(f"config-loss-{name}", needs, old, TRANSCRIBE, "loss|config")
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
    model = b"\x0a\x03abc" * 50
    (work / "pieces" / "sentencepiece.model").write_bytes(model)
    edited(work / "pieces" / "tokenizer.json", put("sha256", hashlib.sha256(model).hexdigest()))


def _weights(needs: tuple[str, ...]) -> Iterator[Case]:
    path = "bundle/model.safetensors"
    files: dict[str, Damage] = {
        **ground.NOT_FILES,
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
        yield Case(
            f"weights-{name}", needs, at(path, damage), TRANSCRIBE, r"model\.safetensors|bundle is no run folder"
        )
    told: dict[str, Callable[[dict[str, Any]], Any]] = {
        "offsets-overlap": lambda told: _each(told, lambda one: put("data_offsets", [0, _bytes(one)])(one)),
        "offsets-outside": lambda told: _each(told, lambda one: put("data_offsets", [2**40, 2**40 + _bytes(one)])(one)),
        "offsets-negative": lambda told: _each(told, lambda one: put("data_offsets", [-8, -4])(one)),
        "offsets-backwards": lambda told: _each(told, lambda one: one["data_offsets"].reverse()),
        "shape-huge": lambda told: _each(told, lambda one: put("shape", [2**32, 2**32])(one)),
        "shape-overflow": lambda told: _each(told, lambda one: put("shape", [2**63, 2])(one)),
        "shape-negative": lambda told: _each(told, lambda one: put("shape", [-1])(one)),
        "dtype-unknown": lambda told: _each(told, lambda one: put("dtype", "F33")(one)),
        "dtype-lies": lambda told: _each(
            told, lambda one: put("dtype", "I32" if one["dtype"] == "F32" else "F32")(one)
        ),
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
        "one-missing": lambda all_of: all_of.popitem() and None,
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


def targets() -> Iterator[Case]:
    """Names of what the gate refuses wherever a configuration names it (`lasasr.models.factory`)."""
    needs = ("bundle", "u0.wav")
    for number, target in enumerate(
        (
            "os.system",
            "builtins.eval",
            "subprocess.run",
            "lasasr.artifacts.files.write_text",
            "lasasr.artifacts.files.replacing",
            "lasasr.cli.main.main",
            "lasasr.artifacts.bundle.os.system",
            "lasasr.artifacts.provenance.subprocess.run",
            "torch.optim.lr_scheduler.torch.load",
            "torch.hub.load",
            "lightning.pytorch.utilities.rank_zero.os.system",
            "lasasr.models.recognizer.Recognizer.load",
            "lasasr.corpora.download.unpack",
            "lasasr.artifacts.runs.Run",
            "LASASR.audio.frontend.Frontend",
            ".os.system",
            "",
        )
    ):
        yield Case(f"target-{number}-{target}", needs, config(put("listen._target_", target)), TRANSCRIBE, "listen")
    deep = config(put("listen.hidden_dim", {"_target_": "os.system", "command": "touch MARK"}))
    yield Case("target-nested", needs, deep, TRANSCRIBE, "listen")
    for target in (
        "os.system",
        "lasasr.artifacts.files.write_text",
        "lasasr.cli.main.main",
        "lasasr.models.recognizer.Recognizer",
    ):
        named = at("bundle/tokenizer.json", lambda path, target=target: edited(path, put("type", target)))
        yield Case(f"target-tokenizer-{target}", needs, named, TRANSCRIBE, r"tokenizer\.json")
    mine = at("mine.yaml", ground.written(RECIPE_HEAD + "corpus: {_target_: os.system, command: touch MARK}\n"))
    yield Case("target-recipe", (), mine, PREPARE_MINE, "corpus")
