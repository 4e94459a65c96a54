"""What the frozen part of an encoder gives of each utterance, kept in a few large files that are mapped into memory.

A folder belongs to one encoder as it is (`StagedEncoder.identity`) and is shared by all runs and splits. A tensor is
named by what its audio holds, whatever it is called and wherever it lies.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lasasr.artifacts import files, tensor_file
from lasasr.errors import LasasrError

DTYPE: Final = torch.float16
SHARD_BYTES: Final = 1 << 29  # a file is closed once it holds so many
_SUFFIX: Final = ".safetensors"


class Encodings:
    """Name → frames (T', N) float16 (or what `write_tensors` wrote), of a folder as it is when this is made.

    Args:
        folder: of one encoder, or of what else they are of; it need not be there.

    Raises:
        LasasrError: a file in it is damaged; the message names it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[Path, Any] = {}
        self._places: dict[str, Path] = {}
        self._checksums: dict[str, str] = {}  # of the tensors of files that hold them
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            try:
                self._files[path] = safe_open(path, "pt")
                self._places |= dict.fromkeys(self._files[path].keys(), path)
                self._checksums |= self._files[path].metadata() or {}
            except Exception as error:
                raise _damaged(path, " ".join(str(error).split())[:200]) from None

    def __reduce__(self) -> tuple[type[Encodings], tuple[Path]]:
        return Encodings, (self.folder,)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def get(self, name: str) -> Tensor:
        """A copy of the frames (T', N) of an utterance.

        Raises:
            KeyError: they are not there.
            LasasrError: they are not what was written.
        """
        path = self._places[name]
        frames: Tensor = self._files[path].get_tensor(name)
        checksum = self._checksums.get(name)  # earlier versions wrote none
        if checksum is not None and checksum != _checksum(frames):
            raise _damaged(path, "what it holds does not match its checksum")
        return frames


class Kept(NamedTuple):
    """Those of the utterances of a split, in one or several forms."""

    encodings: Encodings
    names: Sequence[Sequence[str]]  # of each form, those of the utterances in the order of the manifest

    def batch(self, indices: Sequence[int], variants: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Of some utterances: (B, T', N) float16, 0 after the end, and their lengths (B,) int64.

        Args:
            indices: B numbers of utterances.
            variants: B numbers of forms.
        """
        frames = [self.encodings.get(self.names[form][index]) for index, form in zip(indices, variants, strict=True)]
        return pad_sequence(frames, batch_first=True), torch.tensor([len(one) for one in frames])


def write(folder: Path, encoded: Iterable[tuple[str, Tensor]], shard_bytes: int = SHARD_BYTES) -> None:
    """Add frames (T', N) by name to a folder, as float16, file by file, each whole or not at all.

    Args:
        shard_bytes: of a file, about.

    Raises:
        LasasrError: a value does not fit float16.
    """
    write_tensors(folder, ((name, _rounded(frames)) for name, frames in encoded), shard_bytes)


def write_tensors(folder: Path, tensors: Iterable[tuple[str, Tensor]], shard_bytes: int = SHARD_BYTES) -> None:
    """Add tensors by name as they are, file by file, each whole or not at all.

    What has come before `tensors` is interrupted, or fails, is written.

    Raises:
        LasasrError: a file cannot be written.
    """
    for of_file in _shards(tensors, shard_bytes):
        digits = hashlib.sha256("".join(sorted(of_file)).encode()).hexdigest()[:16]
        checksums = {name: _checksum(tensor) for name, tensor in of_file.items()}
        try:
            with files.replacing(folder / f"{digits}{_SUFFIX}") as path:
                tensor_file.save(of_file, path, checksums)
        except OSError as error:
            raise LasasrError(
                f"cannot write into {folder} ({error.strerror}): make room, or set another prepared_dir"
            ) from error


def _damaged(path: Path, reason: str) -> LasasrError:
    return LasasrError(f"{path} is damaged ({reason}); delete it, and it is computed again")


def _checksum(tensor: Tensor) -> str:
    content = tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return f"{zlib.crc32(content.data):08x}"


def _rounded(frames: Tensor) -> Tensor:
    rounded = frames.to(DTYPE).cpu().contiguous()
    if not bool(rounded.isfinite().all()):
        raise LasasrError(
            f"the encoder gives values of up to {float(frames.abs().max()):.0f}, and float16 ends at 65504: set "
            "loading.cache_encoded=false"
        )
    return rounded


def _shards(named: Iterable[tuple[str, Tensor]], shard_bytes: int) -> Iterator[dict[str, Tensor]]:
    tensors: dict[str, Tensor] = {}
    held = 0
    try:
        for name, tensor in named:
            tensors[name] = tensor
            held += tensor.nbytes
            if held >= shard_bytes:
                yield tensors
                tensors, held = {}, 0
    except GeneratorExit:  # whoever writes has failed
        raise
    except BaseException:  # minutes of work, which would be done again
        if tensors:
            yield tensors
        raise
    if tensors:
        yield tensors


def digest(plain: Any) -> str:
    """The name of the folder of an encoder that these plain values identify."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:24]
