"""race.json in the folder of a sweep: what a race declared beforehand, and each of its looks.

recipe  overrides            of the command that began it
design                       looks (seeds at each), points, level, normal_seeds
systems                      name → its jobs in sweep.json, by seed
split                        of the results; null before the first look
looks                        of each: seeds, when, rates, p of this look alone, the seeds lost
found                        worse, better, level: the smallest level, for all looks, at which this was found
left                         system → why it left, against which one, at which look
finished                     whether there will be no other look
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lasasr.artifacts import files, kinds
from lasasr.errors import LasasrError

SCHEMA: Final = 2
FILE: Final = "race.json"
KINDS: Final[Mapping[str, Any]] = {
    "recipe": str,
    "overrides": list[str],
    "design": dict,
    "systems": dict,
    "looks": list,
    "found": list,
    "left": dict,
    "finished": bool,
}


def read(folder: Path) -> dict[str, Any]:
    """What race.json in the folder of a sweep says.

    Raises:
        LasasrError: it is missing or damaged.
    """
    path = folder / FILE
    content = files.read_json(path)
    if isinstance(content, dict) and content.get("schema") != SCHEMA:
        raise LasasrError(
            f"{path} has schema {content.get('schema')}, this version of lasasr reads {SCHEMA}; "
            "begin the race again with --fresh"
        )
    lacking = [name for name in KINDS if not isinstance(content, dict) or name not in content]
    if lacking:
        raise LasasrError(f"{path} is damaged: it lacks {', '.join(lacking)}; begin the race again with --fresh")
    kinds.refuse_others(path, content, KINDS)
    return dict(content)


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Write race.json."""
    files.write_json(folder / FILE, {"schema": SCHEMA, "kind": "race", **content})
