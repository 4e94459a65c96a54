"""The run folder: where it is, what stands in it, whether it is finished.

    runs/<recipe>/<overrides, shortened>-s<seed>-<hash>/
      config.yaml  overrides.txt  card.json  checkpoints/  bundle/  tensorboard/  results/

A run is finished when its card says so; the card is written last, and whole or not at all.
"""

from __future__ import annotations

import itertools
import os
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import yaml

from lasasr.artifacts import files, kinds, yaml_files
from lasasr.artifacts.run_names import folder_words
from lasasr.configuration import identity, moved, settings
from lasasr.configuration.settings import Plain, Recognition, Settings
from lasasr.configuration.signature_defaults import as_text
from lasasr.errors import LasasrError, nearest

SCHEMA: Final = 1
PARTS: Final = ("bundle", "checkpoints", "results", "tensorboard")
_SECTIONS: Final = (
    *("frontend", "listen", "attend", "spell", "loss", "search", "lm", "corpus", "tokenizer", "batching"),
    *("evaluate", "validation", "checkpoint", "trainer", "optimizer", "schedule", "augment", "loading"),
)
CONFIG_KINDS: Final[Mapping[str, Any]] = {
    "recipe": str,
    "choices": dict,
    "seed": int,
    **dict.fromkeys(identity.PLACES, str),
    **dict.fromkeys(_SECTIONS, dict | None),
}
RUN_ID: Final = "run_id"  # of the card and of the checkpoints: drawn when the run begins, whatever folder it lies in
CARD_KINDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys((RUN_ID, "status", "recipe", "started_at", "finished_at", "command", "precision"), str),
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
SWEEP_KINDS: Final[Mapping[str, Any]] = {"recipe": str, "overrides": list[str], "runs": list[str], "jobs": list}


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
        """Folder of results/<split>.json and .jsonl (`lasasr.artifacts.results` reads and writes them)."""
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

    def start(self, plain: Plain, overrides: Sequence[str], **facts: Any) -> None:
        """Write config.yaml, overrides.txt and an unfinished card.

        Args:
            plain: the configuration, as `compose` gives it.
            facts: more of the card (`lasasr.artifacts.provenance` knows commit, versions, hardware and command).
        """
        text = yaml.safe_dump({"schema": SCHEMA, **plain}, sort_keys=False, allow_unicode=True)
        files.write_text(self.folder / "config.yaml", text)
        files.write_text(self.folder / "overrides.txt", "".join(f"{one}\n" for one in overrides))
        card = {"schema": SCHEMA, RUN_ID: uuid.uuid4().hex[:16], "status": "unfinished"}
        card |= {"recipe": plain["recipe"], "seed": plain["seed"]}
        files.write_json(self.folder / "card.json", card | {"started_at": _now()} | facts)

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
        """config.yaml, as plain values of which some may be absent.

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

    def settings(self) -> Settings:
        """config.yaml, with all that training and decoding start from.

        Raises:
            LasasrError: it is missing, damaged, or lacks a part.
        """
        return self.loaded(self.config())

    def loaded(self, plain: Plain) -> Settings:
        """Settings that were made of config.yaml.

        Raises:
            LasasrError: config.yaml is damaged, or lacks a part.
        """
        return settings.load(plain, f"{self.folder / 'config.yaml'} is damaged", LasasrError)

    def recognition(self) -> Recognition:
        """The settings of a run that trains a recognizer.

        Raises:
            LasasrError: see `settings`; or it trains something else.
        """
        own = self.settings()
        if not isinstance(own, Recognition):
            raise LasasrError(f"{self.folder} trains {own.task.trains}, not {Recognition.task.trains}")
        return own

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
    lacking = [name for name in ("recipe", "overrides", "runs") if not isinstance(about, dict) or name not in about]
    if lacking:
        way_out = "name the run folders, or begin the sweep again with -m"
        raise LasasrError(f"{note} is damaged: it lacks {', '.join(lacking)}; {way_out}")
    if about.get("schema") != SCHEMA:
        raise LasasrError(f"{note} has schema {about.get('schema')}, this version of lasasr reads {SCHEMA}")
    kinds.refuse_others(note, about, SWEEP_KINDS)
    if any("\0" in one for one in about["runs"]):
        raise LasasrError(f"{note} is damaged: a path in it has a sign that no path has")
    return dict(about)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def content_at_training(card: Mapping[str, Any], split: str) -> str | None:
    """The content of a split when the run was made, as its card says it; None: a card of 0.1.0 does not."""
    noted = ((card.get("data") or {}).get("splits") or {}).get(split) or {}
    result = (card.get("results") or {}).get(split) or {}
    content = result.get("data", noted.get("content"))  # of a mean of checkpoints, nothing is decoded yet
    return None if content is None else str(content)


class Placed(NamedTuple):
    """Where a configuration is trained, and what has to be said about that."""

    run: Run
    remarks: tuple[str, ...] = ()


def place(plain: Plain, overrides: Iterable[str], fresh: bool = False) -> Run:
    """The folder of the run that `plain` describes; see `placed`."""
    return placed(plain, overrides, fresh).run


def placed(plain: Plain, overrides: Iterable[str], fresh: bool = False) -> Placed:
    """The folder of the run that `plain` describes: the newest whose configuration trains the same, or a new one.

    A run is looked for by what its config.yaml says, among the folders of the recipe that end in its seed and eight
    digits, whichever version named them. A name that another configuration has already, as when a default has changed
    since, gets a number.

    Args:
        overrides: what the command line said.
        fresh: a new folder in any case, beside the run that is there.

    Raises:
        LasasrError: the folder of that name is damaged.
        UsageError: `name` is no name.
    """
    parent = Path(plain["runs_dir"]) / str(plain["recipe"])
    words = folder_words(plain.get("name"), overrides)
    there = _runs_of_seed(parent, plain["seed"])
    ending = f"-s{plain['seed']}-{identity.system_digest(plain)}"
    earlier = _same(there, plain, ending, fresh)
    if earlier and not fresh:
        return Placed(earlier[-1], _idle_remarks(earlier[-1], plain) if _kept(earlier[-1]) else ())
    before = earlier[-1] if earlier else None  # what the new run stands beside
    for number in itertools.count(max((_number(run) for run in earlier), default=0) + 1):
        numbered = ending if number == 1 else f"{ending}-{number}"
        holder = next((run for run in there if run.folder.name.endswith(numbered)), None)
        if holder is None or holder.status == "absent":
            run = holder or Run(parent / f"{words}{numbered}")
            return Placed(run, () if before is None else (_beside(run, before, fresh, plain),))
        before = before or holder
    raise AssertionError("unreachable")


def newest_same(run: Run, plain: Plain) -> Run:
    """The newest run beside `run` that trains what `plain` says and is no older one of its name, or `run` itself."""
    there = _runs_of_seed(run.folder.parent, plain["seed"])
    younger = [one for one in _same(there, plain, run.folder.name, fresh=True) if _number(one) >= _number(run)]
    return younger[-1] if younger else run


def _runs_of_seed(parent: Path, seed: Any) -> list[Run]:
    """The run folders of a seed, by number and, where that is the same, by when they were begun."""
    ending = re.compile(rf"-s{re.escape(str(seed))}-[0-9a-f]{{8}}(-[0-9]+)?")
    found = [Run(path) for path in parent.glob("*") if _ending(path.name, ending) and path.is_dir()]
    return sorted(found, key=lambda run: (_number(run), _begun_at(run), run.folder.name))


def _ending(name: str, pattern: re.Pattern[str]) -> bool:
    return any(found.end() == len(name) for found in pattern.finditer(name))


def _number(run: Run) -> int:
    """Of runs that would have one name: 1, or what stands behind the hash."""
    behind = re.search(r"-[0-9a-f]{8}-([0-9]+)$", run.folder.name)
    return int(behind[1]) if behind else 1


def _begun_at(run: Run) -> str:
    try:
        return str(run.card().get("started_at", ""))
    except LasasrError:
        return ""


def _same(there: Sequence[Run], plain: Plain, ending: str, fresh: bool) -> list[Run]:
    """Those that train the same; one by another name whose configuration cannot be read is none of them."""
    form, found = identity.normal_form(plain), []
    for run in there:
        try:
            if not identity.differing(_form_of(run), form):
                found.append(run)
        except LasasrError as error:
            named_so = run.folder.name.endswith(ending) and run.status != "absent"
            if named_so and not fresh:
                raise LasasrError(f"{error}; repair it, or add --fresh to train beside it") from None
    return found


def _kept(run: Run) -> bool:
    """Whether the run goes on by its own configuration; where nothing was trained it gets the new one."""
    return run.begun or run.status == "finished"


def _form_of(run: Run) -> dict[str, Any]:
    return _form_at(run.folder, *_version(run.folder / "config.yaml"))


def _version(path: Path) -> tuple[int, int]:
    """What tells whether a file was written anew; the reader says what is wrong with one that is missing."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4096)
def _form_at(folder: Path, changed_ns: int, size: int) -> dict[str, Any]:
    return identity.normal_form(Run(folder).config())


def _idle_remarks(run: Run, plain: Plain) -> tuple[str, ...]:
    """What was asked for in vain, because it does not make another run."""
    own = run.config()
    keys = identity.differing(identity.idle_values(own), identity.idle_values(plain))
    told = [f"{_told(own, key)}, not {_told(plain, key).partition('=')[2]}" for key in keys]
    if not told:
        return ()
    return (f"{run.folder} keeps {_listed(told)}: that changes nothing of what is trained",)


def _beside(run: Run, before: Run, fresh: bool, plain: Plain) -> str:
    """Why a new folder stands beside another one of its name."""
    if fresh:
        return f"{before.folder} stays; it is trained again in {run.folder}"
    own = before.config()
    keys = identity.differing(identity.normal_form(own), identity.normal_form(plain))
    told = [f"{_told(own, key)}, here {_told(plain, key).partition('=')[2]}" for key in keys]
    return f"{before.folder} was begun with other defaults ({_listed(told)}): this is another run, {run.folder}"


def _told(plain: Plain, key: str) -> str:
    values = identity.all_values(plain)
    return f"{key}={as_text(values[key]) if key in values else 'its default'}"


def _listed(told: Sequence[str]) -> str:
    return ", ".join(told[:4]) + (f" and {len(told) - 4} more" if len(told) > 4 else "")


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
