"""sweep.json as it was written, read without looking at the runs that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lasasr.artifacts import files, kinds
from lasasr.errors import LasasrError

SCHEMA: Final = 1
FILE: Final = "sweep.json"
SWEEP_KINDS: Final[Mapping[str, Any]] = {"recipe": str, "overrides": list[str], "runs": list[str], "jobs": list}


def read(path: Path) -> dict[str, Any]:
    """sweep.json, whose paths may still lead anywhere.

    Raises:
        LasasrError: it is missing or damaged.
    """
    content = files.read_json(path)
    lacking = [name for name in ("recipe", "overrides", "runs") if not isinstance(content, dict) or name not in content]
    if lacking:
        way_out = "name the run folders, or begin the sweep again with -m"
        raise LasasrError(f"{path} is damaged: it lacks {', '.join(lacking)}; {way_out}")
    if content.get("schema") != SCHEMA:
        raise LasasrError(f"{path} has schema {content.get('schema')}, this version of lasasr reads {SCHEMA}")
    kinds.refuse_others(path, content, SWEEP_KINDS)
    if any("\0" in folder for folder in content["runs"]):
        raise LasasrError(f"{path} is damaged: a path in it has a sign that no path has")
    return dict(content)
