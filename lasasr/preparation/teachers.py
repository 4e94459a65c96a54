"""Teachers: which they are, where what they say is kept, and what is said while they are asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from lasasr.artifacts import files, run_paths
from lasasr.configuration.settings import Recognition
from lasasr.data import content, encodings
from lasasr.data.digest_table import DigestTable
from lasasr.distributed import launch
from lasasr.errors import LasasrError
from lasasr.losses.base import Teaching, TextTeaching
from lasasr.models.recognizer import Recognizer
from lasasr.preparation.speech import Prepared

FOLDER = "taught"  # below prepared_dir


def identities(teaching: Teaching) -> dict[str, str]:
    """Teacher or table, as configured → digest of what it is: of a bundle its weights, tokens and configuration."""
    digests_of = {teacher: _digest(run_paths.bundle_folder(teacher)) for teacher in teaching.teachers}
    if isinstance(teaching, TextTeaching) and teaching.table is not None:
        digests_of[teaching.table] = hashlib.sha256(files.expanded(teaching.table).read_bytes()).hexdigest()
    return digests_of


def _digest(bundle: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        total.update(path.relative_to(bundle).as_posix().encode())
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def loaded(teacher: str, device: str) -> Recognizer:
    """A teacher, in evaluation mode."""
    return Recognizer.load(run_paths.bundle_folder(teacher), device).eval()


def audio_names(prepared: Prepared, split: str) -> list[str]:
    """What the audio of each utterance holds, in 32 hexadecimal digits.

    Raises:
        LasasrError: that is not known of an utterance.
    """
    utterances = prepared.utterances(split)
    named = content.audio_digests(utterances, DigestTable.of(utterances.path))
    for utterance_id, name in zip(utterances.ids, named, strict=True):
        if name is None:
            raise LasasrError(
                f"{split}: the audio of {utterance_id} is fetched when it is read, so that what a teacher says of it "
                "cannot be kept: prepare a corpus of files"
            )
    return [name for name in named if name is not None]


def kept_folder(settings: Recognition, identity: Mapping[str, object]) -> Path:
    """Where what such a teacher says is kept, of all corpora."""
    return Path(settings.prepared_dir) / FOLDER / encodings.digest(identity)


def say_waiting(split: str) -> None:
    """That another process asks."""
    launch.say(f"another process asks the teacher about {split}: waiting for it")


def say_asking(teachers: Sequence[str], split: str, count: int, folder: Path) -> None:
    """How much is asked, once."""
    launch.say(f"asking {' and '.join(teachers)} about {split} once: {count} utterances, kept in {folder}")
