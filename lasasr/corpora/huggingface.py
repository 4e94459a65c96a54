"""Data sets of Hugging Face's library `datasets`: a folder that `save_to_disk` wrote, or a name on the hub.

The hub's files are kept in the library's own cache (HF_HOME); code that comes with a data set is not run. Audio is
taken as it is stored, not decoded by the library: where it lies in no file, its bytes are written below the prepared
folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, ClassVar, Final

from lasasr.artifacts.files import expanded, replacing
from lasasr.corpora.division import Division
from lasasr.corpora.listed import ListedCorpus
from lasasr.corpora.names import check_id, plain_text
from lasasr.corpora.rows import Row
from lasasr.errors import LasasrError, UsageError, nearest
from lasasr.transcripts.rows import NAMES

WANTED: Final[Mapping[str, Sequence[str]]] = {
    "id": ("id", "utterance_id", "utt_id", "segment_id", "key"),
    "audio": ("audio", "speech", "file"),
    "text": ("text", "sentence", "transcription", "transcript", "raw_transcription", "normalized_text"),
    "speaker": NAMES["speaker"],
}
"""Our name → those under which a column is looked for; the first that is there counts."""


class HuggingFaceCorpus(ListedCorpus):
    """A data set; see the module.

    Args:
        dataset: a folder, or a name on the hub.
        train, dev, test: its names of splits; without `dev` that of train is divided.
        config, revision: of the data set.
        columns: our name → its column, where it is not found by its usual names.
        transcript, skip_unreadable, split_by, split_seed, held_out: as of `TableCorpus`.
    """

    name: ClassVar[str] = "huggingface"
    form = "NAME OF A SPLIT"

    def __init__(
        self,
        dataset: str | None,
        train: str | None = "train",
        dev: str | None = None,
        test: str | None = None,
        config: str | None = None,
        revision: str | None = None,
        columns: Mapping[str, str] | None = None,
        transcript: str = "english",
        skip_unreadable: bool = False,
        split_by: str = "speaker",
        split_seed: int = 1,
        held_out: float = 0.1,
    ) -> None:
        super().__init__(train, dev, test, transcript, skip_unreadable, Division(split_by, split_seed, held_out))
        self.dataset, self.config, self.revision = dataset, config, revision
        self.columns = dict(columns or {})
        for name in self.columns:
            if name not in WANTED:
                raise UsageError(f"corpus.columns.{name}: our name comes first; {nearest(name, WANTED, most=4)}")
        self._loaded: Any = None

    def check_given(self) -> None:
        """Refuse a corpus without a data set."""
        super().check_given()
        if not self.dataset:
            raise UsageError("corpus.dataset is not set: corpus=huggingface needs corpus.dataset=DIR or user/name")

    def content(self, split: str) -> Mapping[str, Any]:
        """The library's own fingerprint of a split."""
        part = self._split(split)
        named = {"split": self.given[split], "config": self.config, "columns": self.columns}
        return {"dataset": self.dataset, **named, "fingerprint": part._fingerprint, "rows": len(part)}

    def rows(self, split: str, folder: Path) -> Sequence[Row]:
        """The utterances of a split."""
        return rows(self._split(split), f"{self.dataset}, {self.given[split]}", folder / "stored" / split, self.columns)

    def _split(self, split: str) -> Any:
        self.check_given()
        if self._loaded is None:
            self._loaded = load(str(self.dataset), self.config, self.revision)
        return split_of(self._loaded, str(self.dataset), self.given[split], f"corpus.{split}")


def load(name: str, config: str | None = None, revision: str | None = None) -> Any:
    """The splits of a data set, by name.

    Raises:
        LasasrError: the library is not installed, or cannot load it.
    """
    folder = expanded(name)
    try:
        import datasets
    except ImportError:
        where = "" if folder.exists() else f"{name} does not exist here; to look for it on the Hugging Face hub, "
        raise LasasrError(f"{where}corpus=huggingface needs datasets: pip install 'lasasr[huggingface]'") from None
    try:
        if folder.is_dir() and ((folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()):
            loaded = datasets.load_from_disk(str(folder))
        else:
            loaded = datasets.load_dataset(name, config, revision=revision)
    except Exception as error:  # the library raises what its readers, its hub and its data raise
        reason = " ".join(str(error).split())[:300]
        raise LasasrError(
            f"corpus.dataset={name} is no data set that can be loaded ({type(error).__name__}: {reason})"
        ) from None
    return loaded if isinstance(loaded, dict) else {"train": loaded}


def split_of(loaded: Mapping[str, Any], dataset: str, split: str, key: str) -> Any:
    """One of the splits of a data set.

    Raises:
        UsageError: it has none of this name.
    """
    if split not in loaded:
        raise UsageError(f"{key}={split}: {dataset} has the splits {', '.join(loaded)}")
    return loaded[split]


def rows(part: Any, subject: str, stored: Path, columns: Mapping[str, str]) -> list[Row]:
    """The utterances of a split.

    Args:
        part: a data set of the library.
        subject: its name, for messages.
        stored: a folder for audio that lies in no file of its own.
        columns: our name → its column.

    Raises:
        LasasrError: a column is missing, or a value is no audio or no text.
    """
    import datasets

    chosen = _chosen(part.column_names, subject, columns)
    if isinstance(part.features[chosen["audio"]], datasets.Audio):
        part = part.cast_column(chosen["audio"], datasets.Audio(decode=False))
    listed: list[Row] = []
    seen: set[str] = set()
    for number, values in enumerate(part):
        where = f"{subject}, row {number}: "
        texts = {role: _text(where, role, values[name]) for role, name in chosen.items() if role != "audio"}
        if not texts["text"]:
            raise LasasrError(f"{where}{chosen['text']} is empty")
        path, write = _stored(where, values[chosen["audio"]], stored, number)
        name = texts.get("id") or path.stem
        check_id(where, name)
        if name in seen:
            raise LasasrError(f"{where}id {name} stands twice; corpus.columns={{id: COLUMN}} names another column")
        seen.add(name)
        write()
        listed.append(Row(where, name, path, texts["text"], texts.get("speaker") or None, 0.0, None))
    if not listed:
        raise LasasrError(f"{subject} has no utterances")
    return listed


def _chosen(present: Sequence[str], subject: str, columns: Mapping[str, str]) -> dict[str, str]:
    chosen = {}
    for role, usual in WANTED.items():
        if role in columns and columns[role] not in present:
            raise UsageError(f"corpus.columns.{role}={columns[role]}: {subject} has {', '.join(present)}")
        name = columns.get(role) or next((name for name in usual if name in present), None)
        if name is not None:
            chosen[role] = name
        elif role in ("audio", "text"):
            raise LasasrError(
                f"{subject} has no column of {role} ({', '.join(present)}); corpus.columns={{{role}: NAME}} names it"
            )
    return chosen


def _text(where: str, role: str, value: Any) -> str:
    return "" if value is None and role != "text" else plain_text(where, role, value).strip()


def _stored(where: str, value: Any, folder: Path, number: int) -> tuple[Path, Callable[[], None]]:
    """The file of stored audio, and what writes it where it has none yet."""
    if isinstance(value, str):
        return expanded(value), lambda: None
    path, content = (value.get("path"), value.get("bytes")) if isinstance(value, Mapping) else (None, None)
    if content is None:
        if not path:
            raise LasasrError(f"{where}it holds no audio")
        return Path(path), lambda: None
    name = PurePath(path or f"{number:06d}.wav").name
    file = folder / f"{number:06d}-{hashlib.sha256(content).hexdigest()[:8]}" / name

    def write() -> None:
        if not file.exists():
            with replacing(file) as temporary:
                temporary.write_bytes(content)

    return file, write
