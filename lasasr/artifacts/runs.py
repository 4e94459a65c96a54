"""The run folder: what stands in it, and whether it is finished.

    runs/<recipe>/<overrides, shortened>-s<seed>-<hash>/
      config.yaml  overrides.txt  card.json  checkpoints/  bundle/  tensorboard/  results/

A run is finished when its card says so; the card is written last, and whole or not at all.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from lasasr.artifacts import files, kinds, run_card, yaml_files
from lasasr.artifacts.run_card import RUN_ID, RunCard
from lasasr.artifacts.run_lock import FILE as WRITER
from lasasr.configuration import identity, moved, settings
from lasasr.configuration.sections import Plain
from lasasr.configuration.settings import Recognition, Settings
from lasasr.errors import LasasrError

SCHEMA: Final = 1  # of config.yaml
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


@dataclass(frozen=True)
class Run:
    """One run folder; it need not exist yet."""

    folder: Path

    @property
    def card_path(self) -> Path:
        """The file of its card (`lasasr.artifacts.run_card` reads and writes it)."""
        return self.folder / run_card.FILE

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
        if not self.card_path.exists():
            return "unfinished" if self.checkpoints.is_dir() else "absent"
        return self.card().status

    def start(self, plain: Plain, overrides: Sequence[str], **facts: Any) -> None:
        """Write config.yaml, overrides.txt and an unfinished card.

        Args:
            plain: the configuration, as `compose` gives it.
            facts: more of the card (`lasasr.artifacts.provenance` knows commit, versions, hardware and command).
        """
        text = yaml.safe_dump({"schema": SCHEMA, **plain}, sort_keys=False, allow_unicode=True)
        files.write_text(self.folder / "config.yaml", text)
        files.write_text(self.folder / "overrides.txt", "".join(f"{override}\n" for override in overrides))
        card = {RUN_ID: uuid.uuid4().hex[:16], "status": "unfinished", "recipe": plain["recipe"], "seed": plain["seed"]}
        run_card.write(self.card_path, card | {"started_at": _now()} | facts)

    def withdraw(self) -> None:
        """Undo `start` where nothing but what was to be trained has been written: no run has come of it."""
        of_start = {"config.yaml", "overrides.txt", run_card.FILE}
        if {path.name for path in self.folder.iterdir()} <= of_start | {"data", WRITER}:
            shutil.rmtree(self.folder / "data", ignore_errors=True)
            for name in of_start:
                (self.folder / name).unlink(missing_ok=True)

    def note(self, **facts: Any) -> None:
        """Add facts to the card, or replace them.

        Raises:
            LasasrError: the card is missing or damaged, or a fact is of another kind than its key.
        """
        run_card.write(self.card_path, {**self.card().plain, **facts})

    def finish(self, **facts: Any) -> None:
        """Add the last facts and call the run finished."""
        self.note(**facts, status="finished", finished_at=_now())

    def card(self) -> RunCard:
        """card.json.

        Raises:
            LasasrError: it is missing, damaged, or of another schema.
        """
        return run_card.read(self.card_path)

    def config(self) -> dict[str, Any]:
        """config.yaml, as plain values of which some may be absent.

        Raises:
            LasasrError: it is missing, damaged, or of another schema.
        """
        path = self.folder / "config.yaml"
        try:
            config = _checked(path, yaml_files.read(path))
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


def _checked(path: Path, config: Any) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise LasasrError(f"{path} is damaged: it holds no keys")
    if config.get("schema") != SCHEMA:
        raise LasasrError(f"{path} has schema {config.get('schema')}, this version of lasasr reads {SCHEMA}")
    kinds.refuse_others(path, config, CONFIG_KINDS)
    return config


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
