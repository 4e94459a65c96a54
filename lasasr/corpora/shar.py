"""Lhotse Shar: a corpus as few large files, which suit shared file systems and object storage better than many small.

Shards of an address stay there: only the cuts are fetched now, which hold the file and position of the audio; the files
are fetched when they are read (`data.mirror`).

The cuts become a manifest like any other, in which each recording is a position inside a tar file; audio is read from
there at random, without unpacking. So batches, their order, resume and ranks are those of the same corpus in files.
Recordings of several channels are averaged when they are loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, ClassVar

from lhotse import MonoCut, MultiCut

from lasasr.artifacts.files import expanded, open_regular
from lasasr.corpora import foreign_cuts
from lasasr.corpora.base import Corpus, Progress
from lasasr.corpora.manifest import write_cuts
from lasasr.corpora.shar_files import LIST, Shard, holds_shards, is_cuts, listed, listed_shards, shards
from lasasr.data import mirror, remote
from lasasr.data.tar import KIND, Entry, Member, entries
from lasasr.errors import LasasrError, UsageError, looked_up

_BLOCK = 1 << 20  # bytes hashed at once


class SharCorpus(Corpus):
    """Shards that `lasasr prepare RECIPE --shards DIR`, or Lhotse, wrote; see the module.

    Args:
        root: a folder whose subfolders are the splits, or the address (s3://, gs://, https://, ...) of one that
            `lasasr prepare --shards` wrote; and, or instead of it,
        train, dev, test: the folder of a split.
        transcript: name of the transcript rule.
        cache_dir: where the files of an address are kept on this machine.
        cache_gb: of 10^9 bytes, for all its shards together: those not used for longest are deleted first; None: all
            are kept.
        shards_at_once: of train, that batches are composed of (`Batching`); None: all.

    Raises:
        UsageError: `cache_gb` is not positive.
    """

    name: ClassVar[str] = "shar"

    def __init__(
        self,
        root: str | None = None,
        train: str | None = None,
        dev: str | None = None,
        test: str | None = None,
        transcript: str = "english",
        cache_dir: str = "data/prepared/shards",
        cache_gb: float | None = None,
        shards_at_once: int | None = None,
    ) -> None:
        if cache_gb is not None and not cache_gb > 0:
            raise UsageError(f"corpus.cache_gb must be positive, got {cache_gb}")
        paths = {"root": root, "train": train, "dev": dev, "test": test}
        self.paths = {name: str(path) for name, path in paths.items() if path is not None}  # 3 is a name too
        root = self.paths.pop("root", None)
        self.address = root.rstrip("/") if root and "://" in root else None
        self.root = str(expanded(cache_dir) / _named(self.address)) if self.address else root
        self.transcript, self.cache_gb, self.shards_at_once = transcript, cache_gb, shards_at_once

    def fetch(self, progress: Progress) -> None:
        """Fetch list and cuts of a `root` that is an address, where they are not there yet.

        Raises:
            UsageError: the shards of a batch do not fit `cache_gb`.
            LasasrError: what `remote.fetch` raises.
        """
        if self.address is None or self.root is None:
            return
        base = Path(self.root).resolve()
        if not (base / LIST).exists():
            remote.fetch(f"{self.address}/{LIST}", base / LIST)
        splits = {split: content["files"] for split, content in listed(base)["splits"].items()}
        self._check_room(splits)
        files = {
            f"{split}/{name}": size_and_md5
            for split, split_files in splits.items()
            for name, size_and_md5 in split_files.items()
        }
        cuts = [name for name in files if is_cuts(Path(name).name)]
        for done, name in enumerate(cuts, start=1):
            if not (base / name).exists():
                remote.fetch(f"{self.address}/{name}", base / name, *files[name])
                progress("fetching the cuts of shards", done, len(cuts))
        recordings = {name: size_and_md5 for name, size_and_md5 in files.items() if name not in cuts}
        mirror.establish(base, self.address, recordings, self.cache_gb)

    def _check_room(self, splits: Mapping[str, Mapping[str, tuple[int, str]]]) -> None:
        for split, files in splits.items():
            sizes = sorted((size for name, (size, _) in files.items() if not is_cuts(name)), reverse=True)
            at_once = self.shards_at_once if split == "train" else None
            needed_gb = sum(sizes[:at_once]) / mirror.GB
            if self.cache_gb is not None and needed_gb > self.cache_gb:
                which = f"{at_once or 'all'} shards of {split} ({needed_gb:.3g} GB)"
                lower = f", or set batching.shards_at_once{' lower' if at_once else ''}" if split == "train" else ""
                room = f"corpus.cache_gb={self.cache_gb:g} has no room for {which}"
                raise UsageError(f"{room}, which batches are composed of; raise it{lower}")

    def _folders(self) -> dict[str, Path]:
        folders = {} if self.root is None else _below(self.root)
        if self.address is None:
            _refuse_mirrors(folders.values())
        for split, path in self.paths.items():
            folders[split] = expanded(path).resolve()
            if not folders[split].is_dir():
                raise LasasrError(f"corpus.{split}={path} is missing, or no folder{looked_up(path)}")
            _refuse_mirrors([folders[split]])
        for split in ("train", "dev"):
            if split not in folders:
                where = f"{self.root} has no folder {split} with shards" if self.root else f"corpus.{split} is not set"
                raise UsageError(f"{where}: corpus=shar needs corpus.root=DIR with one, or corpus.{split}=DIR")
        return folders

    def identity(self) -> Mapping[str, Any]:
        """The content of the cuts and the size of the audio; the audio itself is too much to read each time."""
        return {split: _identity(folder) for split, folder in self._folders().items()}

    def prepare(self, folder: Path, progress: Progress) -> dict[str, Path]:
        manifests = {}
        for split, shards_folder in self._folders().items():
            manifests[split] = folder.resolve() / f"{split}.jsonl.gz"
            if not manifests[split].exists():
                write_cuts(_cuts(split, shards_folder, progress), manifests[split])
        return manifests


def _refuse_mirrors(folders: Iterable[Path]) -> None:
    """Only a folder that `fetch` has filled may name the address of its files, and have them deleted."""
    for folder in folders:
        if mirror.is_mirrored(folder):
            way_out = "name that address as corpus.root, or delete mirror.json"
            raise LasasrError(f"{folder.parent} is what is kept here of shards at an address (mirror.json): {way_out}")


def _named(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:12]


def _below(root: str) -> dict[str, Path]:
    """Split → folder; a split that is listed and missing fails when its shards are read."""
    base = expanded(root).resolve()
    if not base.is_dir():
        raise LasasrError(f"corpus.root={root} is missing, or no folder{looked_up(root)}")
    splits = {path.name for path in base.iterdir() if holds_shards(path)}
    return {split: base / split for split in sorted(splits | set(listed(base)["splits"]))}


def _identity(folder: Path) -> dict[str, Any]:
    hashed, sizes = hashlib.sha256(), []
    for shard in _shards(folder):
        with open_regular(shard.cuts) as cuts:
            while block := cuts.read(_BLOCK):
                hashed.update(block)
        sizes.append((shard.recordings.name, shard.size))
    return {"folder": str(folder), "cuts": hashed.hexdigest(), "recordings": sizes}


def _shards(folder: Path) -> list[Shard]:
    return listed_shards(folder) if mirror.is_mirrored(folder) else shards(folder)


def _cuts(split: str, folder: Path, progress: Progress) -> Iterator[MonoCut | MultiCut]:
    lines: dict[str, str] = {}
    found_shards = _shards(folder)
    for done, shard in enumerate(found_shards, start=1):
        for where, cut in _of_shard(shard):
            if cut.id in lines:
                raise LasasrError(f"{where}id {cut.id} stands in {lines[cut.id].removesuffix(': ')} already")
            lines[cut.id] = where
            yield cut
        progress(f"reading shards of {split}", done, len(found_shards))
    if not lines:
        raise LasasrError(f"{folder} has no utterances")


def _of_shard(shard: Shard) -> Iterator[tuple[str, MonoCut | MultiCut]]:
    """(the beginning of an error line, cut with the position of its audio)."""
    if mirror.is_mirrored(shard.cuts.parent):
        yield from _of_cuts(shard)
        return
    for line, entry in zip_longest(foreign_cuts.objects(shard.cuts), entries(shard.recordings)):
        if line is None or entry is None:
            more, fewer = (shard.recordings, shard.cuts) if line is None else (shard.cuts, shard.recordings)
            raise LasasrError(f"{more} has more utterances than {fewer}: one of them is not whole")
        number, fields = line
        where = f"{shard.cuts}, line {number}: "
        recording = _recording(where, shard, fields, entry)
        yield where, foreign_cuts.checked(where, {**fields, "recording": recording}, (KIND,))


def _of_cuts(shard: Shard) -> Iterator[tuple[str, MonoCut | MultiCut]]:
    """The same from the cuts alone, which came with the digest of their recordings."""
    for number, fields in foreign_cuts.objects(shard.cuts):
        where = f"{shard.cuts}, line {number}: "
        cut = foreign_cuts.checked(where, fields, (KIND,))
        source = cut.recording.sources[0]
        if len(cut.recording.sources) != 1 or not source.source:
            raise LasasrError(f"{where}cut {cut.id} says nothing of where its audio is; write the shards again")
        source.source = Member.at(str(source.source))._replace(tar=shard.recordings).source
        yield where, cut


def _recording(where: str, shard: Shard, fields: Mapping[str, Any], entry: Entry) -> dict[str, Any] | None:
    if entry.id != fields.get("id"):
        raise LasasrError(f"{where}cut {fields.get('id')} is {entry.id} in {shard.recordings}: not of one making")
    if entry.recording is None or entry.audio is None:
        return None
    (source,) = entry.recording["sources"]
    if not isinstance(source, dict):
        raise LasasrError(f"{where}cut {entry.id} has a source that is none in {shard.recordings}")
    return {**entry.recording, "sources": [{**source, "source": entry.audio.source}]}
