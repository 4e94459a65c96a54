"""Which folder a configuration is trained in: that of a run which trains the same, or a new one beside others."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from lasasr.artifacts.run_names import folder_words
from lasasr.artifacts.runs import Run
from lasasr.configuration import identity
from lasasr.configuration.sections import Plain
from lasasr.configuration.signature_defaults import as_text
from lasasr.errors import LasasrError


class RunChoice(NamedTuple):
    """The run that a configuration is trained as, and what has to be said about that."""

    run: Run
    remarks: tuple[str, ...] = ()


def run_for(plain: Plain, overrides: Iterable[str], fresh: bool = False) -> Run:
    """The run that `plain` describes; see `choose_run`."""
    return choose_run(plain, overrides, fresh).run


def recipe_folder(plain: Plain) -> Path:
    """Where the runs of a recipe lie; a configuration without `runs_dir` has that of the settings' default."""
    return Path(plain.get("runs_dir", "runs")) / str(plain["recipe"])


def choose_run(plain: Plain, overrides: Iterable[str], fresh: bool = False, swept: Collection[str] = ()) -> RunChoice:
    """The folder of the run that `plain` describes: the newest whose configuration trains the same, or a new one.

    A run is looked for by what its config.yaml says, among the folders of the recipe that end in its seed and eight
    digits, whichever version named them. A name that another configuration has already, as when a default has changed
    since, gets a number.

    Args:
        overrides: what the command line said.
        fresh: a new folder in any case, beside the run that is there.
        swept: those of the overrides in which the jobs of a sweep differ.

    Raises:
        LasasrError: the folder of that name is damaged.
        UsageError: `name` is no name.
    """
    parent = recipe_folder(plain)
    words = folder_words(plain.get("name"), overrides, swept)
    runs = _runs_of_seed(parent, plain["seed"])
    ending = f"-s{plain['seed']}-{identity.system_digest(plain)}"
    earlier = _training_the_same(runs, plain, ending, fresh)
    if earlier and not fresh:
        return RunChoice(earlier[-1], _idle_remarks(earlier[-1], plain) if _keeps_configuration(earlier[-1]) else ())
    before = earlier[-1] if earlier else None  # what the new run stands beside
    for number in itertools.count(max((_number(run) for run in earlier), default=0) + 1):
        numbered = ending if number == 1 else f"{ending}-{number}"
        holder = next((run for run in runs if run.folder.name.endswith(numbered)), None)
        if holder is None or holder.status == "absent":
            run = holder or Run(parent / f"{words}{numbered}")
            return RunChoice(run, () if before is None else (_beside(run, before, fresh, plain),))
        before = before or holder
    raise AssertionError("unreachable")


def newest_like(run: Run, plain: Plain) -> Run:
    """The newest run beside `run` that trains what `plain` says and is no older one of its name, or `run` itself."""
    runs = _runs_of_seed(run.folder.parent, plain["seed"])
    alike = _training_the_same(runs, plain, run.folder.name, fresh=True)
    younger = [other for other in alike if _number(other) >= _number(run)]
    return younger[-1] if younger else run


def _runs_of_seed(parent: Path, seed: Any) -> list[Run]:
    """The run folders of a seed, by number and, where that is the same, by when they were begun."""
    ending = re.compile(rf"-s{re.escape(str(seed))}-[0-9a-f]{{8}}(-[0-9]+)?")
    runs = [Run(path) for path in parent.glob("*") if _ends_in(path.name, ending) and path.is_dir()]
    return sorted(runs, key=lambda run: (_number(run), _begun_at(run), run.folder.name))


def _ends_in(name: str, pattern: re.Pattern[str]) -> bool:
    return any(match.end() == len(name) for match in pattern.finditer(name))


def _number(run: Run) -> int:
    """Of runs that would have one name: 1, or what stands behind the hash."""
    match = re.search(r"-[0-9a-f]{8}-([0-9]+)$", run.folder.name)
    return int(match[1]) if match else 1


def _begun_at(run: Run) -> str:
    try:
        return run.card().started_at or ""
    except LasasrError:
        return ""


def _training_the_same(runs: Sequence[Run], plain: Plain, ending: str, fresh: bool) -> list[Run]:
    """Those that train the same; one by another name whose configuration cannot be read is none of them."""
    form, alike = identity.normal_form(plain), []
    for run in runs:
        try:
            if not identity.differing(_form_of(run), form):
                alike.append(run)
        except LasasrError as error:
            has_its_name = run.folder.name.endswith(ending) and run.status != "absent"
            if has_its_name and not fresh:
                raise LasasrError(f"{error}; repair it, or add --fresh to train beside it") from None
    return alike


def _keeps_configuration(run: Run) -> bool:
    """Whether the run goes on by its own configuration; where nothing was trained it gets the new one."""
    return run.begun or run.status == "finished"


def _form_of(run: Run) -> dict[str, Any]:
    return _form_at(run.folder, *_version(run.folder / "config.yaml"))


def _version(path: Path) -> tuple[int, int]:
    """What tells whether a file was written anew; the reader says what is wrong with one that is missing."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4096)
def _form_at(folder: Path, changed_ns: int, size: int) -> dict[str, Any]:
    return identity.normal_form(Run(folder).config())


def _idle_remarks(run: Run, plain: Plain) -> tuple[str, ...]:
    """The values that the run does not take over, because they do not make another run."""
    own = run.config()
    keys = identity.differing(identity.idle_values(own), identity.idle_values(plain))
    values = [f"{_assignment(own, key)}, not {_assignment(plain, key).partition('=')[2]}" for key in keys]
    if not values:
        return ()
    return (f"{run.folder} keeps {_listed(values)}: that changes nothing of what is trained",)


def _beside(run: Run, before: Run, fresh: bool, plain: Plain) -> str:
    """Why a new folder stands beside another one of its name."""
    if fresh:
        return f"{before.folder} stays; it is trained again in {run.folder}"
    own = before.config()
    keys = identity.differing(identity.normal_form(own), identity.normal_form(plain))
    values = [f"{_assignment(own, key)}, here {_assignment(plain, key).partition('=')[2]}" for key in keys]
    return f"{before.folder} was begun with other defaults ({_listed(values)}): this is another run, {run.folder}"


def _assignment(plain: Plain, key: str) -> str:
    values = identity.all_values(plain)
    return f"{key}={as_text(values[key]) if key in values else 'its default'}"


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values[:4]) + (f" and {len(values) - 4} more" if len(values) > 4 else "")
