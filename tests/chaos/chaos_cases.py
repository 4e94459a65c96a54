"""The cases: which faults a command meets, drawn from the points that its undisturbed run reached."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from chaos_ground import Ground, ranks_of
from chaos_points import Fault

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
# of prepared data: not written where the folder is full or another user's
SPARED = ("content-", "digests", ".index-", ".tokens-")
FILES = ("begun:", "half:", "written:", "renaming:", "kept:")  # where a disk may be full
DAMAGES = ("flipped", "truncated", "emptied", "gone", "foreign", "swapped")
VERBS = ("prepare", "evaluate", "average", "compare", "export")


@dataclass(frozen=True)
class Case:
    """A command, the faults of its attempts one after the other, and what is done before the last, whole one.

    Args:
        family: the kind of fault.
        what: the configuration that is trained, or another verb.
        attempts: the faults of each attempt.
        kill_after_s: of each attempt; None: no time.
        before_last: what is done to files before the last attempt.
        meanwhile: what is done while a fault has stopped the process.
        small_disk: bytes of the file system that holds the run; 0: it is large.
    """

    family: str
    what: str
    attempts: tuple[tuple[Fault, ...], ...]
    kill_after_s: tuple[float | None, ...] = ()
    before_last: str = ""
    meanwhile: str = ""
    small_disk: int = 0


Chance = random.Random
Draw = Callable[[Ground, Chance], Case]


def point(points: Counter[str], chance: Chance, *beginnings: str, but: tuple[str, ...] = ()) -> tuple[str, int]:
    """A point and how often it is reached before: every name is as likely as any other."""
    names = [name for name in sorted(points) if name.startswith(beginnings or ("",)) and not name.startswith(but)]
    name = chance.choice(names)
    return name, chance.randint(1, points[name])


def _at(ground: Ground, what: str, chance: Chance, act: str, value: int = 0, rank: int = 0, **where: object) -> Fault:
    beginnings = where.get("beginnings", ())
    points = ground.references[what].points
    if act == "fill-disk":
        points = Counter({name: count for name, count in points.items() if not any(part in name for part in SPARED)})
    name, nth = point(points, chance, *beginnings, but=("events",) if not beginnings else ())  # type: ignore[misc]
    if rank:  # the other ranks write nothing
        name, nth = point(points, chance, "on_")
    return Fault(name, nth, act, value, rank)


def _killed_at_points(ground: Ground, chance: Chance, what: str) -> Case:
    kills = [(_at(ground, what, chance, "kill", rank=_rank(what, chance)),) for _ in range(chance.randint(1, 3))]
    return Case("killed at points", what, tuple(kills))


def _killed_at_times(ground: Ground, chance: Chance, what: str) -> Case:
    took_s, kills = ground.references[what].took_s, chance.randint(1, 3)
    times = tuple(chance.uniform(0.0, took_s) for _ in range(kills))
    return Case("killed at random times", what, ((),) * kills, times)


def _signalled(ground: Ground, chance: Chance, what: str) -> Case:
    fault = _at(ground, what, chance, "signal", int(chance.choice(SIGNALS)), _rank(what, chance))
    return Case("signalled", what, ((fault,),))


def _launcher_signalled(ground: Ground, chance: Chance) -> Case:
    number = int(chance.choice((*SIGNALS, signal.SIGKILL)))
    fault = _at(ground, "ranks", chance, "signal-launcher", number, beginnings=("on_",))
    return Case("launcher signalled", "ranks", ((fault,),))


def _worker_signalled(ground: Ground, chance: Chance) -> Case:
    number = int(chance.choice((*SIGNALS, signal.SIGKILL, signal.SIGKILL)))
    fault = _at(ground, "workers", chance, "signal-worker", number, beginnings=("on_train_batch",))
    return Case("loader worker signalled", "workers", ((fault,),))


def _failed(ground: Ground, chance: Chance, what: str) -> Case:
    fault = _at(ground, what, chance, chance.choice(("fail", "break")), rank=_rank(what, chance), beginnings=("on_",))
    return Case("exception", what, ((fault,),))


def _not_a_number(ground: Ground, chance: Chance, what: str) -> Case:
    """NaN in one batch, then a kill behind the update that it was in."""
    last = ground.references[what].points["on_train_batch_start"]
    nth = chance.randint(1, last - 4)
    kill = Fault("on_train_batch_start", chance.randint(nth + 3, last), "kill")
    rank = _rank(what, chance)
    return Case("NaN, then killed", what, ((Fault("on_train_batch_start", nth, "nan", 0, rank), kill),))


def _disk_full(ground: Ground, chance: Chance, what: str) -> Case:
    return Case("disk full", what, ((_at(ground, what, chance, "fill-disk", beginnings=FILES),),))


def _events_full(ground: Ground, chance: Chance) -> Case:
    fault = _at(ground, "alone", chance, "fill-disk", beginnings=("events",))
    return Case("disk full for TensorBoard", "alone", ((fault,),))


def _files_limited(ground: Ground, chance: Chance) -> Case:
    fault = _at(ground, "alone", chance, "limit-files", chance.choice((0, 500, 4_000, 20_000, 60_000)))
    return Case("file size limit", "alone", ((fault,),))


def _small_disk(ground: Ground, chance: Chance) -> Case:
    return Case("small file system", "alone", ((),), small_disk=4096 * chance.randint(4, 120))


def _damaged(ground: Ground, chance: Chance) -> Case:
    points = Counter({"on_train_batch_start": ground.references["alone"].points["on_train_batch_start"]})
    name, nth = point(points, chance)
    kill = Fault(name, max(nth, 6), "kill")  # there is a checkpoint, and one before it
    return Case("checkpoint damaged", "alone", ((kill,),), before_last=chance.choice(DAMAGES))


def _moved(ground: Ground, chance: Chance) -> Case:
    return Case("run folder moved", "alone", ((_at(ground, "alone", chance, "kill"),),), before_last="moved")


def _edited(ground: Ground, chance: Chance) -> Case:
    kill = Fault("on_train_batch_start", chance.randint(4, 18), "kill")
    return Case("data edited", "own-table", ((kill,),), before_last="edited")


def _two_writers(ground: Ground, chance: Chance) -> Case:
    fault = _at(ground, "alone", chance, "stop", beginnings=("on_",))
    return Case("two writers", "alone", ((fault,),), meanwhile=chance.choice(("resume", "train", "fresh")))


def _clock_back(ground: Ground, chance: Chance) -> Case:
    back = _at(ground, "alone", chance, "set-clock-back", beginnings=("on_",))
    return Case("clock set back", "alone", ((back, _at(ground, "alone", chance, "kill")),))


def _verb(ground: Ground, chance: Chance, what: str) -> Case:
    if chance.random() < 0.2:
        return Case(f"{what} killed", what, ((),), (chance.uniform(0.0, ground.references[what].took_s),))
    act, value = chance.choice((("kill", 0), ("kill", 0), ("signal", int(signal.SIGTERM)), ("fill-disk", 0)))
    beginnings = FILES if act == "fill-disk" else ()
    fault = _at(ground, what, chance, act, value, beginnings=beginnings)
    return Case(f"{what} {'killed' if act == 'kill' else 'interrupted'}", what, ((fault,),))


def _rank(what: str, chance: Chance) -> int:
    return chance.randrange(ranks_of(what))


# how often each is drawn, of all
FAMILIES: Mapping[str, tuple[int, Draw]] = {
    "killed at points": (24, partial(_killed_at_points, what="alone")),
    "killed at random times": (14, partial(_killed_at_times, what="alone")),
    "ranks killed at points": (5, partial(_killed_at_points, what="ranks")),
    "ranks killed at random times": (2, partial(_killed_at_times, what="ranks")),
    "signalled": (8, partial(_signalled, what="alone")),
    "rank signalled": (4, partial(_signalled, what="ranks")),
    "launcher signalled": (3, _launcher_signalled),
    "worker signalled": (5, _worker_signalled),
    "exception": (3, partial(_failed, what="alone")),
    "exception on a rank": (3, partial(_failed, what="ranks")),
    "NaN": (2, partial(_not_a_number, what="alone")),
    "NaN on a rank": (2, partial(_not_a_number, what="ranks")),
    "disk full": (8, partial(_disk_full, what="alone")),
    "disk full for TensorBoard": (2, _events_full),
    "file size limit": (4, _files_limited),
    "small file system": (3, _small_disk),
    "checkpoint damaged": (6, _damaged),
    "run moved": (3, _moved),
    "data edited": (2, _edited),
    "two writers": (3, _two_writers),
    "clock set back": (2, _clock_back),
    **{f"{verb} interrupted": (4, partial(_verb, what=verb)) for verb in VERBS},
}

OF_RANKS = (
    "ranks killed at points",
    "ranks killed at random times",
    "rank signalled",
    "launcher signalled",
    "exception on a rank",
    "NaN on a rank",
)


def draw(ground: Ground, seed: int, number: int, families: Collection[str] = FAMILIES) -> Case:
    """Case `number` of a seed: always the same on one machine, whatever was drawn before.

    Args:
        families: of which it is drawn.
    """
    chance = random.Random(f"{seed}/{number}")
    chosen = chance.choices(list(families), [FAMILIES[name][0] for name in families])[0]
    return FAMILIES[chosen][1](ground, chance)
