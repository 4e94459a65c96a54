"""A checkpoint that is not stored as torch stores it is refused before it takes memory."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from lasasr.errors import LasasrError
from lasasr.training.checkpoint_file import STATE, damage, read

WORDS = "it unpacks to more than it holds, which torch never writes"


def test_packed_members_are_refused_whatever_is_in_them(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.ckpt", tmp_path / "packed.ckpt"
    torch.save({STATE: {"weight": torch.zeros(100_000)}}, plain)
    assert damage(plain) is None
    with zipfile.ZipFile(plain) as stored, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in stored.namelist():
            archive.writestr(member, stored.read(member))
    assert packed.stat().st_size < plain.stat().st_size / 10
    assert damage(packed) == WORDS
    with pytest.raises(LasasrError, match=WORDS):
        read(packed)
