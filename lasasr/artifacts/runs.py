"""The run folder: what stands in it, and whether it is finished.

    runs/<recipe>/<overrides, shortened>-s<seed>-<hash>/
      config.yaml  overrides.txt  card.json  checkpoints/  bundle/  tensorboard/  results/

A run is finished when its card says so; the card is written last, and whole or not at all.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from lasasr.artifacts import files, kinds, yaml_files
from lasasr.configuration import identity, moved, settings
from lasasr.configuration.settings import Plain, Recognition, Settings
from lasasr.errors import LasasrError

SCHEMA: Final = 1
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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def content_at_training(card: Mapping[str, Any], split: str) -> str | None:
    """The content of a split when the run was made, as its card says it; None: a card of 0.1.0 does not."""
    noted = ((card.get("data") or {}).get("splits") or {}).get(split) or {}
    result = (card.get("results") or {}).get(split) or {}
    content = result.get("data", noted.get("content"))  # of a mean of checkpoints, nothing is decoded yet
    return None if content is None else str(content)
