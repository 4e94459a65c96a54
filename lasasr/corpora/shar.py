"""Lhotse Shar: a corpus as few large files, which shared file systems and object storage like better than many small.

The cuts become a manifest like any other, in which each recording is a place inside a tar file; audio is read from
there at random, without unpacking. So batches, their order, resume and ranks are those of the same corpus in files.
Recordings of several channels are averaged when they are loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, ClassVar

from lhotse import MonoCut, MultiCut

from lasasr.corpora import download, foreign_cuts
from lasasr.corpora.base import Corpus, Progress
from lasasr.corpora.download import Archive
from lasasr.corpora.manifest import write_cuts
from lasasr.corpora.shar_files import LIST, Shard, holds_shards, listed, shards
from lasasr.data.tar import Entry, entries
from lasasr.errors import LasasrError, UsageError


class SharCorpus(Corpus):
    """Shards that `lasasr prepare RECIPE --shards DIR`, or Lhotse, wrote; see the module.

    Args:
        root: a folder whose subfolders are the splits, or the address (http, https) of one with a `shards.json`, whose
            files are then fetched into `cache`, each read once from its beginning to its end; and, or instead of it,
        train, dev, test: the folder of a split.
        transcript: name of the transcript rule.
        cache: where files that are fetched are kept.
    """

    name: ClassVar[str] = "shar"

    def __init__(
        self,
        root: str | None = None,
        train: str | None = None,
        dev: str | None = None,
        test: str | None = None,
        transcript: str = "english",
        cache: str = "data/prepared/shards",
    ) -> None:
        given = {"root": root, "train": train, "dev": dev, "test": test}
        self.given = {name: str(path) for name, path in given.items() if path is not None}  # 3 is a name too
        root = self.given.pop("root", None)
        self.address = root.rstrip("/") if root and "://" in root else None
        self.root = str(Path(cache) / _named(self.address)) if self.address else root
        self.transcript = transcript

    def fetch(self, progress: Progress) -> None:
        """Fetch what is not there of a `root` that is an address; each file is checked against its list."""
        if self.address is None or self.root is None:
            return
        base = Path(self.root)
        download.fetch(Archive(f"{self.address}/{LIST}", None), base / LIST, progress)
        for split, content in listed(base)["splits"].items():
            for name, (size, md5) in content["files"].items():
                download.fetch(Archive(f"{self.address}/{split}/{name}", md5, size), base / split / name, progress)

    def _folders(self) -> dict[str, Path]:
        folders = {} if self.root is None else _below(self.root)
        for split, given in self.given.items():
            folders[split] = Path(given).expanduser().resolve()
            if not folders[split].is_dir():
                raise LasasrError(f"corpus.{split}={given} is missing, or no folder")
        for split in ("train", "dev"):
            if split not in folders:
                where = f"{self.root} has no folder {split} with shards" if self.root else f"corpus.{split} is not set"
                raise UsageError(f"{where}: corpus=shar needs corpus.root=DIR with one, or corpus.{split}=DIR")
        return folders

    def identity(self) -> Mapping[str, Any]:
        """What the cuts say and how large the audio is; the audio itself is too much to read each time."""
        return {split: _identity(folder) for split, folder in self._folders().items()}

    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        manifests = {}
        for split, of in self._folders().items():
            manifests[split] = folder.resolve() / f"{split}.jsonl.gz"
            if not manifests[split].exists():
                write_cuts(_cuts(split, of, progress), manifests[split])
        return manifests


def _named(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:12]


def _below(root: str) -> dict[str, Path]:
    """Split → folder; a split that is listed and not there is found missing when its shards are asked for."""
    base = Path(root).expanduser().resolve()
    if not base.is_dir():
        raise LasasrError(f"corpus.root={root} is missing, or no folder")
    there = {path.name for path in base.iterdir() if holds_shards(path)}
    return {split: base / split for split in sorted(there | set(listed(base)["splits"]))}


def _identity(folder: Path) -> dict[str, Any]:
    hashed, sizes = hashlib.sha256(), []
    for shard in shards(folder):
        hashed.update(shard.cuts.read_bytes())
        sizes.append((shard.recordings.name, shard.recordings.stat().st_size))
    return {"folder": str(folder), "cuts": hashed.hexdigest(), "recordings": sizes}


def _cuts(split: str, folder: Path, progress: Progress) -> Iterator[MonoCut | MultiCut]:
    lines: dict[str, str] = {}
    there = shards(folder)
    for done, shard in enumerate(there, start=1):
        for where, cut in _of_shard(shard):
            if cut.id in lines:
                raise LasasrError(f"{where}id {cut.id} stands in {lines[cut.id].removesuffix(': ')} already")
            lines[cut.id] = where
            yield cut
        progress(f"reading shards of {split}", done, len(there))
    if not lines:
        raise LasasrError(f"{folder} has no utterances")


def _of_shard(shard: Shard) -> Iterator[tuple[str, MonoCut | MultiCut]]:
    """(where it stands, cut with the place of its audio)."""
    for line, entry in zip_longest(foreign_cuts.objects(shard.cuts), entries(shard.recordings)):
        if line is None or entry is None:
            more, fewer = (shard.recordings, shard.cuts) if line is None else (shard.cuts, shard.recordings)
            raise LasasrError(f"{more} has more utterances than {fewer}: one of them is not whole")
        number, fields = line
        where = f"{shard.cuts}, line {number}: "
        yield where, foreign_cuts.checked(where, {**fields, "recording": _recording(where, shard, fields, entry)})


def _recording(where: str, shard: Shard, fields: Mapping[str, Any], entry: Entry) -> dict[str, Any] | None:
    if entry.id != fields.get("id"):
        raise LasasrError(f"{where}cut {fields.get('id')} is {entry.id} in {shard.recordings}: not of one making")
    if entry.recording is None or entry.audio is None:
        return None
    (source,) = entry.recording["sources"]
    return {**entry.recording, "sources": [{**source, "source": entry.audio.source}]}
