"""The run folder: where it is, what stands in it, whether it is finished.

    runs/<recipe>/<overrides, shortened>-s<seed>-<hash>/
      config.yaml  overrides.txt  card.json  checkpoints/  bundle/  tensorboard/  results/

A run is finished when its card says so; the card is written last, and whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from lasasr import files, kinds, moved, yaml_files
from lasasr.errors import LasasrError, nearest

SCHEMA: Final = 1
PLACES: Final = ("data_dir", "prepared_dir", "runs_dir")  # where things lie does not change what a run is
BESIDE: Final = ("schema", "recipe", "choices")  # stands in config.yaml, but is no value of it
NAME_LENGTH: Final = 60  # characters of the overrides that a folder's name keeps
PARTS: Final = ("bundle", "checkpoints", "results", "tensorboard")
_SECTIONS: Final = (
    *("frontend", "listen", "attend", "spell", "loss", "search", "lm", "corpus", "tokenizer", "batching"),
    *("evaluate", "validation", "checkpoint", "trainer", "optimizer", "schedule", "augment", "loading"),
)
CONFIG_KINDS: Final[Mapping[str, Any]] = {
    "recipe": str,
    "choices": dict,
    "seed": int,
    **dict.fromkeys(PLACES, str),
    **dict.fromkeys(_SECTIONS, dict | None),
}
CARD_KINDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("status", "recipe", "started_at", "finished_at", "command", "precision"), str),
    **dict.fromkeys(("commit", "alignment_unknown", "alignment_alarm", "diverged"), str | None),
    **dict.fromkeys(("versions", "hardware", "data", "results", "averaged"), dict),
    "averaged.checkpoints": list[str],
    "seed": int,
    "parameters": int,
    "steps": int,
    "train_s": kinds.NUMBER,
    "peak_memory_mib": kinds.NUMBER | None,
    "aligned_at_step": int | None,
    "threads": int | None,
    "validations": list,
}
SWEEP_KINDS: Final[Mapping[str, Any]] = {"recipe": str, "overrides": list[str], "runs": list[str]}


def root() -> Path:
    """The default runs root: `LASASR_RUNS`, else `runs/`."""
    return Path(os.environ.get("LASASR_RUNS", "runs"))


@dataclass(frozen=True)
class Run:
    """One run folder; it need not exist yet."""

    folder: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the training checkpoints."""
        return self.folder / "checkpoints"

    @property
    def begun(self) -> bool:
        """Whether there is a checkpoint to go on from, which a new beginning would lose."""
        return any(self.checkpoints.glob("*.ckpt"))

    @property
    def bundle(self) -> Path:
        """Folder that `Recognizer.load` reads."""
        return self.folder / "bundle"

    @property
    def tensorboard(self) -> Path:
        """Folder of the TensorBoard events."""
        return self.folder / "tensorboard"

    @property
    def results(self) -> Path:
        """Folder of results/<split>.json and .jsonl (`lasasr.results` reads and writes them)."""
        return self.folder / "results"

    @property
    def status(self) -> Literal["absent", "unfinished", "finished"]:
        """Whether training has begun, and whether it has come to its end.

        Raises:
            LasasrError: the card is damaged.
        """
        if not (self.folder / "card.json").exists():
            return "unfinished" if self.checkpoints.is_dir() else "absent"
        return "finished" if self.card().get("status") == "finished" else "unfinished"

    def start(self, config: Mapping[str, Any], overrides: Sequence[str], **facts: Any) -> None:
        """Write config.yaml, overrides.txt and an unfinished card.

        Args:
            config: plain values, as `compose` gives them.
            facts: more of the card (`lasasr.provenance` knows commit, versions, hardware and command).
        """
        plain = yaml.safe_dump({"schema": SCHEMA, **config}, sort_keys=False, allow_unicode=True)
        files.write_text(self.folder / "config.yaml", plain)
        files.write_text(self.folder / "overrides.txt", "".join(f"{one}\n" for one in overrides))
        about = {"schema": SCHEMA, "status": "unfinished", "recipe": config["recipe"], "seed": config["seed"]}
        files.write_json(self.folder / "card.json", about | {"started_at": _now()} | facts)

    def note(self, **facts: Any) -> None:
        """Add facts to the card, or replace them."""
        files.write_json(self.folder / "card.json", self.card() | facts)

    def finish(self, **facts: Any) -> None:
        """Add the last facts and call the run finished."""
        self.note(**facts, status="finished", finished_at=_now())

    def card(self) -> dict[str, Any]:
        """card.json.

        Raises:
            LasasrError: it is missing, damaged, or of another schema.
        """
        path = self.folder / "card.json"
        return _checked(path, files.read_json(path), CARD_KINDS)

    def config(self) -> dict[str, Any]:
        """config.yaml.

        Raises:
            LasasrError: it is missing, damaged, or of another schema.
        """
        path = self.folder / "config.yaml"
        try:
            config = _checked(path, yaml_files.read(path), CONFIG_KINDS)
        except FileNotFoundError:
            raise LasasrError(f"{path} is missing: {self.folder} is no run folder") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise LasasrError(f"{path} is damaged: {' '.join(str(error).split())}") from None
        for group, choice in config.get("choices", {}).items():
            if not isinstance(choice, str | list | None):
                raise LasasrError(f"{path} is damaged: choices.{group} is {str(choice)[:60]}, not a choice")
        return dict(moved.current_config(config))

    def overrides(self) -> list[str]:
        """What the command line said, one per line of overrides.txt.

        Raises:
            LasasrError: it is missing.
        """
        path = self.folder / "overrides.txt"
        try:
            return files.read_bounded(path).decode("utf-8").splitlines()
        except FileNotFoundError:
            raise LasasrError(f"{path} is missing: {self.folder} is no run folder") from None
        except UnicodeDecodeError as error:
            raise LasasrError(f"{path} is damaged: {error}") from None


def _checked(path: Path, content: Any, kinds_of: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise LasasrError(f"{path} is damaged: it holds no keys")
    if content.get("schema") != SCHEMA:
        raise LasasrError(f"{path} has schema {content.get('schema')}, this version of lasasr reads {SCHEMA}")
    kinds.refuse_others(path, content, kinds_of)
    return content


def read_sweep(note: Path) -> dict[str, Any]:
    """sweep.json, whose paths may still lead anywhere.

    Raises:
        LasasrError: it is missing or damaged.
    """
    about = files.read_json(note)
    lacking = [name for name in SWEEP_KINDS if not isinstance(about, dict) or name not in about]
    if lacking:
        way_out = "name the run folders, or begin the sweep again with -m"
        raise LasasrError(f"{note} is damaged: it lacks {', '.join(lacking)}; {way_out}")
    kinds.refuse_others(note, about, SWEEP_KINDS)
    if any("\0" in one for one in about["runs"]):
        raise LasasrError(f"{note} is damaged: a path in it has a sign that no path has")
    return dict(about)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def place(config: Mapping[str, Any], overrides: Iterable[str]) -> Run:
    """The folder of the run that `config` describes; the same configuration always has the same folder.

    A folder whose hash agrees is found again even when the overrides were written another way.
    """
    parent = Path(config["runs_dir"]) / str(config["recipe"])
    ending = f"-s{config['seed']}-{fingerprint(config)}"
    for found in sorted(parent.glob(f"*{ending}")):
        return Run(found)
    return Run(parent / f"{shortened(overrides)}{ending}")


def fingerprint(config: Mapping[str, Any]) -> str:
    """8 hexadecimal digits over every value of the configuration, but not over where data and runs lie."""
    moved = {str(config[key]): f"<{key}>" for key in PLACES if key in config}
    values = {key: value for key, value in config.items() if key not in (*PLACES, *BESIDE)}
    text = json.dumps(_canonical(values, moved), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _canonical(value: Any, moved: Mapping[str, str]) -> Any:
    """The same for 1 and 1.0, and for a path below `data_dir` wherever that is."""
    if isinstance(value, Mapping):
        return {str(key): _canonical(one, moved) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(one, moved) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        for before, after in sorted(moved.items(), key=lambda pair: -len(pair[0])):
            if value == before or value.startswith(f"{before}/"):
                return after + value[len(before) :]
    return value


def shortened(overrides: Iterable[str]) -> str:
    """Overrides as part of a folder's name: sorted, only the last word of each key, nothing a shell would touch.

    `listen.layers=2 attend=dot seed=3` → `attend-dot_layers-2` (the seed stands at the end of the name).
    """
    words = []
    for override in sorted(one.lstrip("+~") for one in overrides):
        key, _, value = override.partition("=")
        if key != "seed" and not key.startswith("hydra"):
            words.append(f"{re.split(r'[./]', key)[-1]}-{value}" if value else key)
    name = re.sub(r"[^\w.,]+", "-", "_".join(words), flags=re.ASCII).strip("-.")
    return name[:NAME_LENGTH].rstrip("-._,") or "default"


def sweep_folder(parent: Path, overrides: Sequence[str]) -> Path:
    """Where a sweep lies among the runs of its recipe: the same sweep has the same folder."""
    digest = hashlib.sha256("\n".join(sorted(overrides)).encode()).hexdigest()[:8]
    return parent / f"sweep-{shortened(overrides)}-{digest}"


def start_sweep(parent: Path, recipe: str, overrides: Sequence[str], planned: Sequence[Path]) -> Path:
    """Make the folder of a sweep and note the runs it consists of.

    Args:
        parent: folder of the recipe's runs.
        recipe: as a command line names it: shipped name, or path.
        planned: the run folders, or none when a searching sweeper decides as it goes.
    """
    folder = sweep_folder(parent, overrides)
    where = [os.path.relpath(run, folder) for run in planned]
    about = {"schema": SCHEMA, "recipe": recipe, "overrides": list(overrides), "runs": where}
    files.write_json(folder / "sweep.json", about)
    return folder


def find_run(path: str | Path) -> Run:
    """The run at `path`: the folder itself, one inside it (bundle/, checkpoints/) or a file in those.

    Raises:
        LasasrError: there is no run; names the nearest.
    """
    given = Path(path)
    for candidate in (given, root() / given):
        for folder in (candidate, *candidate.parents[:2]):
            inside = candidate.relative_to(folder).parts
            if (not inside or inside[0] in PARTS) and _is_run(folder):
                return Run(folder)
    what = "is no run folder" if given.exists() else "does not exist"
    if held := sorted(path.parent for path in given.glob("*/card.json") if _is_run(path.parent)):
        raise LasasrError(f"{given} {what}, but holds {len(held)}: name those, as {held[0]}")
    raise LasasrError(f"{given} {what}; {nearest(str(given), map(str, known()))}")


def find_runs(path: str | Path) -> list[Run]:
    """The run at `path`, or those of the sweep at `path` that have begun, in its order.

    Raises:
        LasasrError: there is neither, or the sweep has no run yet.
    """
    note = Path(path) / "sweep.json"
    if not note.exists():
        return [find_run(path)]
    about = read_sweep(note)
    found = [Run(Path(os.path.normpath(note.parent / one))) for one in about["runs"]]
    if begun := [run for run in found if run.status != "absent"]:
        return begun
    raise LasasrError(f"no run of the sweep {path} has begun")


def bundle_folder(path: str | Path) -> Path:
    """The bundle at `path`: a bundle folder, exported anywhere, or the one of a run.

    Raises:
        LasasrError: there is none; says what is missing.
    """
    if (Path(path) / "model.safetensors").exists():
        return Path(path)
    run = find_run(path)
    if not (run.bundle / "model.safetensors").exists():
        raise LasasrError(f"{run.folder} has no bundle yet: its training has not finished")
    return run.bundle


def known() -> list[Path]:
    """All run folders below the runs root."""
    return sorted(path.parent for path in root().rglob("config.yaml") if _is_run(path.parent))


def _is_run(folder: Path) -> bool:
    return (folder / "card.json").exists() and (folder / "config.yaml").exists()
